"""What is sent, asked for and fetched in the matrix, and how one sees that it arrived."""

from dataclasses import dataclass
from pathlib import Path

import pydicom

from isocenter.dictionary.sop_classes import STUDY_ROOT_FIND
from isocenter.dictionary.transfer_syntaxes import transfer_syntax
from isocenter.dimse.messages import CCancelRQ, CFindRQ, CFindRSP
from isocenter.encoding.elements import RawElement, encode_elements
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


def find_and_cancel_at_once(destination: Destination, patient_id: str = "") -> int:
    """Sends a C-FIND with a C-CANCEL right behind it; the final status.

    The association must be in order afterwards: it is released.
    """
    with destination.connect([find_context(STUDY_ROOT_FIND)]) as association:
        context = association.context_for(STUDY_ROOT_FIND)
        request = CFindRQ(
            message_id=association.next_message_id(), affected_sop_class_uid=STUDY_ROOT_FIND
        )
        identifier = {
            0x00080052: RawElement("CS", b"STUDY"),
            0x00100020: RawElement("LO", patient_id.encode()),
            0x0020000D: RawElement("UI", b""),
        }
        syntax = transfer_syntax(context.transfer_syntax)
        association.send(context.context_id, request, encode_elements(identifier, syntax))
        cancel = CCancelRQ(message_id_being_responded_to=request.message_id)
        association.send(context.context_id, cancel)
        while True:
            response, _ = association.receive_response(CFindRSP, request.message_id)
            if response.status not in (0xFF00, 0xFF01):
                return response.status
