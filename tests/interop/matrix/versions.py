"""The versions of the peers on this machine."""

import importlib.metadata
import json
import re
import shutil
import subprocess
from collections.abc import Sequence

from tests.support.dcmjs_dimse import PACKAGE
from tests.support.orthanc import PROGRAM_PATH


def versions() -> dict[str, str]:
    """Each program of the matrix and its version, or "not installed"."""
    return {
        "DCMTK": _said_by(["storescp", "--version"]),
        "GDCM": _said_by(["gdcmscu", "--version"]),
        "pynetdicom": _of_distribution("pynetdicom"),
        "dcmjs-dimse": _of_npm_package(),
        "Node.js": _said_by(["node", "--version"]),
        "Orthanc": _said_by(["Orthanc", "--version"]),
    }


def _said_by(command: Sequence[str]) -> str:
    program = shutil.which(command[0], path=PROGRAM_PATH)
    if program is None:
        return "not installed"
    said = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+[\w.]*", said.stdout + said.stderr)
    return found[0] if found else "unknown"


def _of_distribution(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _of_npm_package() -> str:
    try:
        return str(json.loads((PACKAGE / "package.json").read_text())["version"])
    except OSError:
        return "not installed"
