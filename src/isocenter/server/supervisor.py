"""A node of several network processes: accepts connections, hands each to the least loaded worker.

DICOM has few and long associations, so the kernel's way of spreading connections by hashing would
leave workers idle; counting them does not. The supervisor also holds the index writer, which all
workers share, and replaces a worker that dies.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
from collections import deque
from contextlib import ExitStack
from multiprocessing.process import BaseProcess

import structlog

from isocenter.archive.archive import locked, require_index
from isocenter.archive.index import Index
from isocenter.archive.index.remote import IndexService
from isocenter.archive.layout import INDEX_FILE, make_archive_folder
from isocenter.archive.recovery import recover_archive
from isocenter.errors import IsocenterError
from isocenter.server.admission import Admission
from isocenter.server.audit_keeper import audit_kept
from isocenter.server.config import Config
from isocenter.server.listening import Listeners, OnListening
from isocenter.server.running import (
    log_loop_error,
    open_workflow,
    release_jobs,
    signals_held,
    stop_requested,
)
from isocenter.server.worker import (
    ASSOCIATED,
    CLOSE,
    ENDED,
    LOCK,
    MESSAGE,
    READY,
    SERVE,
    TURN_AWAY,
    run_worker,
)

RESTART_SECONDS = 1.0
"""How long a worker that died is left dead, lest a crash at start becomes a busy loop."""

START_ATTEMPTS = 3
"""How often each worker is started before a node of which none has ever served gives up."""

EXTRA_SECONDS = 10.0
"""What a worker may need to seal its packs, beyond the time its associations get."""

log = structlog.get_logger(__name__)


Handed = tuple[int, int]
"""A connection by the number of its worker and by its own."""


class WorkersFailed(IsocenterError):
    """None of a node's workers can start."""


class WorkerHandle:
    """A worker process as its supervisor sees it."""

    def __init__(self, config: Config, number: int, index: Index, lock: int) -> None:
        self.number = number
        self.ready = False
        self.connections: set[int] = set()  # their numbers
        self._handed_over = 0
        self._to_close: deque[int] = deque()
        self._heard = bytearray()
        context = multiprocessing.get_context("spawn")
        self.control, theirs = socket.socketpair()
        with theirs, ExitStack() as on_failure:
            on_failure.callback(self.control.close)
            self.control.setblocking(False)
            # Should this process be killed, no other may write until the worker has ended, too.
            socket.send_fds(self.control, [LOCK], [lock])
            pipe, their_pipe = context.Pipe()
            with their_pipe:
                self.service = IndexService(index.writer, pipe)
                self.process: BaseProcess = context.Process(
                    target=run_worker,
                    args=(config, number, theirs, their_pipe),
                    name=f"worker-{number}",
                )
                with signals_held():
                    self.process.start()
            on_failure.pop_all()

    @property
    def load(self) -> int:
        """How many connections it has."""
        return len(self.connections)

    def hand_over(self, connection: socket.socket, wish: bytes, listener: int) -> int | None:
        """Give the worker a connection; return its number, None if it could not be taken."""
        number = (self._handed_over + 1) % 2**32
        message = MESSAGE.pack(wish, number, listener)
        try:
            socket.send_fds(self.control, [message], [connection.fileno()])
        except OSError:
            return None
        self._handed_over = number
        self.connections.add(number)
        return number

    def close(self, number: int) -> None:
        """Have a connection closed, as soon as the worker is not too busy to hear of it."""
        self._to_close.append(number)
        self._tell_to_close()

    def _tell_to_close(self) -> None:
        while self._to_close:
            try:
                self.control.send(MESSAGE.pack(CLOSE, self._to_close[0], 0))
            except OSError:  # it will hear of it when it has said something itself
                return
            self._to_close.popleft()

    def hear(self, admission: Admission[Handed]) -> bool:
        """Take in what the worker says; return whether it is still there."""
        try:
            said = self.control.recv(4096)
        except BlockingIOError:
            return True
        except OSError:
            said = b""
        self._heard += said
        whole = len(self._heard) // MESSAGE.size * MESSAGE.size
        for what, number, _ in MESSAGE.iter_unpack(bytes(self._heard[:whole])):
            if what == READY:
                self.ready = True
            elif what == ASSOCIATED:
                admission.associated((self.number, number))
            elif what == ENDED:
                self.connections.discard(number)
                admission.closed((self.number, number))
        del self._heard[:whole]
        self._tell_to_close()
        return bool(said)


