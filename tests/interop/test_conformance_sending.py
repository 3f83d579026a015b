"""Comparisons held against really sending the objects, for every pair of senders and receivers."""

from __future__ import annotations

import json
import sys
import urllib.error
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest

from isocenter.conformance.capabilities import (
    ApplicationEntity,
    Capabilities,
    TransferCapability,
)
from isocenter.conformance.compare.comparison import compare
from isocenter.conformance.facts import Conversion
from isocenter.conformance.probe.probe import Wish, probe
from isocenter.conformance.statement.build import statement_of
from isocenter.dictionary.transfer_syntaxes import TRANSFER_SYNTAXES
from isocenter.server.config import Config
from isocenter.services.association import Destination
from tests.server.support_nodes import configured
from tests.support import peers
from tests.support.corpus import bundled
from tests.support.node import Node, isocenter, isocenter_json
from tests.support.orthanc import AE_TITLE as ORTHANC
from tests.support.orthanc import Orthanc
from tests.support.processes import Server, free_port

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

NOW = datetime(2026, 11, 27, tzinfo=UTC)
ALL = tuple(TRANSFER_SYNTAXES)
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
NEW_SOP_CLASS = "1.2.840.10008.5.1.4.1.1.77.1.8"
"""Confocal Microscopy Image Storage, which is younger than most peers."""

NAMES = (
    "CT_small.dcm",  # Explicit VR Little Endian
    "rtplan.dcm",  # Implicit VR Little Endian
    "ExplVR_BigEnd.dcm",
    "image_dfl.dcm",  # deflated
    "SC_rgb_jpeg_gdcm.dcm",  # JPEG Lossless
    "JPGExtended.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "693_J2KI.dcm",  # JPEG 2000
)
Sent = Mapping[str, bool]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The objects: one of a SOP class that is new, one whose UID recurs in another file."""
    folder = tmp_path_factory.mktemp("files")
    odd = pydicom.dcmread(bundled("CT_small.dcm"))
    odd.SOPClassUID = odd.file_meta.MediaStorageSOPClassUID = NEW_SOP_CLASS
    rle = pydicom.dcmread(bundled("SC_rgb_rle.dcm"))
    for number, one in enumerate((odd, rle)):
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.4.{number}"
        one.save_as(folder / f"{number}.dcm")
    return [*map(bundled, NAMES), *sorted(folder.iterdir())]


def uid_of(path: Path) -> str:
    return str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)


def predicted(sender: Capabilities, receiver: Capabilities, files: list[Path]) -> dict[str, bool]:
    """For each object whether the comparison says that it arrives."""
    storage = {one.sop_class: one for one in compare(sender, receiver).storage}
    result = {}
    for path in files:
        one = pydicom.dcmread(path, stop_before_pixels=True)
        row, syntax = storage[str(one.SOPClassUID)], str(one.file_meta.TransferSyntaxUID)
        converted = [each.source for each in row.converted]
        result[uid_of(path)] = syntax in row.as_they_are or syntax in converted
    return result


def sender_of(files: list[Path], conversions: tuple[str, ...] = ()) -> Capabilities:
    """Somebody who sends any of these objects, and converts from these syntaxes."""
    classes = {str(pydicom.dcmread(path, stop_before_pixels=True).SOPClassUID) for path in files}
    entity = ApplicationEntity(
        ae_title="SENDER",
        initiates=True,
        converts=bool(conversions),
        capabilities=tuple(
            TransferCapability(sop_class=uid, role="SCU", proposes=ALL) for uid in sorted(classes)
        ),
    )
    made = tuple(
        Conversion(source=source, target=target)
        for source in conversions
        for target in (EXPLICIT, IMPLICIT)
        if source != target
    )
    return Capabilities(kind="import", entities=(entity,), conversions=made)


# Orthanc 1.10.1 converts between uncompressed syntaxes, and decompresses with DCMTK's codecs.
ORTHANC_CONVERTS = (
    *(EXPLICIT, IMPLICIT, "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"),
    *("1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80"),
    "1.2.840.10008.1.2.5",
)


class Ring:
    """All senders, and the receivers that they are tried with, one after the other."""

    def __init__(self, folder: Path, files: list[Path]) -> None:
        self.stack = ExitStack()
        self.folder, self.files = folder, files
        self.port, self.orthanc_port = free_port(), free_port()
        self.orthanc = self.stack.enter_context(Orthanc(folder / "orthanc", self.orthanc_port))
        toml = "".join(
            f'[peers.{title.lower()}]\nae_title = "{title}"\nhost = "127.0.0.1"\nport = {port}\n'
            for title, port in (("RECEIVER", self.port), (ORTHANC, self.orthanc_port))
        )
        self.node = self.stack.enter_context(Node(folder / "data", *configured(folder, toml)))
        stored = isocenter("store", self.node.address, *files)
        assert stored.returncode == 0, stored.stdout
        self.in_orthanc = dict(zip(map(uid_of, files), self.orthanc.upload(*files), strict=True))

    def by_move(self, title: str, files: list[Path]) -> Sent:
        """Isocenter's node, which converts."""
        uids = "\\".join(map(uid_of, files))
        done = isocenter(
            "move", self.node.address, "-aem", title, "-L", "IMAGE",
            "-k", f"SOPInstanceUID={uids}", "--json",
        )  # fmt: skip
        outcome = json.loads(done.stdout[done.stdout.index("{") : done.stdout.rindex("}") + 1])
        return {uid_of(path): uid_of(path) not in outcome["failed_uids"] for path in files}

    def by_command(self, title: str, files: list[Path]) -> Sent:
        """`isocenter store`, which sends objects as they are."""
        port = self.orthanc_port if title == ORTHANC else self.port
        sent = {}
        for path in files:
            done = isocenter("store", f"{title}@127.0.0.1:{port}", path)
            sent[uid_of(path)] = done.returncode == 0
        return sent

    def by_pynetdicom(self, title: str, files: list[Path]) -> Sent:
        """pynetdicom's storescu, which proposes what the file is in."""
        port = self.orthanc_port if title == ORTHANC else self.port
        sent = {}
        for path in files:
            done = peers.pynetdicom(
                "storescu", "-v", "-cx", "-aec", title, "127.0.0.1", str(port), path
            )
            sent[uid_of(path)] = "Status: 0x0000" in done.stdout
        return sent

    def by_orthanc(self, title: str, files: list[Path]) -> Sent:
        """Orthanc, which decompresses."""
        self.orthanc.rest("/modalities/receiver", [title, "127.0.0.1", self.port], method="PUT")
        sent = {}
        for uid in map(uid_of, files):
            try:
                self.orthanc.rest("/modalities/receiver/store", self.in_orthanc[uid].encode())
                sent[uid] = True
            except urllib.error.HTTPError:
                sent[uid] = False
        return sent


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory, files: list[Path]) -> Iterator[Ring]:
    running = Ring(tmp_path_factory.mktemp("ring"), files)
    with running.stack:
        yield running


