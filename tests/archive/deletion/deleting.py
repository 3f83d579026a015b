"""An archive from which a test deletes, with nobody else at work."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from isocenter.archive.archive import Archive
from isocenter.archive.deletion.course import Course, DeletionEvent, Ending
from isocenter.archive.deletion.selection import DeletionLevel, Target
from isocenter.archive.workflow import Workflow
from isocenter.archive.workflow.deletions import Deletion, Deletions
from isocenter.archive.workflow.jobs import Jobs
from tests.archive.storing import sop_instance_uid

WEEK = 604_800.0


class Events:
    """What the audit trail was told."""

    def __init__(self) -> None:
        self.told: list[DeletionEvent] = []

    def on_deleted(self, event: DeletionEvent) -> None:
        self.told.append(event)


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_900_000_000.0  # later than anything that a test stores

    def __call__(self) -> float:
        return self.now


class Desk(NamedTuple):
    """An archive, its deletions, and the course that takes them forward."""

    archive: Archive
    deletions: Deletions
    course: Course
    events: Events
    clock: Clock

    def delete(
        self, *uids: str, level: DeletionLevel = "STUDY", keep_for: float = WEEK
    ) -> Deletion:
        """Ask for a deletion and carry it out."""
        return self.carry_out(self.request(*uids, level=level, keep_for=keep_for))

    def request(self, *uids: str, level: DeletionLevel = "STUDY", keep_for: float = WEEK) -> int:
        """Only ask for it."""
        return self.deletions.request(
            Target(level, uids), role="QA", reason="a test", who="me", keep_for=keep_for
        )

    def delete_instances(self, *numbers: int, keep_for: float = WEEK) -> Deletion:
        """Delete single instances of `storing.data_set`."""
        uids = [sop_instance_uid(number) for number in numbers]
        return self.delete(*uids, level="IMAGE", keep_for=keep_for)

    def restore(self, number: int) -> Deletion:
        assert self.deletions.want_back(number)
        return self.carry_out(number)

    def purge(self, number: int) -> Deletion:
        assert self.deletions.want_gone(number)
        return self.carry_out(number)

    def carry_out(self, number: int) -> Deletion:
        """Take it as far as it goes; time passes only while it waits for something."""
        self.deletions.jobs.revoke_leases()
        while (job := self.deletions.claim(number)) is not None:
            reached = self.course.advance(number)
            if isinstance(reached, Ending):
                assert self.deletions.over(job, reached.state, **reached.values)
                break
            assert reached is not None
            self.deletions.jobs.retry_at(job, reached, "")
            if reached > self.clock.now + 60:
                break
            self.clock.now = max(self.clock.now, reached)
        found = self.deletions.find(number)
        assert found is not None
        return found


@contextmanager
def desk(folder: Path, **options: bool) -> Iterator[Desk]:
    """The archive in `folder`, opened for a test."""
    with (
        Archive(folder, durability="os") as archive,
        Workflow(folder / "workflow.sqlite") as workflow,
    ):
        events, clock = Events(), Clock()
        deletions = Deletions(workflow, Jobs(workflow, clock=clock))
        course = Course(archive, deletions, events, **options)
        yield Desk(archive, deletions, course, events, clock)