class Supervisor:
    """Runs the workers of a node and spreads connections over them."""

    def __init__(self, config: Config, index: Index, lock: int) -> None:
        self._config = config
        self._index = index
        self._lock = lock
        self._loop = asyncio.get_running_loop()
        self._listeners = list(config.all_listeners)
        self._workers: dict[int, WorkerHandle] = {}
        self._admission: Admission[Handed] = Admission(config.limits, self._loop.time)
        self._ready = asyncio.Event()
        self._gave_up = asyncio.Event()
        self._failures = 0
        self._stopping = False

    async def run(self, listeners: Listeners, on_listening: OnListening | None) -> None:
        """Serve until SIGINT or SIGTERM. Raises WorkersFailed."""
        stop = stop_requested(self._loop)
        for number in range(self._config.workers.count):
            self._start(number)
        events = (self._ready, stop, self._gave_up)
        waits = [self._loop.create_task(event.wait()) for event in events]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if self._ready.is_set() and not stop.is_set():
            await self._serve_until(waits[1], listeners, on_listening)
        for wait in waits:
            wait.cancel()
        await self._stop()
        if self._gave_up.is_set() and not stop.is_set():
            raise WorkersFailed(
                f"None of the node's workers can start, tried {START_ATTEMPTS} times each; "
                "the log says why."
            )

    async def _serve_until(
        self,
        stopped: asyncio.Task[bool],
        listeners: Listeners,
        on_listening: OnListening | None,
    ) -> None:
        listeners.listen()
        accepting = listeners.accept(self._take)
        if on_listening is not None:
            on_listening(listeners.ports)
        await stopped
        for task in accepting:
            task.cancel()
        await asyncio.gather(*accepting, return_exceptions=True)

    def _take(self, listener: str, connection: socket.socket, host: str) -> bool:
        """Hand a connection over; False where all workers are too busy to be told of it."""
        if not self._assigned(listener, connection, host):
            return False
        connection.close()  # ours: the worker has its own
        return True

    def _assigned(self, listener: str, connection: socket.socket, host: str) -> bool:
        wish = TURN_AWAY if self._admission.is_crowded(host) else SERVE
        ready = [worker for worker in self._workers.values() if worker.ready]
        for worker in sorted(ready, key=lambda worker: worker.load):
            number = worker.hand_over(connection, wish, self._listeners.index(listener))
            if number is not None:
                self._admit(worker.number, number, host)
                return True
        if ready:
            return False
        log.error("no worker could take a connection")
        return True

    def _admit(self, worker: int, number: int, host: str) -> None:
        expelled = self._admission.connected((worker, number), host)
        if expelled is not None:
            of, number = expelled
            self._workers[of].close(number)

    def _start(self, number: int) -> None:
        if self._stopping:
            return
        try:
            worker = WorkerHandle(self._config, number, self._index, self._lock)
        except (OSError, MemoryError, RuntimeError) as error:  # no descriptor, memory or thread
            log.error("a worker could not be started", worker=number, error=error)
            self._start_again(number, failed=True)
            return
        self._workers[number] = worker
        self._loop.add_reader(worker.control, self._hear, worker)

    def _start_again(self, number: int, *, failed: bool) -> None:
        self._failures += failed
        if (
            not self._ready.is_set()
            and self._failures >= START_ATTEMPTS * self._config.workers.count
        ):
            self._gave_up.set()
        else:
            self._loop.call_later(RESTART_SECONDS, self._start, number)

    def _hear(self, worker: WorkerHandle) -> None:
        if not worker.hear(self._admission):
            self._lost(worker)
        elif worker.ready:
            self._ready.set()

    def _lost(self, worker: WorkerHandle) -> None:
        self._loop.remove_reader(worker.control)
        worker.control.close()
        if not self._stopping:
            # It may be long in dying, which nobody else shall wait for.
            self._loop.add_reader(worker.process.sentinel, self._bury, worker)

    def _bury(self, worker: WorkerHandle) -> None:
        self._loop.remove_reader(worker.process.sentinel)
        if self._stopping:
            return
        worker.process.join()
        log.error(
            "a worker died and is replaced",
            worker=worker.number,
            exit_code=worker.process.exitcode,
            associations=worker.load,
        )
        was_ready, worker.ready = worker.ready, False
        for number in worker.connections:
            self._admission.closed((worker.number, number))
        worker.connections.clear()
        self._start_again(worker.number, failed=not was_ready)

    async def _stop(self) -> None:
        self._stopping = True
        log.info("stopping", associations=sum(w.load for w in self._workers.values()))
        for worker in self._workers.values():
            if worker.process.is_alive():
                worker.process.terminate()
        patience = self._config.limits.shutdown_timeout + EXTRA_SECONDS
        for worker in self._workers.values():
            await self._loop.run_in_executor(None, worker.process.join, patience)
            if worker.process.is_alive():
                log.error("a worker did not stop and is killed", worker=worker.number)
                worker.process.kill()
            if worker.control.fileno() >= 0:
                self._loop.remove_reader(worker.control)
                worker.control.close()


def supervise(config: Config, on_listening: OnListening | None = None) -> None:
    """Run a node of several processes until SIGINT or SIGTERM; see `serve`."""
    folder = config.node.data_directory
    make_archive_folder(folder)
    with (
        Listeners(config) as listeners,
        locked(folder) as lock,
    ):
        require_index(folder)
        with Index.open(folder / INDEX_FILE) as index:
            recover_archive(folder, index)
            with open_workflow(config, required=False) as workflow:
                release_jobs(workflow)
            with audit_kept(config):
                asyncio.run(_supervise(config, index, lock, listeners, on_listening))


async def _supervise(
    config: Config,
    index: Index,
    lock: int,
    listeners: Listeners,
    on_listening: OnListening | None,
) -> None:
    asyncio.get_running_loop().set_exception_handler(log_loop_error)
    await Supervisor(config, index, lock).run(listeners, on_listening)
