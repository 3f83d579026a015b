"""Orthanc as a peer: a small archive in a folder of the test's, driven through its REST API."""

import json
import os
import signal
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.processes import Server, free_port, require

PROGRAM_PATH = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"  # where Debian puts it
WORKLISTS_PLUGIN = Path("/usr/share/orthanc/plugins/libModalityWorklists.so")
AE_TITLE = "ORTHANC"


class Orthanc(Server):
    """A running Orthanc, open to everyone it knows: `modalities` by name, as (AE title, port)."""

    def __init__(
        self, folder: Path, modalities: Mapping[str, tuple[str, int]], *, port: int | None = None
    ) -> None:
        program = require("Orthanc", "orthanc", path=PROGRAM_PATH)
        folder.mkdir(parents=True, exist_ok=True)
        self.worklists = folder / "worklists"
        self.worklists.mkdir()
        self.http_port = free_port()
        port = port or free_port()
        config = folder / "orthanc.json"
        config.write_text(json.dumps(self._settings(folder, port, modalities)))
        super().__init__([program, config], port, folder / "orthanc.log", cwd=folder)

    def _settings(
        self, folder: Path, port: int, modalities: Mapping[str, tuple[str, int]]
    ) -> dict[str, Any]:
        data = str(folder / "orthanc")
        return {
            "Name": "PEER",
            "StorageDirectory": data,
            "IndexDirectory": data,
            "Plugins": [str(WORKLISTS_PLUGIN)] if WORKLISTS_PLUGIN.exists() else [],
            "Worklists": {"Enable": True, "Database": str(self.worklists)},
            "HttpPort": self.http_port,
            "AuthenticationEnabled": False,
            "DicomAet": AE_TITLE,
            "DicomPort": port,
            "DicomModalities": {
                name: [title, "127.0.0.1", there] for name, (title, there) in modalities.items()
            },
            "DicomAssociationCloseDelay": 0,
            "SaveJobs": False,
        }

    def stop(self, by: signal.Signals = signal.SIGKILL) -> int:
        """Kills it: its data is thrown away, and an orderly end takes it three seconds."""
        return super().stop(by)

    def rest(self, path: str, body: Any = None) -> Any:
        """GET, or POST of `body`, which is JSON unless it is bytes; the answer decoded."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.http_port}{path}"
        with urllib.request.urlopen(url, data=data, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def upload(self, *files: Path) -> list[str]:
        """Stores files; Orthanc's own identifiers of the instances."""
        return [str(self.rest("/instances", path.read_bytes())["ID"]) for path in files]

    def instances(self) -> set[str]:
        """The SOP Instance UIDs that it holds."""
        tags = self.rest("/instances?expand")
        return {str(each["MainDicomTags"]["SOPInstanceUID"]) for each in tags}

    def _knock(self) -> None:
        self.rest("/system")
        super()._knock()
