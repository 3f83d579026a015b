"""Receivers that take no compressed objects: C-GET and C-MOVE decompress on the way out."""

from pathlib import Path

import pydicom
import pytest

from isocenter.encoding.transcoding import TARGETS
from tests.interop.test_decoding import converted
from tests.support import peers
from tests.support.corpus import bundled, data_set_of
from tests.support.node import Node, isocenter

pytestmark = [
    pytest.mark.interop,
    pytest.mark.filterwarnings("ignore::UserWarning"),  # what pydicom thinks of its own files
]

EXPLICIT, IMPLICIT = TARGETS

FILES = (
    "examples_ybr_color.dcm",  # JPEG Baseline, 30 frames
    "JPGExtended.dcm",
    "SC_rgb_jpeg_gdcm.dcm",  # JPEG Lossless
    "MR_small_jpeg_ls_lossless.dcm",
    "GDCMJ2K_TextGBR.dcm",  # JPEG 2000 Lossless
    "693_J2KI.dcm",
    "rtdose_rle.dcm",  # 15 frames of 32 bits
    "image_dfl.dcm",  # deflated
    "ExplVR_BigEnd.dcm",
    "waveform_ecg.dcm",  # Explicit VR Little Endian
    "rtplan.dcm",  # Implicit VR Little Endian
)


def uids(keyword: str) -> str:
    return "\\".join(str(pydicom.dcmread(bundled(name))[keyword].value) for name in FILES)


@pytest.fixture
def node(tmp_path: Path, start_node, free_port: int) -> Node:
    """A node that holds the files, with a destination ARCHIVE on `free_port`."""
    config = tmp_path / "isocenter.toml"
    config.write_text(
        f'[peers.archive]\nae_title = "ARCHIVE"\nhost = "127.0.0.1"\nport = {free_port}\n'
    )
    filled = start_node(None, "-c", str(config))
    stored = isocenter("store", filled.address, *map(bundled, FILES))
    assert stored.returncode == 0, stored.stdout
    return filled


def assert_received(folder: Path, target: str, as_stored: tuple[str, ...] = ()) -> None:
    """All the files lie in `folder` in the transfer syntax `target`, or as they are stored."""
    received = {
        str(pydicom.dcmread(path).SOPInstanceUID): path
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert len(received) == len(FILES)
    for name in FILES:
        original = pydicom.dcmread(bundled(name))
        path = received[str(original.SOPInstanceUID)]
        got = pydicom.dcmread(path)
        stored_in = original.file_meta.TransferSyntaxUID
        if name in as_stored or stored_in == target:
            assert got.file_meta.TransferSyntaxUID == stored_in
            sent, stored = data_set_of(path), data_set_of(bundled(name))
            assert sent == stored + b"\0" * (len(stored) % 2), name  # PS3.5 A.5
        else:
            assert got.file_meta.TransferSyntaxUID == target
            assert list(got) == list(converted(bundled(name), target)), name


def test_getscu_gets_everything_uncompressed(node: Node, tmp_path: Path):
    folder = tmp_path / "got"
    folder.mkdir()
    got = peers.dcmtk(
        "getscu", "-v", "-S", "+B", "-od", folder, "-k", "QueryRetrieveLevel=IMAGE",
        "-k", "SOPInstanceUID=" + uids("SOPInstanceUID"), "127.0.0.1", str(node.port),
    )  # fmt: skip
    assert got.returncode == 0, got.stdout + node.log()
    assert_received(folder, EXPLICIT)


def move(node: Node) -> None:
    moved = peers.dcmtk(
        "movescu", "-d", "-S", "-aem", "ARCHIVE", "-k", "QueryRetrieveLevel=IMAGE",
        "-k", "SOPInstanceUID=" + uids("SOPInstanceUID"), "127.0.0.1", str(node.port),
    )  # fmt: skip
    assert moved.returncode == 0, moved.stdout + node.log()


def test_storescp_that_takes_implicit_only_is_sent_everything(
    node: Node, tmp_path: Path, free_port: int
):
    with peers.dcmtk_storescp(tmp_path, "+xi", port=free_port):
        move(node)
    assert_received(tmp_path / "received", IMPLICIT)


def test_storescp_that_takes_one_compression_is_sent_that_as_it_is(
    node: Node, tmp_path: Path, free_port: int
):
    with peers.dcmtk_storescp(tmp_path, "+xr", port=free_port):
        move(node)
    as_stored = ("rtdose_rle.dcm", "ExplVR_BigEnd.dcm", "rtplan.dcm")
    assert_received(tmp_path / "received", EXPLICIT, as_stored)


def test_storescp_that_takes_everything_is_sent_all_as_it_is(
    node: Node, tmp_path: Path, free_port: int
):
    with peers.dcmtk_storescp(tmp_path, "+xa", port=free_port):
        move(node)
    assert_received(tmp_path / "received", EXPLICIT, as_stored=FILES)
