"""A node of several processes: who gets a connection, who is replaced, how everything stops."""

import asyncio
import os
import signal
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from structlog.testing import capture_logs

from isocenter.server import supervisor as module
from isocenter.server import worker as worker_module
from isocenter.server.config import Config
from isocenter.server.reception import Arrival
from isocenter.server.supervisor import Supervisor, WorkersFailed, supervise
from isocenter.server.worker import ASSOCIATED, ENDED, MESSAGE, SERVE, TURN_AWAY
from isocenter.upperlayer.pdu import AssociateAC
from tests.server.support import ECHO, STORE, Peer, associate_rq, echo_seconds, store_all
from tests.server.support_crashes import Sender, check_senders, sending, wait_for_everyone
from tests.server.support_instances import instance
from tests.server.support_nodes import (
    assert_all_there,
    configured,
    eventually,
    log_lines,
    wait_until_all_serve,
    wait_until_evenly_served,
    worker_of,
    workers,
)
from tests.support.node import ISOCENTER, Node

ASSOCIATE = associate_rq(ECHO, STORE).encode()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Node]:
    """A node with two workers that both serve."""
    options = configured(tmp_path, "[limits]\nshutdown_timeout = 3\n[workers]\ncount = 2\n")
    with Node(tmp_path / "data", *options) as node:
        wait_until_evenly_served(node, 2)
        yield node


def test_associations_are_spread_evenly(pair: Node):
    with ExitStack() as stack:
        peers = [stack.enter_context(Peer.associated(pair.port, ECHO)) for _ in range(16)]
        assert Counter(worker_of(pair, peer.name) for peer in peers) == {0: 8, 1: 8}
        # Half of those on one worker leave: the next ones go there.
        leaving = [peer for peer in peers if worker_of(pair, peer.name) == 0][:4]
        for peer in leaving:
            assert peer.released()
            peer.socket.close()

        def next_goes_to_the_idle_one() -> bool:
            with Peer.associated(pair.port, ECHO) as probe, Peer.associated(pair.port, ECHO) as two:
                return {worker_of(pair, probe.name), worker_of(pair, two.name)} == {0}

        eventually(next_goes_to_the_idle_one)


def test_what_one_worker_stored_the_other_finds_and_knows(pair: Node):
    """Both see one archive: the same object through either is a repetition."""
    one = instance("1.2.3.80.1")
    with ExitStack() as stack:
        # The fixture's own associations may still be counted when these are given to a worker.
        peers = [stack.enter_context(Peer.associated(pair.port, STORE)) for _ in range(2)]
        by_worker = {worker_of(pair, peer.name): peer for peer in peers}

        def both_serve_one() -> bool:
            peer = stack.enter_context(Peer.associated(pair.port, STORE))
            by_worker.setdefault(worker_of(pair, peer.name), peer)
            return len(by_worker) == 2

        assert len(by_worker) == 2 or eventually(both_serve_one)
        for peer in by_worker.values():
            assert peer.store(one).status == 0
    pair.stop()
    assert_all_there(pair.data, [one])


def test_a_worker_that_is_killed_is_replaced(pair: Node):
    before = workers(pair)
    with ExitStack() as stack:
        peers = [stack.enter_context(Peer.associated(pair.port, ECHO)) for _ in range(6)]
        before[0].kill()
        eventually(lambda: log_lines(pair, "a worker died and is replaced"))
        (line,) = log_lines(pair, "a worker died and is replaced")
        victim = int(line.partition("worker=")[2].split()[0])
        assert "exit_code=-9" in line
        assert "associations=3" in line
        for peer in peers:
            if worker_of(pair, peer.name) == victim:
                assert peer.read() is None
            else:
                assert peer.echo() == 0
        echo_seconds(pair.port)
    wait_until_all_serve(pair, 2)
    assert len({worker.pid for worker in workers(pair)} & {worker.pid for worker in before}) == 1
    assert pair.stop(trouble_expected=True) == 0


