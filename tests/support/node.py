"""Isocenter itself as a real process: what a person gets who types `isocenter serve`."""

import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

from bench.sender import IMPLICIT_VR_LITTLE_ENDIAN, VERIFICATION, Client
from tests.support.processes import Server, free_port, run

ISOCENTER = Path(sys.executable).with_name("isocenter")
AE_TITLE = "ISOCENTER"

# What must never stand in the log of a node to which nothing bad was done.
_TROUBLE = re.compile(
    r"Traceback \(most recent|\b(ERROR|CRITICAL)\b|\[(error|critical) *\]"
    r"|level\W+(error|critical)|ResourceWarning|RuntimeWarning|never awaited|never retrieved"
)


class Node(Server):
    """A running `isocenter serve`, on a free port if none is given, with its data in `data`."""

    def __init__(self, data: Path, *options: str, port: int | None = None) -> None:
        data.parent.mkdir(parents=True, exist_ok=True)
        self.data = data
        self._stopped = False
        port = port or free_port()
        super().__init__(
            [ISOCENTER, "serve", "--port", str(port), "--data", data, *options],
            port,
            data.with_name(f"{data.name}.log"),
            cwd=data.parent,
            env=_environment(),
        )

    def _knock(self) -> None:
        """A node is ready once it answers C-ECHO."""
        client = Client(self.port, VERIFICATION, IMPLICIT_VR_LITTLE_ENDIAN, AE_TITLE)
        client.echo()
        client.release()

    def stop(self, by: signal.Signals = signal.SIGINT, *, trouble_expected: bool = False) -> int:
        """Stops the node as Ctrl-C does; it must end with 0 and have logged no trouble."""
        if self._stopped:
            return 0
        self._stopped = True
        status = super().stop(by)
        assert trouble_expected or status == 0, f"exit status {status}; it said:\n{self.log()}"
        trouble = None if trouble_expected else _TROUBLE.search(self.log())
        assert trouble is None, f"the node logged trouble:\n{self.log()}"
        return status

    def kill(self) -> None:
        """Ends the node as a power cut would: at once, with nothing flushed or said."""
        self.process.kill()
        self.process.wait()
        self._stopped = True


def _environment() -> dict[str, str]:
    """This process's environment without a configuration; warnings of leaks are shown."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("ISOCENTER_")}
    return ours | {"PYTHONWARNINGS": "always::ResourceWarning"}


def isocenter(*arguments: str | Path, timeout: float = 60):
    """Runs the command line to its end: `isocenter("echo", node.address)`."""
    return run([ISOCENTER, *arguments], timeout=timeout)


def isocenter_json(*arguments: str | Path) -> Any:
    """Runs the command line with --json; it must succeed, and its output is returned decoded."""
    done = run([ISOCENTER, *arguments, "--json"], merge=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)
