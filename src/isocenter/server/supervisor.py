"""A node of several network processes: accepts connections, hands each to the least loaded worker.

DICOM has few and long associations, so the kernel's way of spreading connections by hashing would
leave workers idle; counting them does not. The supervisor also holds the index writer, which all
workers share, and replaces a worker that dies.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
from collections.abc import Callable
from multiprocessing.process import BaseProcess

import structlog

from isocenter.archive.archive import locked
from isocenter.archive.index import Index
from isocenter.archive.index.remote import IndexService
from isocenter.archive.layout import INDEX_FILE
from isocenter.archive.recovery import recover_archive
from isocenter.server.config import Config
from isocenter.server.running import bind, log_loop_error, stop_requested
from isocenter.server.worker import ENDED, LOCK, READY, SERVE, TURN_AWAY, run_worker

RESTART_SECONDS = 1.0
"""How long a worker that died is left dead, lest a crash at start becomes a busy loop."""

EXTRA_SECONDS = 10.0
"""What a worker may need to seal its packs, beyond the time its associations get."""

log = structlog.get_logger(__name__)


class WorkerHandle:
    """A worker process as its supervisor sees it."""

    def __init__(self, config: Config, number: int, index: Index, lock: int) -> None:
        self.number = number
        self.load = 0
        self.ready = False
        context = multiprocessing.get_context("spawn")
        self.control, theirs = socket.socketpair()
        self.control.setblocking(False)
        # Should this process be killed, no other may write until the worker has ended, too.
        socket.send_fds(self.control, [LOCK], [lock])
        pipe, their_pipe = context.Pipe()
        self.service = IndexService(index.writer, pipe)
        self.process: BaseProcess = context.Process(
            target=run_worker, args=(config, number, theirs, their_pipe), name=f"worker-{number}"
        )
        self.process.start()
        theirs.close()
        their_pipe.close()

    def hand_over(self, connection: socket.socket, wish: bytes) -> bool:
        """Give the worker a connection; say whether it could take it."""
        try:
            socket.send_fds(self.control, [wish], [connection.fileno()])
        except OSError:
            return False
        self.load += 1
        return True

    def close(self) -> None:
        """Forget a worker that has ended."""
        self.control.close()
        self.process.join()


class Supervisor:
    """Runs the workers of a node and spreads connections over them."""

    def __init__(self, config: Config, index: Index, lock: int) -> None:
        self._config = config
        self._index = index
        self._lock = lock
        self._loop = asyncio.get_running_loop()
        self._workers: dict[int, WorkerHandle] = {}
        self._ready = asyncio.Event()
        self._stopping = False

    async def run(
        self, listener: socket.socket, on_listening: Callable[[int], None] | None
    ) -> None:
        """Serve until SIGINT or SIGTERM."""
        stop = stop_requested(self._loop)
        for number in range(self._config.workers.count):
            self._start(number)
        waits = [self._loop.create_task(event.wait()) for event in (self._ready, stop)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            await self._serve_until(waits[1], listener, on_listening)
        waits[0].cancel()
        await self._stop()

    async def _serve_until(
        self,
        stopped: asyncio.Task[bool],
        listener: socket.socket,
        on_listening: Callable[[int], None] | None,
    ) -> None:
        listener.setblocking(False)
        listener.listen(self._config.listen.backlog)
        port = listener.getsockname()[1]
        log.info("listening", host=self._config.listen.host, port=port, workers=len(self._workers))
        if on_listening is not None:
            on_listening(port)
        accepting = self._loop.create_task(self._accept(listener))
        await stopped
        accepting.cancel()

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = await self._loop.sock_accept(listener)
            except OSError as error:  # out of file descriptors, say: others go on
                log.error("could not accept a connection", error=error.strerror)
                await asyncio.sleep(0.1)
                continue
            with connection:
                self._assign(connection)

    def _assign(self, connection: socket.socket) -> None:
        load = sum(worker.load for worker in self._workers.values())
        wish = SERVE if load < self._config.limits.associations else TURN_AWAY
        ready = [worker for worker in self._workers.values() if worker.ready]
        for worker in sorted(ready, key=lambda worker: worker.load):
            if worker.hand_over(connection, wish):
                return
        log.error("no worker could take a connection")

    def _start(self, number: int) -> None:
        if self._stopping:
            return
        worker = self._workers[number] = WorkerHandle(self._config, number, self._index, self._lock)
        self._loop.add_reader(worker.control, self._hear, worker)

    def _hear(self, worker: WorkerHandle) -> None:
        try:
            said = worker.control.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said:
            self._lost(worker)
            return
        if READY in said:
            worker.ready = True
            self._ready.set()
        worker.load -= said.count(ENDED)

    def _lost(self, worker: WorkerHandle) -> None:
        self._loop.remove_reader(worker.control)
        worker.close()
        if self._stopping:
            return
        log.error(
            "a worker died and is replaced",
            worker=worker.number,
            exit_code=worker.process.exitcode,
            associations=worker.load,
        )
        worker.ready, worker.load = False, 0
        self._loop.call_later(RESTART_SECONDS, self._start, worker.number)

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


def supervise(config: Config, on_listening: Callable[[int], None] | None = None) -> None:
    """Run a node of several processes until SIGINT or SIGTERM; see `serve`."""
    folder = config.node.data_directory
    folder.mkdir(parents=True, exist_ok=True)
    with (
        bind(config) as listener,
        locked(folder) as lock,
        Index.open(folder / INDEX_FILE) as index,
    ):
        recover_archive(folder, index)
        asyncio.run(_supervise(config, index, lock, listener, on_listening))


async def _supervise(
    config: Config,
    index: Index,
    lock: int,
    listener: socket.socket,
    on_listening: Callable[[int], None] | None,
) -> None:
    asyncio.get_running_loop().set_exception_handler(log_loop_error)
    await Supervisor(config, index, lock).run(listener, on_listening)
