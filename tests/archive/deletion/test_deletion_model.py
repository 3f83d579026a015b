"""Storing, deleting, restoring, purging, rebuilding and killing at random, held to a model."""

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from isocenter.archive.archive import Archive
from isocenter.archive.maintenance import reindex, verify
from isocenter.archive.outcome import Disposition
from isocenter.archive.workflow import Workflow
from tests.archive.deletion.deleting import desk
from tests.archive.storing import (
    announcement,
    data_set,
    send,
    sop_instance_uid,
    stored_bytes,
)

NUMBERS = range(1, 7)
STUDIES = {number: 1 + number % 2 for number in NUMBERS}
SIZES = (8, 2000)  # two objects that may come under one UID

numbers = st.sampled_from(NUMBERS)


def content(number: int, size: int) -> bytes:
    return data_set(number, study=STUDIES[number], pixels=size)


class Deleting(RuleBasedStateMachine):
    """What the archive holds is a size by number; so is what each deletion has taken."""

    def __init__(self) -> None:
        super().__init__()
        self.top = Path(tempfile.mkdtemp(prefix="deleting-"))
        self.folder = self.top / "0"
        self.open_desk = ExitStack()
        self.held: dict[int, int] = {}
        self.taken: dict[int, dict[int, int]] = {}
        self.requested: dict[int, dict[int, int]] = {}
        Archive(self.folder).close()
        Workflow(self.folder / "workflow.sqlite").close()
        self.open()

    def open(self) -> None:
        self.at = self.open_desk.enter_context(desk(self.folder))

    def teardown(self) -> None:
        self.open_desk.close()
        assert verify(self.folder).problems == []
        shutil.rmtree(self.top)

    @rule(number=numbers, size=st.sampled_from(SIZES))
    def store(self, number: int, size: int) -> None:
        outcome = send(
            self.at.archive, content(number, size), announcement(sop_instance_uid(number))
        )
        if number not in self.held:
            assert outcome.disposition is Disposition.STORED
            self.held[number] = size
        elif self.held[number] == size:
            assert outcome.disposition is Disposition.DUPLICATE
        else:
            assert outcome.disposition is Disposition.QUARANTINED

    @rule(some=st.sets(numbers, min_size=1, max_size=4))
    def delete_instances(self, some: set[int]) -> None:
        deletion = self.at.delete_instances(*some)
        self.take(deletion.id, some)

    @rule(study=st.sampled_from((1, 2)))
    def delete_study(self, study: int) -> None:
        deletion = self.at.delete(f"1.2.3.{study}")
        self.take(deletion.id, {n for n in NUMBERS if STUDIES[n] == study})

    def take(self, number: int, some: set[int]) -> None:
        self.taken[number] = {n: self.held.pop(n) for n in some if n in self.held}

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.taken)))
        back = self.taken.pop(number)
        conflicts = sum(n in self.held and self.held[n] != size for n, size in back.items())
        assert self.at.restore(number).conflicts == conflicts
        self.held = back | self.held

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def purge(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.taken)))
        self.at.purge(number)
        del self.taken[number]

    @rule()
    def rebuild_the_index(self) -> None:
        self.open_desk.close()
        assert reindex(self.folder).problems == []
        self.open()

    @rule()
    def kill(self) -> None:
        """The folder as it is now, opened anew; what is still running ends elsewhere."""
        following = self.top / str(int(self.folder.name) + 1)
        shutil.copytree(self.folder, following)
        self.open_desk.close()
        shutil.rmtree(self.folder)
        self.folder = following
        self.open()

    @invariant()
    def the_archive_holds_what_the_model_holds(self) -> None:
        for number in NUMBERS:
            size = self.held.get(number)
            expected = None if size is None else content(number, size)
            assert stored_bytes(self.at.archive, number) == expected


@pytest.mark.parametrize(
    "examples",
    [6, pytest.param(150, marks=[pytest.mark.slow, pytest.mark.timeout(900)])],
)
def test_the_archive_does_what_the_model_does(examples: int) -> None:
    run_state_machine_as_test(
        Deleting, settings=settings(max_examples=examples, stateful_step_count=15)
    )
