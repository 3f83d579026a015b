"""A worker's view of the index that another process writes."""

import threading
from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from isocenter.archive.index import Index, Outcome
from isocenter.archive.index import remote as module
from isocenter.archive.index.interface import WritableIndex
from isocenter.archive.index.remote import IndexService, RemoteIndex
from tests.archive.index.entries import an_entry


@pytest.fixture
def pipe() -> Iterator[tuple[Connection, Connection]]:
    one, other = Pipe()
    with one, other:
        yield one, other


def test_entries_go_there_and_outcomes_come_back(
    index: Index, tmp_path: Path, pipe: tuple[Connection, Connection]
) -> None:
    IndexService(index.writer, pipe[0])
    outcomes: list[Outcome] = []
    with RemoteIndex(tmp_path / "index.sqlite", pipe[1]) as remote:
        for entry in (an_entry(1), an_entry(2), an_entry(1, digest=8, offset=5)):
            remote.submit(entry, lambda _, outcome: outcomes.append(outcome))
        remote.flush(20)
        assert remote.locate("1.2.3.2") == index.locate("1.2.3.2") is not None
    assert outcomes == [Outcome.STORED, Outcome.STORED, Outcome.CONFLICT]


def test_that_the_writer_cannot_write_is_told_without_an_answer(
    pipe: tuple[Connection, Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_HEALTH_SECONDS", 0.01)
    writer = SimpleNamespace(healthy=True)
    IndexService(cast(WritableIndex, writer), pipe[0])
    for healthy in (False, True, False):
        writer.healthy = healthy
        assert pipe[1].poll(20), "the worker was told nothing"
        assert pipe[1].recv() == (healthy, [])
    assert not pipe[1].poll(0), "it was told what it knew"


def test_a_service_ends_with_its_worker(pipe: tuple[Connection, Connection]) -> None:
    before = set(threading.enumerate())
    IndexService(cast(WritableIndex, SimpleNamespace(healthy=True)), pipe[0])
    own = set(threading.enumerate()) - before
    pipe[1].close()
    for thread in own:
        thread.join(20)
    assert not any(thread.is_alive() for thread in own)
