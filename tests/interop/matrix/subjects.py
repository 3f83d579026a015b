"""What is sent, asked for and fetched in the matrix, and how one sees that it arrived."""

from dataclasses import dataclass
from pathlib import Path

import pydicom

from isocenter.dictionary.sop_classes import STUDY_ROOT_FIND
from isocenter.encoding.elements import RawElement
from isocenter.services.association import Destination
from isocenter.services.query_retrieve_scu import find_context
from tests.server.support_instances import stored
from tests.support.corpus import bundled, data_set_of
from tests.support.node import Node

FILES = (bundled("CT_small.dcm"), bundled("MR_small.dcm"))
CT, MR = (pydicom.dcmread(path, stop_before_pixels=True) for path in FILES)
INSTANCES = frozenset(str(each.SOPInstanceUID) for each in (CT, MR))
STUDY = str(CT.StudyInstanceUID)
CT_INSTANCE = str(CT.SOPInstanceUID)

CANCELED = 0xFE00


@dataclass(frozen=True)
class Archive:
    """A node that holds FILES, and the port to which it moves for the AE title RECEIVER."""

    node: Node
    receiver_port: int


def instances_of(node: Node) -> set[str]:
    """The SOP Instance UIDs in a node's packs; stops the node."""
    node.stop()
    return set(stored(node.data))


def assert_same_object(path: Path, source: Path = FILES[0]) -> None:
    """A file holds the data set of `source`, byte for byte."""
    assert data_set_of(path) == data_set_of(source)


def assert_same_image(path: Path, source: Path = FILES[0]) -> None:
    """A file that was decoded and encoded anew on its way shows the same patient and pixels."""
    came, went = pydicom.dcmread(path), pydicom.dcmread(source)
    for keyword in ("SOPInstanceUID", "SOPClassUID", "StudyInstanceUID", "PatientName", "Rows"):
        assert came[keyword].value == went[keyword].value, keyword
    assert came.PixelData == went.PixelData


def write_studies(folder: Path, count: int) -> Path:
    """A folder with that many studies of one small object each."""
    folder.mkdir()
    for number in range(1, count + 1):
        one = pydicom.dcmread(FILES[0])
        del one.PixelData
        one.StudyInstanceUID, one.SeriesInstanceUID, one.SOPInstanceUID = (
            f"1.2.826.0.1.3680043.9.9999.{level}.{number}" for level in (1, 2, 3)
        )
        one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
        one.save_as(folder / f"{number}.dcm")
    return folder


def cancels(destination: Destination, patient_id: str = "") -> bool:
    """Whether a query ends as canceled when Isocenter sends C-CANCEL after the first match.

    Either way the association serves another query after it.
    """
    identifier = {
        0x00080052: RawElement("CS", b"STUDY"),
        0x00100020: RawElement("LO", patient_id.encode()),
        0x0020000D: RawElement("UI", b""),
    }
    with destination.connect([find_context(STUDY_ROOT_FIND)]) as association:
        *_, canceled = association.find(STUDY_ROOT_FIND, identifier, cancel_after=1)
        nobody = identifier | {0x00100020: RawElement("LO", b"NOBODY")}
        *_, final = association.find(STUDY_ROOT_FIND, nobody)
    assert final.status.is_success
    return canceled.status.code == CANCELED
