"""Real programs as test peers: started, waited for, stopped, with their output kept."""

import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import pytest

PATIENCE = 30.0  # seconds until a program that says nothing counts as stuck


def free_port() -> int:
    """A TCP port of the loopback interface that was free a moment ago.

    Not one that the kernel gives to connections: a client that tries such a port again and again
    until somebody listens may one day be connected to itself.
    """
    while True:
        port = random.randrange(15000, 30000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def require(program: str, package: str, *, path: str | None = None) -> str:
    """The path of a foreign program; skips the test, saying what is missing, if there is none.

    `path` is where to look instead of PATH.
    """
    found = shutil.which(program, path=path)
    if found is None:
        pytest.skip(f"{program} is not installed (Debian package {package})")
    return found


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    merge: bool = True,
    timeout: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end; its output is text, with its errors in it unless told not to."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=env,
        timeout=timeout,
        check=False,
        encoding="utf-8",
        errors="replace",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merge else subprocess.PIPE,
    )


def run_module(module: str, *arguments: str | Path, timeout: float = 60):
    """Runs `python -m module ...` with this very Python."""
    return run([sys.executable, "-m", module, *arguments], timeout=timeout)


class Server:
    """A program that listens on `port`, until the `with` block ends; its output goes to `log`."""

    def __init__(
        self,
        command: Sequence[str | Path],
        port: int,
        log: Path,
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._wait_until_listening()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def log(self) -> str:
        """Everything the program has said so far."""
        return self._log.read_text("utf-8", errors="replace")

    def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Asks the program to end and returns its exit status; kills it if it does not listen."""
        if self.process.poll() is None:
            self.process.send_signal(by)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(
                f"{by.name} did not end the server; it said:\n{self.log()}"
            ) from None

    def _knock(self) -> None:
        """Returns if the program is ready for its clients; raises OSError if it is not yet."""
        socket.create_connection(("127.0.0.1", self.port), timeout=1).close()

    def _wait_until_listening(self) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(
                    f"the server ended with {self.process.returncode}; it said:\n{self.log()}"
                )
            try:
                self._knock()
            except OSError:
                time.sleep(0.02)  # only the pause between two tries
            else:
                return
        self.stop(signal.SIGKILL)
        raise AssertionError(f"nothing listens on port {self.port}; it said:\n{self.log()}")
