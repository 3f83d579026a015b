"""Converting stored instances on the way out, in processes of their own.

Decoders are written in C and fed by strangers, and they take a processor's whole time, so none of
them runs in the process that serves the network. Each worker has a limit of memory and of time
per data set; one that dies or hangs costs that data set only, and another takes its place.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import IO

import structlog

from isocenter.errors import IsocenterError
from isocenter.server.config_services import TranscodingSection
from isocenter.server.transcoding_worker import READY, REQUEST, RESPONSE

WORKER = (sys.executable, "-m", "isocenter.server.transcoding_worker")

START_SECONDS = 60.0
"""How long a process may take until it is ready; that is not the time of a conversion."""

log = structlog.get_logger(__name__)


class ConversionFailed(IsocenterError):
    """A data set could not be converted; the text says why."""


class ConvertedDataSet:
    """A data set in its new transfer syntax; it lies in a file without a name until `close`."""

    def __init__(self, file: IO[bytes], dataset_length: int) -> None:
        self._file = file
        self.dataset_length = dataset_length
        self.close = file.close

    def read(self, start: int, size: int) -> bytes:
        """Return a part of it. Raises OSError."""
        return os.pread(self._file.fileno(), size, start)


class Transcoder:
    """The converting processes of one network process; they start when they are first needed.

    May be used from several threads at once; whoever finds all workers busy waits.
    """

    def __init__(
        self, folder: Path, limits: TranscodingSection, worker: Sequence[str] = WORKER
    ) -> None:
        self._folder = folder
        self._limits = limits
        self._command = worker
        self._free = threading.Semaphore(limits.workers)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._closed = False

    def convert(
        self, descriptor: int, offset: int, length: int, source_uid: str, target_uid: str
    ) -> ConvertedDataSet:
        """Convert the data set of `length` bytes at `offset` of an open file.

        Raises OSError, and ConversionFailed when it cannot be converted or the node stops.
        """
        request = REQUEST.pack(
            offset, length, self._limits.maximum_size, source_uid.encode(), target_uid.encode()
        )
        file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115
        try:
            converted = self._ask_a_worker(request, descriptor, file.fileno())
        except BaseException:
            file.close()
            raise
        return ConvertedDataSet(file, converted)

    def close(self) -> None:
        """End every worker; conversions under way fail."""
        with self._lock:
            self._closed = True
            workers = list(self._all)
            self._all.clear()
            self._idle.clear()
        for worker in workers:
            worker.kill()

    def _ask_a_worker(self, request: bytes, source: int, target: int) -> int:
        with self._free:
            worker = self._take()
            try:
                done, length, why = worker.ask(request, source, target, self._limits.time_limit)
            except ConversionFailed as error:
                self._give_up(worker)
                if self._closed:
                    raise ConversionFailed("The node stops") from error
                log.warning("a converting process was lost", why=str(error))
                raise
            except BaseException:
                self._give_up(worker)
                raise
            self._give_back(worker)
        if not done:
            raise ConversionFailed(why)
        return length

    def _take(self) -> _Worker:
        with self._lock:
            if self._closed:
                raise ConversionFailed("The node stops")
            while self._idle:
                worker = self._idle.pop()
                if worker.is_alive():
                    return worker
                self._all.discard(worker)
                worker.kill()
            worker = _Worker(self._command, self._limits)
            self._all.add(worker)
            return worker

    def _give_back(self, worker: _Worker) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(worker)

    def _give_up(self, worker: _Worker) -> None:
        with self._lock:
            self._all.discard(worker)
        worker.kill()


class _Worker:
    """One converting process and our end of its socket."""

    def __init__(self, command: Sequence[str], limits: TranscodingSection) -> None:
        self._ready = False
        self._socket, theirs = socket.socketpair()
        numbers = (theirs.fileno(), limits.memory_limit, ceil(limits.time_limit))
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [*command, *map(str, numbers)],
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,  # decoders' complaints may quote what they read
                    env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
                )
        except OSError:
            self._socket.close()
            raise

    def is_alive(self) -> bool:
        """Whether it still runs: the kernel may have ended it, idle, when memory ran short."""
        return self._process.poll() is None

    def ask(
        self, request: bytes, source: int, target: int, seconds: float
    ) -> tuple[bool, int, str]:
        """Have one data set converted: whether it was, the length of the result, else why not.

        Raises ConversionFailed when the process is lost over it.
        """
        try:
            self._await_start()
            self._socket.settimeout(seconds)
            socket.send_fds(self._socket, [request], [source, target])
            answer = self._socket.recv(RESPONSE.size, socket.MSG_WAITALL)
        except TimeoutError as error:
            raise ConversionFailed(f"Took longer than {seconds:g} s") from error
        except OSError as error:
            raise ConversionFailed("The converting process died") from error
        if len(answer) < RESPONSE.size:
            raise ConversionFailed("The converting process died")
        done, length, why = RESPONSE.unpack(answer)
        return done, length, why.rstrip(b"\0").decode("utf-8", "replace")

    def _await_start(self) -> None:
        if not self._ready:
            self._socket.settimeout(START_SECONDS)
            self._ready = self._socket.recv(len(READY)) == READY

    def kill(self) -> None:
        """End the process, whatever it does."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # whoever waits for it notices
        self._process.kill()
        self._process.wait()
        self._socket.close()
