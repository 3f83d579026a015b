"""C-STORE both ways, a few objects: the whole corpus is test_pydicom_corpus.py's subject."""

from pathlib import Path

import pydicom
import pytest

from tests.interop.matrix.cells import STORAGE, answers, asks
from tests.support import peers
from tests.support.corpus import bundled, data_set_of
from tests.support.node import isocenter
from tests.support.packs import extract_packs

pytestmark = pytest.mark.interop

# One uncompressed image, one in implicit VR, one compressed image, one structured report.
FILES = ("CT_small.dcm", "MR_small_implicit.dcm", "JPEG2000.dcm", "test-SR.dcm")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with the files, one of them a level down, and one that is not DICOM."""
    (tmp_path / "sent" / "below").mkdir(parents=True)
    for name in FILES:
        place = "below" if name == "test-SR.dcm" else "."
        (tmp_path / "sent" / place / name).write_bytes(bundled(name).read_bytes())
    (tmp_path / "sent" / "notes.txt").write_text("not DICOM")
    return tmp_path / "sent"


def data_sets(paths) -> dict[str, bytes]:
    """Data sets by the SOP Instance UID in them."""
    return {
        str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID): data_set_of(path)
        for path in paths
    }


def sent() -> dict[str, bytes]:
    return data_sets(bundled(name) for name in FILES)


@asks("GDCM", STORAGE, by="gdcmscu")
def test_gdcmscu_stores(start_node, tmp_path: Path):
    node = start_node()
    stored = peers.gdcmscu("--store", "127.0.0.1", str(node.port), "-i", bundled("CT_small.dcm"))
    assert stored.returncode == 0, stored.stdout
    node.stop()
    assert list(data_sets(extract_packs(node.data, tmp_path / "out"))) == [
        str(pydicom.dcmread(bundled("CT_small.dcm")).SOPInstanceUID)
    ]


@asks("pynetdicom", STORAGE, by="storescu")
def test_pynetdicom_stores(start_node, tmp_path: Path):
    node = start_node()
    stored = peers.pynetdicom("storescu", "127.0.0.1", str(node.port), bundled("CT_small.dcm"))
    assert stored.returncode == 0, stored.stdout
    node.stop()
    assert len(extract_packs(node.data, tmp_path / "out")) == 1


def test_isocenter_stores_a_directory_in_a_node(start_node, folder: Path, tmp_path: Path):
    node = start_node()
    stored = isocenter("store", node.address, folder)
    assert stored.returncode in (0, 22), stored.stdout
    node.stop()
    assert data_sets(extract_packs(node.data, tmp_path / "out")) == sent()


@answers("DCMTK", STORAGE, by="storescp")
def test_isocenter_stores_a_directory_in_storescp(folder: Path, tmp_path: Path):
    with peers.dcmtk_storescp(tmp_path, "+xa") as server:
        stored = isocenter("store", server.address, folder)
    assert stored.returncode in (0, 22), stored.stdout
    assert data_sets((tmp_path / "received").iterdir()) == sent()


def test_isocenter_stores_over_several_associations_at_once(folder: Path, tmp_path: Path):
    with peers.dcmtk_storescp(tmp_path, "+xa", "--fork") as server:
        stored = isocenter("store", "-j", "3", server.address, folder)
    assert stored.returncode in (0, 22), stored.stdout
    assert data_sets((tmp_path / "received").iterdir()) == sent()


def test_what_was_acknowledged_outlives_a_kill(start_node, folder: Path, tmp_path: Path):
    node = start_node()
    stored = isocenter("store", node.address, folder)
    assert stored.returncode in (0, 22), stored.stdout
    node.kill()
    again = start_node(node.data)
    found = isocenter("find", again.address, "-k", "StudyInstanceUID")
    assert found.returncode == 0, found.stdout
    again.stop()
    assert data_sets(extract_packs(node.data, tmp_path / "out")) == sent()


def test_dciodvfy_finds_nothing_in_a_file_from_a_pack_that_it_did_not_find_before(tmp_path: Path):
    isocenter("import", "--data", tmp_path / "data", *map(bundled, FILES))
    found = 0
    for path in extract_packs(tmp_path / "data", tmp_path / "unpacked"):
        (source,) = (
            bundled(name) for name in FILES if data_set_of(bundled(name)) == data_set_of(path)
        )
        new = set(peers.dciodvfy(path)) - set(peers.dciodvfy(source))
        assert new == set(), source.name
        found += 1
    assert found == len(FILES)
