"""Running nodes with settings of a test's own, and what can be seen of them from outside."""

import re
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil

from isocenter.archive.index import IndexReader
from isocenter.archive.layout import INDEX_FILE, PACKS
from isocenter.archive.maintenance import verify
from tests.server.support import ECHO, Peer
from tests.server.support_instances import Instance, stored
from tests.support.node import Node, isocenter_json

PATIENCE = 15.0

T = TypeVar("T")


def configured(folder: Path, toml: str) -> tuple[str, str]:
    """The options that make `isocenter serve` read `toml`."""
    path = folder / "isocenter.toml"
    path.write_text(toml)
    return "-c", str(path)


def eventually(look: Callable[[], T], seconds: float = PATIENCE) -> T:
    """What `look` returns once it is true; tried again and again for a bounded time."""
    end = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < end, f"waited {seconds:g} s in vain; last seen: {seen!r}"
        time.sleep(0.02)  # only the pause between two tries
    return seen


def log_lines(node: Node, *words: str) -> list[str]:
    """The lines of the node's log in which all of `words` stand."""
    return [line for line in node.log().splitlines() if all(word in line for word in words)]


def only_complaint(node: Node, peer: str) -> str:
    """The one warning about `peer` (its address and port); there must be no second, no error."""

    def complaints() -> list[str]:
        return [
            line
            for line in log_lines(node, f"peer={peer} ") + log_lines(node, f"peer={peer}\n")
            if re.search(r"level=(warning|error|critical)", line)
        ]

    eventually(complaints)
    (line,) = complaints()
    assert "level=warning" in line
    return line


def assert_all_there(data: Path, acknowledged: list[Instance]) -> None:
    """Every instance is where the index says, byte for byte; `verify` and tar agree.

    The node that wrote the folder must have stopped.
    """
    reader = IndexReader(data / INDEX_FILE)
    try:
        for one in acknowledged:
            location = reader.locate(one.uid)
            assert location is not None, f"{one.uid} was acknowledged and is not in the index"
            with (data / PACKS / location.pack).open("rb") as pack:
                pack.seek(location.offset + location.dataset_offset)
                kept = pack.read(location.length - location.dataset_offset)
            assert kept == one.data_set, f"{one.uid} is not what was sent"
    finally:
        reader.close()
    in_packs = stored(data)
    assert {one.uid for one in acknowledged} <= in_packs.keys()
    assert verify(data).problems == []


def processes(node: Node) -> list[psutil.Process]:
    """The node's process and its workers."""
    return [psutil.Process(node.process.pid), *workers(node)]


def workers(node: Node) -> list[psutil.Process]:
    """The worker processes, without multiprocessing's resource tracker."""
    found = []
    for child in psutil.Process(node.process.pid).children():
        with suppress(psutil.Error):  # it has just ended
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def worker_of(node: Node, peer: str) -> int:
    """The number of the worker that serves an association, from the node's log."""
    lines = eventually(lambda: log_lines(node, "accepted an association", f"peer={peer} "))
    return int(lines[-1].partition("worker=")[2].split()[0])


def wait_until_all_serve(node: Node, count: int) -> None:
    """Returns when every one of `count` workers takes associations."""
    eventually(lambda: len(workers(node)) == count and len(_served(node, 4 * count)) == count)


def wait_until_evenly_served(node: Node, count: int) -> None:
    """The same for a node that nobody else uses: and none counts an association that has ended."""

    def evenly() -> bool:
        served = _served(node, count)
        eventually(lambda: connections(node) == 0)
        return len(served) == count

    wait_until_all_serve(node, count)
    eventually(lambda: connections(node) == 0)
    eventually(evenly)


def _served(node: Node, associations: int) -> set[int]:
    """The workers that serve so many associations made together."""
    with ExitStack() as stack:
        peers = [stack.enter_context(Peer.associated(node.port, ECHO)) for _ in range(associations)]
        return {worker_of(node, peer.name) for peer in peers}


def failures(node: Node) -> list[dict[str, Any]]:
    """What `isocenter explain` tells of the node."""
    found: list[dict[str, Any]] = isocenter_json("explain", "--data", node.data)
    return found


def open_files(node: Node) -> int:
    """File descriptors that the node holds."""
    return sum(process.num_fds() for process in processes(node))


def memory(node: Node) -> int:
    """Bytes that the node has resident."""
    return sum(process.memory_info().rss for process in processes(node))


def connections(node: Node) -> int:
    """Connections with peers that the node has not closed."""
    return sum(
        connection.status != psutil.CONN_LISTEN
        for process in processes(node)
        for connection in process.net_connections("tcp")
    )
