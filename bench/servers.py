"""The servers that are measured side by side: how each is started, and what it is called."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench import secure, sender

_PATIENCE = 30.0


@dataclass(frozen=True)
class Server:
    """One way to run one storage SCP; `command` gets the port and an empty folder for its data.

    One that is `secure` speaks TLS, with the files of `bench.secure` beside its data.
    """

    key: str
    title: str
    command: Callable[[int, Path], list[str]]
    program: str
    env: Mapping[str, str] = field(default_factory=dict)
    secure: bool = False
    slow: bool = False  # gets a fifth of the files where the time is not limited

    @property
    def installed(self) -> bool:
        """Whether its program is on this machine."""
        return shutil.which(self.program) is not None


class Running:
    """A server at work on `port`, with its data in `folder`; a context manager that cleans up."""

    def __init__(self, server: Server, folder: Path, *, delete: bool = False) -> None:
        self.server = server
        self._clear = shutil.rmtree if delete else empty
        self._folder = folder = folder.resolve()
        self._data = folder / "data"
        shutil.rmtree(folder, ignore_errors=True)
        self._data.mkdir(parents=True)
        self.port = _free_port()
        self.connect = secure.prepared(folder) if server.secure else sender.plain
        with (folder / "server.log").open("wb") as log:
            self.process = subprocess.Popen(
                server.command(self.port, self._data),
                cwd=folder,
                env=os.environ | server.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> "Running":
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                client = sender.Client(
                    self.port,
                    sender.VERIFICATION,
                    sender.IMPLICIT_VR_LITTLE_ENDIAN,
                    "ANY-SCP",
                    self.connect,
                )
                if client.echo() == 0:
                    client.release()
                    return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    log = (self._folder / "server.log").read_text(errors="replace")
                    self.__exit__()
                    raise RuntimeError(f"{self.server.title} did not start: {log}") from None
                time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._clear(self._folder)


def empty(folder: Path) -> None:
    """Gives the space back, but leaves the files, empty, until the whole benchmark is over.

    ext4 does not use the inode of a deleted file again for one to five minutes, and looks at each
    such inode whenever a file is created: removing one server's files made creating the next
    one's ten times as slow (`recently_deleted` in the kernel's fs/ext4/ialloc.c), which would be
    charged to servers that write a file per object.
    """
    for path in folder.rglob("*"):
        if path.is_file():
            os.truncate(path, 0)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


ISOCENTER = str(Path(sys.executable).with_name("isocenter"))


def _isocenter(
    durability: str, workers: int = 1, toml: str = ""
) -> Callable[[int, Path], list[str]]:
    def command(port: int, data: Path) -> list[str]:
        config = data.with_name("isocenter.toml")
        config.write_text(toml)
        where = ["--port", str(port), "--data", str(data)]
        how = ["--durability", durability, "--workers", str(workers)]
        return [ISOCENTER, "serve", "-c", str(config), *where, *how]

    return command


def _storescp(port: int, data: Path) -> list[str]:
    return ["storescp", "-od", str(data), str(port)]


def _storescp_best(port: int, data: Path) -> list[str]:
    return ["storescp", "+B", "--fork", "-pdu", "131072", "-od", str(data), str(port)]


def _storescp_drop(port: int, data: Path) -> list[str]:
    return ["storescp", "--ignore", "--fork", "-pdu", "131072", "-od", str(data), str(port)]


def _storescp_tls(port: int, data: Path) -> list[str]:
    files = secure.Files(data.parent)
    keys = ["+tls", str(files.key), str(files.certificate), "+cf", str(files.ca)]
    return ["storescp", *keys, "+B", "--fork", "-pdu", "131072", "-od", str(data), str(port)]


def _pynetdicom(port: int, data: Path) -> list[str]:
    return [sys.executable, "-m", "pynetdicom", "storescp", str(port), "-od", str(data)]


def orthanc(
    sync: bool, further: Mapping[str, object] | None = None
) -> Callable[[int, Path], list[str]]:
    """Orthanc without HTTP and plugins; `further` settings have the last word."""

    def command(port: int, data: Path) -> list[str]:
        config = data.with_name("orthanc.json")
        settings = {
            "Name": "BENCH",
            "StorageDirectory": str(data),
            "IndexDirectory": str(data),
            "Plugins": [],
            "HttpServerEnabled": False,
            "DicomServerEnabled": True,
            "DicomPort": port,
            "DicomCheckCalledAet": False,
            "DicomAlwaysAllowEcho": True,
            "DicomAlwaysAllowStore": True,
            "DicomAlwaysAllowFind": True,
            "SyncStorageArea": sync,
            **(further or {}),
        }
        config.write_text(json.dumps(settings))
        return ["Orthanc", str(config)]

    return command


TLS = """
[listen]
tls = "always"
[tls]
certificate = "node.pem"
key = "node.key"
trusted = "ca.pem"
"""
UNGUARDED = "[audit]\nenabled = false\n"
GUARDED = """
[listen]
known_ae = "always"
[peers.bench]
ae_title = "BENCH"
host = "127.0.0.1"
hosts = ["127.0.0.0/8"]
labels = ["bench"]
objects_per_minute = 100000000
bytes_per_minute = "1024 GiB"
"""

NODELAY = {"TCPNODELAY": "1"}  # DCMTK's own switch against Nagle's algorithm

SERVERS = (
    Server("isocenter-os", "Isocenter, `os`", _isocenter("os"), ISOCENTER),
    Server("isocenter-group", "Isocenter, `group`", _isocenter("group"), ISOCENTER),
    Server("isocenter-os-2", "Isocenter, `os`, 2 workers", _isocenter("os", 2), ISOCENTER),
    Server("isocenter-group-2", "Isocenter, `group`, 2 workers", _isocenter("group", 2), ISOCENTER),
    Server(
        "isocenter-tls", "Isocenter, `os`, TLS", _isocenter("os", 1, TLS), ISOCENTER, secure=True
    ),
    Server(
        "isocenter-unguarded",
        "Isocenter, `os`, no audit",
        _isocenter("os", 1, UNGUARDED),
        ISOCENTER,
    ),
    Server(
        "isocenter-guarded", "Isocenter, `os`, guarded", _isocenter("os", 1, GUARDED), ISOCENTER
    ),
    Server(
        "dcmtk-tls", "DCMTK storescp, best, TLS", _storescp_tls, "storescp", NODELAY, secure=True
    ),
    Server("dcmtk", "DCMTK storescp, defaults", _storescp, "storescp", slow=True),
    Server("dcmtk-best", "DCMTK storescp, best", _storescp_best, "storescp", NODELAY),
    Server("pynetdicom", "pynetdicom storescp", _pynetdicom, sys.executable, slow=True),
    Server("orthanc-off", "Orthanc, SyncStorageArea off", orthanc(False), "Orthanc", slow=True),
    Server("orthanc-on", "Orthanc, SyncStorageArea on", orthanc(True), "Orthanc", slow=True),
    Server("dcmtk-drop", "DCMTK storescp, dropping", _storescp_drop, "storescp", NODELAY),
)
SECURITY_SERVERS = (
    "isocenter-os",
    "isocenter-tls",
    "isocenter-unguarded",
    "isocenter-guarded",
    "dcmtk-best",
    "dcmtk-tls",
)
"""Those that show what TLS, access control and the audit trail cost."""

_SPECIAL = {"dcmtk-drop", *SECURITY_SERVERS} - {"isocenter-os", "dcmtk-best"}
DEFAULT_SERVERS = tuple(server.key for server in SERVERS if server.key not in _SPECIAL)
BASELINE = "dcmtk-best"


def versions() -> dict[str, str]:
    """The versions of the programs on this machine, for the report."""
    commands = {
        "Python": [sys.executable, "--version"],
        "DCMTK": ["storescp", "--version"],
        "Orthanc": ["Orthanc", "--version"],
        "Isocenter": [ISOCENTER, "version"],
        "pynetdicom": [sys.executable, "-m", "pip", "show", "pynetdicom"],
    }
    return {name: _version(command) for name, command in commands.items()}


def _version(command: list[str]) -> str:
    if shutil.which(command[0]) is None:
        return "not installed"
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(r"\d+\.\d+[\w.]*", said)
    return found[0] if found else "unknown"
