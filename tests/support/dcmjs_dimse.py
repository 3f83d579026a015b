"""dcmjs-dimse as a peer: Node.js scripts in tests/interop/node, as client and as server."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import Server, free_port, require, run

_SCRIPTS = Path(__file__).parents[1] / "interop" / "node"
PACKAGE = _SCRIPTS / "node_modules" / "dcmjs-dimse"

AE_TITLE = "DCMJS"


def ask(port: int, operation: str, **parameters: Any) -> dict[str, Any]:
    """Runs one operation of `scu.mjs` against `port`; what it reports."""
    done = run([_node(), _SCRIPTS / "scu.mjs", str(port), operation, json.dumps(parameters)])
    assert done.returncode == 0, done.stdout
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def serve(folder: Path, *, port: int | None = None, **destinations: int) -> Server:
    """`scp.mjs`, keeping what it gets in `folder`; it may move to AE titles at ports."""
    program = _node()
    (folder / "received").mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    command = [program, _SCRIPTS / "scp.mjs", str(port), folder, json.dumps(destinations)]
    return Server(command, port, folder / "scp.log")


def _node() -> str:
    if not PACKAGE.is_dir():
        pytest.skip("dcmjs-dimse is not installed (`tools/peers` does so, with npm)")
    return require("node", "nodejs")