def test_a_worker_that_hangs_keeps_nobody_else_waiting(pair: Node):
    """Strangers that are handed to the other worker are served; the node stops all the same."""
    hanging = workers(pair)[0]
    hanging.suspend()
    try:
        with ExitStack() as stack:
            served = 0
            for _ in range(6):
                peer = stack.enter_context(Peer(pair.port))
                peer.send(ASSOCIATE)
                peer.socket.settimeout(1)
                try:
                    served += peer.read() is not None
                except TimeoutError:
                    continue
            assert served == 3
    finally:
        hanging.resume()


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_stopping_aborts_what_does_not_end_and_leaves_no_process(
    tmp_path: Path, count: int, by: signal.Signals
):
    options = configured(
        tmp_path, f"[limits]\nshutdown_timeout = 1.5\n[workers]\ncount = {count}\n"
    )
    stored, torn = instance("1.2.3.81.1"), instance("1.2.3.81.2", pixels=500_000)
    with Node(tmp_path / "data", *options) as node:
        wait_until_all_serve(node, count) if count > 1 else None
        assert store_all(node.port, [stored]) == [0]
        family = [psutil.Process(node.process.pid), *workers(node)]
        with (
            Peer.associated(node.port, ECHO) as idle,
            Peer.associated(node.port, STORE) as busy,
            Peer(node.port) as silent,
        ):
            busy.begin_store(torn)
            assert node.stop(by) == 0
            assert idle.aborted() == (0, 0)
            assert busy.aborted() == (0, 0)
            assert silent.read() is None
        psutil.wait_procs(family, 5)
        assert not any(process.is_running() for process in family)
    assert_all_there(tmp_path / "data", [stored])


@pytest.mark.parametrize("count", [1, 2])
def test_an_object_under_way_may_finish_while_the_node_stops(tmp_path: Path, count: int):
    one = instance("1.2.3.82.1", pixels=500_000)
    with Node(tmp_path / "data", "--workers", str(count)) as node:
        with Peer.associated(node.port, STORE) as peer:
            peer.begin_store(one)
            stopping = threading.Thread(target=node.stop)
            stopping.start()
            eventually(lambda: log_lines(node, "event=stopping"))
            peer.data_set(1, one.data_set)
            assert peer.read_store_response().status == 0
            assert peer.released()
        stopping.join()
    assert_all_there(tmp_path / "data", [one])


@pytest.mark.parametrize("count", [1, 2])
def test_an_impatient_second_ctrl_c_loses_nothing(tmp_path: Path, count: int):
    """A terminal sends SIGINT to every process of the node, as often as the key is pressed."""
    options = configured(tmp_path, f"[limits]\nshutdown_timeout = 1\n[workers]\ncount = {count}\n")
    with (
        Node(tmp_path / "data", *options) as node,
        sending(83 + count, 3, lambda: node.port) as senders,
    ):
        wait_for_everyone(senders)
        for _ in range(4):
            for process in [psutil.Process(node.process.pid), *workers(node)]:
                process.send_signal(signal.SIGINT)
            eventually(lambda: log_lines(node, "event=stopping"))
        assert node.process.wait(30) == 0
        finish(senders)
        assert "Traceback" not in node.log()
        node.stop()
    check_senders(tmp_path / "data", senders)


def finish(senders: list[Sender]) -> None:
    for sender in senders:
        sender.stop()


def test_workers_stop_by_themselves_when_the_supervisor_is_killed(pair: Node):
    orphans = workers(pair)
    with Peer.associated(pair.port, STORE) as peer:
        one = instance("1.2.3.84.1")
        assert peer.store(one).status == 0
        pair.kill()
        gone, alive = psutil.wait_procs(orphans, 20)
        assert len(gone) == 2
        assert not alive
    with Node(pair.data):
        pass
    assert_all_there(pair.data, [one])


def test_orphaned_workers_and_a_new_node_do_not_write_at_once(pair: Node):
    """Started again at once, as a service manager does: nothing acknowledged may be lost."""
    with sending(85, 3, lambda: pair.port) as senders:
        wait_for_everyone(senders)
        pair.kill()
        refusals = 0
        again = None
        while again is None:
            try:
                again = Node(pair.data)
            except AssertionError as refusal:
                assert "Another process has the archive" in str(refusal)  # noqa: PT017
                refusals += 1
                assert refusals < 40
        finish(senders)
        assert again.stop(trouble_expected=True) == 0  # the orphans write to the same log
    # Whether there was a refusal depends on who is faster: an orphan to end, or a node to start.
    # Orphans that cannot reach the index refuse with A700; what they acknowledged counts.
    assert_all_there(pair.data, [one for sender in senders for one in sender.acknowledged])


