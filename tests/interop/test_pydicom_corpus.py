"""pydicom's own test files go in by three ways and come back out of the packs, byte for byte.

DCMTK's senders read a data set and write it anew: padding after it goes, lengths of sequences and
groups change. What they really send is seen by DCMTK's own `storescp +B`, which keeps the bytes
that come; a node must keep the very same. What is not stored is listed here, with the reason.
"""

import itertools
from pathlib import Path

import pytest

from tests.interop.matrix.cells import STORAGE, asks
from tests.support import peers
from tests.support.corpus import StorableFile, data_set_of, read_header, waves
from tests.support.node import Node, isocenter
from tests.support.packs import extract_packs

WAVES = waves()

NO_STUDY = "the data set has no Study Instance UID, so it belongs nowhere (A900H)"
UID_AS_UN = "the data set's UIDs have VR UN: DCMTK cannot read them and announces others (A900H)"
CUT_OFF = "the file ends in the middle of an element"

# What a node does not take from DCMTK's senders though they send it.
REFUSED = {
    "test_files/JPEGLSNearLossless_08.dcm": NO_STUDY,
    "test_files/JPEGLSNearLossless_16.dcm": NO_STUDY,
    "test_files/SC_rgb_jls_lossy_line.dcm": NO_STUDY,
    "test_files/SC_rgb_jls_lossy_sample.dcm": NO_STUDY,
    "test_files/rtdose_rle.dcm": UID_AS_UN,
    "test_files/rtdose_rle_1frame.dcm": UID_AS_UN,
}

# What `isocenter import` does not take.
NOT_IMPORTED = {
    "test_files/JPEGLSNearLossless_08.dcm": NO_STUDY,
    "test_files/JPEGLSNearLossless_16.dcm": NO_STUDY,
    "test_files/SC_rgb_jls_lossy_line.dcm": NO_STUDY,
    "test_files/SC_rgb_jls_lossy_sample.dcm": NO_STUDY,
    "test_files/MR_truncated.dcm": CUT_OFF,
    "test_files/rtplan_truncated.dcm": CUT_OFF,
}

# The option by which storescu proposes a transfer syntax; it proposes no compressed one unasked.
STORESCU_OPTIONS = {
    "1.2.840.10008.1.2": "-xi",
    "1.2.840.10008.1.2.1": "-xe",
    "1.2.840.10008.1.2.1.99": "-xd",
    "1.2.840.10008.1.2.2": "-xb",
    "1.2.840.10008.1.2.4.50": "-xy",
    "1.2.840.10008.1.2.4.51": "-xx",
    "1.2.840.10008.1.2.4.70": "-xs",
    "1.2.840.10008.1.2.4.80": "-xt",
    "1.2.840.10008.1.2.4.81": "-xu",
    "1.2.840.10008.1.2.4.90": "-xv",
    "1.2.840.10008.1.2.4.91": "-xw",
    "1.2.840.10008.1.2.5": "-xr",
}


def by_uid(paths) -> dict[str, bytes]:
    """Data sets by the SOP Instance UID that stands in them."""
    return {str(read_header(path).SOPInstanceUID): data_set_of(path) for path in paths}


def send_with_dcmsend(port: int, files: list[StorableFile]) -> None:
    where = ("127.0.0.1", str(port))
    peers.dcmtk("dcmsend", "--no-halt", "--decompress-never", *where, *(f.path for f in files))


def send_with_storescu(port: int, files: list[StorableFile]) -> None:
    def option(file: StorableFile) -> str:
        return STORESCU_OPTIONS.get(file.transfer_syntax_uid, "-xe")

    for syntax, group in itertools.groupby(sorted(files, key=option), option):
        paths = [file.path for file in group]
        peers.dcmtk("storescu", "-nh", "-R", syntax, "127.0.0.1", str(port), *paths)


def send_to_both(send, files: list[StorableFile], node: Node, folder: Path):
    """What storescp got, and what the node has in its packs, by SOP Instance UID."""
    with peers.dcmtk_storescp(folder, "+xa") as storescp:
        send(storescp.port, files)
    send(node.port, files)
    node.stop()
    received = by_uid((folder / "received").iterdir())
    return received, by_uid(extract_packs(node.data, folder / "unpacked"))


@pytest.mark.interop
@pytest.mark.parametrize("files", WAVES, ids=range(len(WAVES)))
@asks("DCMTK", STORAGE, by="dcmsend")
def test_dcmsend_brings_every_file_in(files, start_node, tmp_path: Path):
    received, kept = send_to_both(send_with_dcmsend, files, start_node(), tmp_path)
    refused = {f.sop_instance_uid for f in files if f.name in REFUSED}
    assert kept == {uid: data for uid, data in received.items() if uid not in refused}
    assert len(kept) > 0.9 * len(files) - 1  # dcmsend itself cannot read a few


@pytest.mark.interop
@pytest.mark.parametrize("files", WAVES[:2], ids=[0, 1])
@asks("DCMTK", STORAGE, by="storescu")
def test_storescu_brings_every_file_in(files, start_node, tmp_path: Path):
    received, kept = send_to_both(send_with_storescu, files, start_node(), tmp_path)
    refused = {f.sop_instance_uid for f in files if f.name in REFUSED}
    assert kept == {uid: data for uid, data in received.items() if uid not in refused}
    assert len(kept) > 0.8 * len(files)


@pytest.mark.parametrize("files", WAVES, ids=range(len(WAVES)))
def test_import_brings_every_file_in(files: list[StorableFile], tmp_path: Path):
    done = isocenter("import", "--data", tmp_path / "data", *(file.path for file in files))
    assert "Traceback" not in done.stdout
    kept = by_uid(extract_packs(tmp_path / "data", tmp_path / "unpacked"))
    wanted = {f.sop_instance_uid: f.data_set() for f in files if f.name not in NOT_IMPORTED}
    assert sorted(kept) == sorted(wanted), done.stdout
    assert [uid for uid in wanted if kept[uid] != wanted[uid]] == []


def test_the_tables_of_exceptions_name_real_files():
    names = {file.name for wave in WAVES for file in wave}
    assert REFUSED.keys() | NOT_IMPORTED.keys() <= names
