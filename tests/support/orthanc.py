"""Orthanc as a peer: a small archive in a folder of the test's, driven through its REST API."""

import json
import os
import signal
import urllib.request
from pathlib import Path
from typing import Any

from tests.support.processes import Server, free_port, require

PROGRAM_PATH = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"  # where Debian puts it
WORKLISTS_PLUGIN = Path("/usr/share/orthanc/plugins/libModalityWorklists.so")
AE_TITLE = "ORTHANC"


class Orthanc(Server):
    """A running Orthanc, open to every modality that it has been told of."""

    def __init__(self, folder: Path, port: int) -> None:
        program = require("Orthanc", "orthanc", path=PROGRAM_PATH)
        folder.mkdir(parents=True, exist_ok=True)
        self.worklists = folder / "worklists"
        self.worklists.mkdir()
        self.http_port = free_port()
        config = folder / "orthanc.json"
        config.write_text(json.dumps(self._settings(folder, port)))
        super().__init__([program, config], port, folder / "orthanc.log", cwd=folder)

    def _settings(self, folder: Path, port: int) -> dict[str, Any]:
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
            "DicomAssociationCloseDelay": 0,
            "SaveJobs": False,
        }

    def stop(self, by: signal.Signals = signal.SIGKILL) -> int:
        """Kills it: its data is thrown away, and an orderly end takes it three seconds."""
        return super().stop(by)

    def rest(self, path: str, body: Any = None, *, method: str | None = None) -> Any:
        """GET, or POST of `body`, which is JSON unless it is bytes; the answer decoded."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.http_port}{path}"
        request = urllib.request.Request(url, data=data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            said = answer.read()
        return json.loads(said) if said else None

    def introduce(self, name: str, ae_title: str, port: int) -> None:
        """Makes a modality known to it, or known anew, by `name`."""
        self.rest(f"/modalities/{name}", [ae_title, "127.0.0.1", port], method="PUT")

    def clear(self) -> None:
        """Deletes everything that it holds."""
        for patient in self.rest("/patients"):
            self.rest(f"/patients/{patient}", method="DELETE")
        for path in self.worklists.iterdir():
            path.unlink()

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