def test_a_node_whose_workers_cannot_start_can_be_stopped(tmp_path: Path):
    """The workers find a file where their folder should be, again and again."""
    data = tmp_path / "data"
    (data / "open").mkdir(parents=True)
    (data / "open" / "0").write_text("in the way")
    (data / "open" / "1").write_text("in the way")
    serve = [str(ISOCENTER), "serve", "--port", "0", "--workers", "2", "--data", str(data)]
    log = tmp_path / "log"
    with log.open("wb") as output:
        node = subprocess.Popen(serve, stdout=output, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: b"a worker died" in log.read_bytes())
        node.terminate()
        assert node.wait(15) == 0
    finally:
        node.kill()
        node.wait()


def test_a_node_whose_workers_never_start_ends_with_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "START_ATTEMPTS", 1)
    data = tmp_path / "data"
    (data / "open").mkdir(parents=True)
    (data / "open" / "0").write_text("in the way")
    (data / "open" / "1").write_text("in the way")
    config = Config.model_validate(
        {"node": {"data_directory": data}, "listen": {"port": 0}, "workers": {"count": 2}}
    )
    with pytest.raises(WorkersFailed, match="None of the node's workers can start"):
        supervise(config)


def test_limits_hold_for_all_workers_together(tmp_path: Path):
    """Eight from one address, four on each worker; the ninth is turned away until one ends."""
    toml = "[limits]\nassociations_per_peer = 8\n[workers]\ncount = 2\n"
    with Node(tmp_path / "data", *configured(tmp_path, toml)) as node, ExitStack() as stack:
        wait_until_all_serve(node, 2)

        def served() -> Peer | None:
            peer = stack.enter_context(Peer(node.port))
            peer.send(ASSOCIATE)
            if isinstance(peer.read(), AssociateAC):
                return peer
            peer.socket.close()
            return None

        # Those that came before may still be counted.
        peers = [eventually(served) for _ in range(8)]
        assert not served()
        assert peers[0] is not None
        assert peers[0].released()
        peers[0].socket.close()
        assert eventually(served)
        assert node.stop(trouble_expected=True) == 0


# Without processes: what a real worker does too seldom


