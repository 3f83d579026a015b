"""A kill between any two steps: nothing kept is lost, nothing deleted comes back by itself."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from isocenter.archive.index import IndexWriter
from isocenter.archive.maintenance import reindex, verify
from isocenter.archive.workflow.deletions import Deletions, DeletionState
from tests.archive.deletion.deleting import Desk, desk
from tests.archive.storing import (
    announcement,
    data_set,
    files_in,
    send,
    sop_instance_uid,
    store,
    stored_bytes,
)

DELETED, KEPT = (1, 2, 4), (3, 5)
STEPS = (
    (os, "fsync"),
    (os, "fdatasync"),
    (os, "pwrite"),
    (os, "pwritev"),
    (Path, "rename"),
    (Path, "unlink"),
    (Path, "rmdir"),
    (Path, "touch"),
    (IndexWriter, "submit"),
    (IndexWriter, "delete_records"),
    (IndexWriter, "forget_packs"),
    (IndexWriter, "forget_quarantined"),
    (IndexWriter, "forget_people"),
    (IndexWriter, "record_quarantine"),
    (Deletions, "change"),
    (Deletions, "begin_purge"),
    (Deletions, "over"),
)


every_step = pytest.mark.parametrize(
    "every", [7, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)


class Killed(BaseException):
    """What a kill looks like from inside."""


@contextmanager
def killed_before(step: int, folder: Path, copy: Path, monkeypatch) -> Iterator[list[str]]:
    """Let so many steps be done; keep what a kill would leave then, and end the course.

    Yields the names of the steps that were done.
    """
    done: list[str] = []

    def wrapped(owner: object, name: str) -> Callable[..., object]:
        real = getattr(owner, name)

        def take_step(*arguments: object, **options: object) -> object:
            if copy.exists():
                return real(*arguments, **options)
            if len(done) == step:
                shutil.copytree(folder, copy)
                raise Killed
            done.append(name)
            return real(*arguments, **options)

        return take_step

    with monkeypatch.context() as patched:
        for owner, name in STEPS:
            patched.setattr(owner, name, wrapped(owner, name))
        yield done


def prepare(at: Desk) -> None:
    """Two studies, of which one loses a part and the other all, and something in quarantine."""
    for number in (1, 2, 3):
        store(at.archive, number)
    store(at.archive, 4, study=2)
    store(at.archive, 5, study=3)
    send(at.archive, data_set(1, pixels=8), announcement(sop_instance_uid(1)))
    at.archive.index.flush()
    for study in (1, 2, 3):
        at.archive.seal_study(f"1.2.3.{study}")


def held(at: Desk) -> set[int]:
    """What the archive has; each must be what was sent."""
    contents = {number: stored_bytes(at.archive, number) for number in range(1, 6)}
    studies = {4: 2, 5: 3}
    for number, content in contents.items():
        assert content in (None, data_set(number, study=studies.get(number, 1)))
    return {number for number, content in contents.items() if content is not None}


def request(at: Desk) -> int:
    return at.request(*map(sop_instance_uid, DELETED), level="IMAGE")


def steps_of(tmp_path: Path, template: Path, monkeypatch, every: int) -> Iterator[tuple[int, Path]]:
    """What a kill before every so many-th step of deletion 1 leaves, one folder after the other."""
    step = 0
    while True:
        folder, copy = tmp_path / f"running-{step}", tmp_path / f"killed-{step}"
        shutil.copytree(template, folder)
        with desk(folder) as at, killed_before(step, folder, copy, monkeypatch):
            try:
                at.carry_out(1)
            except Killed:
                pass
            else:
                assert step > 5, "nothing was interrupted"
                return
        shutil.rmtree(folder)
        yield step, copy
        shutil.rmtree(copy)
        step += every


@every_step
def test_a_deletion_that_was_killed_goes_on(
    tmp_path: Path, folder: Path, monkeypatch, every: int
) -> None:
    with desk(folder) as at:
        prepare(at)
        request(at)
    hidden_since = None
    for step, copy in steps_of(tmp_path, folder, monkeypatch, every):
        with desk(copy) as at:
            there = held(at)
            assert there >= set(KEPT)
            if at.deletions.find(1).state is not DeletionState.REQUESTED:
                hidden_since = hidden_since or step
            if hidden_since is not None:
                assert there == set(KEPT)
            assert at.carry_out(1).state is DeletionState.TAKEN_OUT
            assert held(at) == set(KEPT)
            assert at.archive.index.list_quarantine() == []
            assert verify(copy).problems == []
            assert at.restore(1).conflicts == 0
            assert held(at) == {*KEPT, *DELETED}
            assert len(at.archive.index.list_quarantine()) == 1
    assert hidden_since is not None


@every_step
def test_a_restoration_that_was_killed_goes_on(
    tmp_path: Path, folder: Path, monkeypatch, every: int
) -> None:
    with desk(folder) as at:
        prepare(at)
        at.carry_out(request(at))
        assert at.deletions.want_back(1)
    for _, copy in steps_of(tmp_path, folder, monkeypatch, every):
        with desk(copy) as at:
            assert held(at) >= set(KEPT)
            assert at.carry_out(1).state is DeletionState.RESTORED
            assert held(at) == {*KEPT, *DELETED}
            assert len(at.archive.index.list_quarantine()) == 1
            assert files_in(copy / "trash") == []
        assert verify(copy).problems == []


@every_step
def test_a_purge_that_was_killed_goes_on(
    tmp_path: Path, folder: Path, monkeypatch, every: int
) -> None:
    with desk(folder) as at:
        prepare(at)
        at.carry_out(request(at))
        assert at.deletions.want_gone(1)
    for _, copy in steps_of(tmp_path, folder, monkeypatch, every):
        with desk(copy) as at:
            assert held(at) == set(KEPT)
            assert at.carry_out(1).state is DeletionState.PURGED
            assert held(at) == set(KEPT)
            assert files_in(copy / "trash") == []
        assert verify(copy).problems == []


@every_step
@pytest.mark.parametrize("what", ["delete", "restore"])
def test_a_new_index_after_a_kill_is_the_old_one(
    tmp_path: Path, folder: Path, monkeypatch, what: str, every: int
) -> None:
    with desk(folder) as at:
        prepare(at)
        request(at)
        if what == "restore":
            at.carry_out(1)
            at.deletions.want_back(1)
    for _, copy in steps_of(tmp_path, folder, monkeypatch, every):
        for file in copy.glob("index.sqlite*"):
            file.unlink()
        assert reindex(copy).problems == []
        with desk(copy) as at:
            there = held(at)
            assert there >= set(KEPT)
            if what == "delete" and at.deletions.find(1).state is not DeletionState.REQUESTED:
                assert there == set(KEPT)
            at.carry_out(1)
            expected = set(KEPT) if what == "delete" else {*KEPT, *DELETED}
            assert held(at) == expected
