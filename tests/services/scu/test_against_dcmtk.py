"""DCMTK's servers as peers: what we send arrives bit for bit, what we ask is answered."""

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from isocenter.dictionary.sop_classes import STUDY_ROOT_FIND
from isocenter.encoding.elements import RawElement
from isocenter.encoding.files import RefusedFile, StorableFile, collect_files, inspect_file
from isocenter.services.association import Destination
from isocenter.services.errors import VerificationFailed
from isocenter.services.query_retrieve_scu import find_context
from isocenter.services.storage_scu import RetryPolicy, send_files
from isocenter.services.verification_scu import verify
from tests.services.scu.instances import data_set_bytes, write_instances
from tests.support.peers import dcmtk_dcmqrscp, dcmtk_storescp
from tests.support.processes import Server

pytestmark = pytest.mark.interop

PYDICOM_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
NAMES = ["CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "rtdose.dcm", "MR_small_bigendian.dcm"]


@pytest.fixture
def storescp(tmp_path: Path) -> Iterator[Server]:
    server = dcmtk_storescp(tmp_path, "--fork", "-pm", "+xa")
    yield server
    server.stop()


def storable(paths: list[Path]) -> list[StorableFile]:
    files = list(collect_files(paths))
    assert not any(isinstance(file, RefusedFile) for file in files)
    return files  # type: ignore[return-value]


def received_by_storescp(folder: Path) -> dict[str, bytes]:
    files = [inspect_file(path) for path in (folder / "received").iterdir()]
    return {
        file.sop_instance_uid: data_set_bytes(file)
        for file in files
        if isinstance(file, StorableFile)
    }


def test_storescp_answers_our_echo(storescp: Server) -> None:
    assert verify(Destination("127.0.0.1", storescp.port)).is_success


def test_storescp_gets_every_transfer_syntax_bit_for_bit(tmp_path: Path, storescp: Server) -> None:
    files = storable([PYDICOM_FILES / name for name in NAMES])
    report = send_files(files, Destination("127.0.0.1", storescp.port))
    assert report.complete
    assert received_by_storescp(tmp_path) == {
        file.sop_instance_uid: data_set_bytes(file) for file in files
    }


def test_storescp_gets_everything_over_three_associations(tmp_path: Path, storescp: Server) -> None:
    (tmp_path / "send").mkdir()
    files = write_instances(tmp_path / "send", 30)
    report = send_files(files, Destination("127.0.0.1", storescp.port), associations=3)
    assert report.complete
    assert received_by_storescp(tmp_path) == {
        file.sop_instance_uid: data_set_bytes(file) for file in files
    }


def test_storescp_that_aborts_in_the_middle_of_an_object_loses_only_the_association(
    tmp_path: Path,
) -> None:
    server = dcmtk_storescp(tmp_path, "--fork", "--abort-during")
    try:
        (tmp_path / "send").mkdir()
        files = write_instances(tmp_path / "send", 2)
        destination = Destination("127.0.0.1", server.port)
        report = send_files(files, destination, retry=RetryPolicy(retries=1, first_delay=0.0))
    finally:
        server.stop()
    assert len(report.refused) == 2
    assert all("broke off" in result.reason for result in report.refused)


def test_storescp_that_refuses_associations_is_named_in_the_preflight(tmp_path: Path) -> None:
    server = dcmtk_storescp(tmp_path, "--fork", "--refuse")
    try:
        with pytest.raises(VerificationFailed, match="rejected") as caught:
            verify(Destination("127.0.0.1", server.port))
    finally:
        server.stop()
    assert caught.value.phase == "associate"


def test_dcmqrscp_finds_what_was_sent_to_it(tmp_path: Path) -> None:
    server = dcmtk_dcmqrscp(tmp_path)
    try:
        archive = Destination("127.0.0.1", server.port, called_ae="DCMQRSCP")
        report = send_files(storable([PYDICOM_FILES / "CT_small.dcm"]), archive)
        assert report.complete
        query = {
            0x00080052: RawElement("CS", b"STUDY"),
            0x00100010: RawElement("PN", b"Comp*"),
            0x0020000D: RawElement("UI", b""),
        }
        with archive.connect([find_context(STUDY_ROOT_FIND)]) as association:
            match, final = association.find(STUDY_ROOT_FIND, query)
    finally:
        server.stop()
    assert match.status.is_pending
    assert match.identifier[0x00100010].value == b"CompressedSamples^CT1 "
    assert final.status.is_success