class FakeWorker:
    """A worker of which the test plays the part."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.load, self.ready = 0, True
        self.connections: set[int] = set()
        self.given: list[tuple[str, bytes]] = []
        self.control, self.theirs = socket.socketpair()
        self.dying, self.alive = os.pipe()
        self.process = SimpleNamespace(sentinel=self.dying, exitcode=-9, join=self.join)

    def join(self) -> None:
        assert self.alive < 0, "the loop would wait for a worker that is still dying"

    def end(self) -> None:
        os.close(self.alive)
        self.alive = -1

    def hear(self, _admission: object) -> bool:
        return False

    def close(self) -> None:
        self.control.close()
        self.theirs.close()
        os.close(self.dying)
        if self.alive >= 0:
            self.end()


def config_of_two() -> Config:
    return Config.model_validate({"workers": {"count": 2}})


def test_a_worker_that_cannot_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "RESTART_SECONDS", 0.0)
    fakes: list[FakeWorker] = []
    tries = 0

    def start(_config: Config, number: int, *_: object) -> FakeWorker:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise OSError(24, "Too many open files")
        fakes.append(FakeWorker(number))
        return fakes[-1]

    async def scene() -> None:
        supervisor: Any = Supervisor(config_of_two(), None, 0)  # type: ignore[arg-type]
        supervisor._start(1)
        while not fakes:
            await asyncio.sleep(0)
        asyncio.get_running_loop().remove_reader(fakes[0].control)

    monkeypatch.setattr(module, "WorkerHandle", start)
    with capture_logs() as lines:
        asyncio.run(asyncio.wait_for(scene(), 20))
    assert [line["event"] for line in lines] == ["a worker could not be started"] * 3
    assert fakes[0].number == 1
    fakes[0].close()


def test_nobody_waits_for_a_worker_that_is_long_in_dying(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "RESTART_SECONDS", 0.0)
    fakes: list[FakeWorker] = []

    def start(_config: Config, number: int, *_: object) -> FakeWorker:
        fakes.append(FakeWorker(number))
        return fakes[-1]

    async def scene() -> None:
        supervisor: Any = Supervisor(config_of_two(), None, 0)  # type: ignore[arg-type]
        supervisor._start(0)
        fakes[0].theirs.close()
        while fakes[0].control.fileno() >= 0:
            await asyncio.sleep(0)
        assert len(fakes) == 1
        fakes[0].end()
        while len(fakes) < 2:
            await asyncio.sleep(0)
        asyncio.get_running_loop().remove_reader(fakes[1].control)

    monkeypatch.setattr(module, "WorkerHandle", start)
    asyncio.run(asyncio.wait_for(scene(), 20))
    for fake in fakes:
        fake.close()


class WorkerScene:
    """A worker's side of the control socket, with a node that does nothing."""

    def __init__(self, take: Any) -> None:
        self.supervisor, control = socket.socketpair()
        self.supervisor.setblocking(False)
        control.setblocking(False)
        self.control = control
        self.worker: Any = worker_module._Worker(config_of_two(), 0, control)
        self.worker._loop = asyncio.get_running_loop()
        self.worker._stop = asyncio.Event()
        self.worker._node = SimpleNamespace(take=take)

    async def told(self, count: int) -> list[tuple[bytes, int, int]]:
        loop = asyncio.get_running_loop()
        heard = b""
        while len(heard) < count * MESSAGE.size:
            heard += await loop.sock_recv(self.supervisor, 1 << 20)
        return list(MESSAGE.iter_unpack(heard))

    def close(self) -> None:
        self.worker._loop.remove_writer(self.control)
        self.control.close()
        self.supervisor.close()


def test_what_a_busy_supervisor_could_not_be_told_is_told_later():
    async def scene() -> None:
        worker = WorkerScene(None)
        count = 200_000  # more than the socket holds
        for number in range(count):
            worker.worker._tell(ENDED, number)
        assert worker.worker._untold
        assert not worker.worker._stop.is_set()
        told = await worker.told(count)
        assert told == [(ENDED, number, 0) for number in range(count)]
        worker.close()

    asyncio.run(asyncio.wait_for(scene(), 60))


def test_a_connection_without_its_descriptor_is_told_to_have_ended():
    async def scene() -> None:
        worker = WorkerScene(None)
        worker.supervisor.send(MESSAGE.pack(SERVE, 7, 0))  # as the kernel delivers it under EMFILE
        with capture_logs() as lines:
            worker.worker._take_connection()
        assert await worker.told(1) == [(ENDED, 7, 0)]
        assert lines[0]["event"] == "a connection was lost for want of file descriptors"
        worker.close()

    asyncio.run(asyncio.wait_for(scene(), 20))


def test_a_connection_is_told_to_have_ended_once_and_by_its_number():
    async def scene() -> None:
        taken: list[Arrival] = []
        worker = WorkerScene(taken.append)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            for number, wish in ((1, SERVE), (2, TURN_AWAY)):
                with socket.create_connection(listener.getsockname()), listener.accept()[0] as ours:
                    message = MESSAGE.pack(wish, number, 0)
                    socket.send_fds(worker.supervisor, [message], [ours.fileno()])
                    worker.worker._take_connection()
        assert [(one.listener, one.host, one.crowded) for one in taken] == [
            ("listen", "127.0.0.1", False),
            ("listen", "127.0.0.1", True),
        ]
        taken[0].accepted()
        assert await worker.told(1) == [(ASSOCIATED, 1, 0)]
        for number in (2, 1):
            for _ in range(2):
                taken[number - 1].close()
            assert await worker.told(1) == [(ENDED, number, 0)]
        worker.close()

    asyncio.run(asyncio.wait_for(scene(), 20))