def _storescp(*options: str) -> Callable[[Path, int], Server]:
    return lambda folder, port: peers.dcmtk_storescp(folder, *options, port=port)


def _isocenter(folder: Path, port: int) -> Server:
    toml = '[node]\nae_title = "RECEIVER"\n'
    return Node(folder / "data", *configured(folder, toml), port=port)


RECEIVERS: dict[str, Callable[[Path, int], Server]] = {
    "storescp": _storescp(),
    "storescp +xi": _storescp("+xi"),
    "storescp +xs": _storescp("+xs"),
    "Isocenter": _isocenter,
    "pynetdicom": lambda folder, port: _pynetdicom(folder, port),
}


def _pynetdicom(folder: Path, port: int) -> Server:
    command = [
        sys.executable, "-m", "pynetdicom", "storescp", "-v", "-od", folder, "-aet", "RECEIVER",
        str(port),
    ]  # fmt: skip
    return Server(command, port, folder / "storescp.log")


@pytest.mark.parametrize("name", RECEIVERS)
def test_what_a_comparison_says_is_what_happens(name: str, tmp_path: Path, ring: Ring):
    with RECEIVERS[name](tmp_path, ring.port):
        receiver = probed(ring, ring.port, "RECEIVER")
        assert_as_predicted(ring, receiver, "RECEIVER", with_orthanc=True)


def test_what_a_comparison_says_of_orthanc_is_what_happens(ring: Ring):
    receiver = probed(ring, ring.orthanc_port, ORTHANC)
    assert_as_predicted(ring, receiver, ORTHANC, with_orthanc=False)


def probed(ring: Ring, port: int, title: str) -> Capabilities:
    """A probe about the SOP classes of the objects."""
    classes = {
        str(pydicom.dcmread(path, stop_before_pixels=True).SOPClassUID) for path in ring.files
    }
    wish = Wish(rate=200, sop_classes=tuple(sorted(classes)))
    return probe(Destination("127.0.0.1", port, called_ae=title), wish, NOW).capabilities


def assert_as_predicted(
    ring: Ring, receiver: Capabilities, title: str, *, with_orthanc: bool
) -> None:
    """Every sender delivers exactly what its comparison with the receiver says."""
    ours = statement_of(Config(), NOW)
    commands = ours.model_copy(update={"entities": (ours.entities[1],)})
    files = ring.files
    if title == ORTHANC:  # 1.10.1 accepts deflated contexts, and then never answers the C-STORE
        files = [path for path in files if path.name != "image_dfl.dcm"]
    trials: list[tuple[str, Capabilities, Callable[[str, list[Path]], Sent]]] = [
        ("C-MOVE", ours, ring.by_move),
        ("isocenter store", commands, ring.by_command),
        ("pynetdicom", sender_of(ring.files), ring.by_pynetdicom),
    ]
    if with_orthanc:
        trials.append(("Orthanc", sender_of(ring.files, ORTHANC_CONVERTS), ring.by_orthanc))
    wrong = {}
    for name, sender, send in trials:
        expected, happened = predicted(sender, receiver, files), send(title, files)
        different = {uid for uid in expected if expected[uid] != happened[uid]}
        if different:
            wrong[name] = [path.name for path in files if uid_of(path) in different]
    assert wrong == {}
    assert isocenter_json("echo", ring.node.address)["status"] == "0x0000"
