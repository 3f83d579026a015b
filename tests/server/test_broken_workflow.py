"""A node whose workflow database is damaged: images come first."""

from pathlib import Path

import pytest

from isocenter.archive.layout import WORKFLOW_FILE
from isocenter.archive.workflow import Workflow
from isocenter.dictionary.sop_classes import MODALITY_WORKLIST_FIND
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.dimse.messages import CFindRQ
from isocenter.encoding.elements import RawElement, encode_elements
from tests.server.support import EXPLICIT, Peer, store_all
from tests.server.support_instances import instance
from tests.server.support_nodes import configured, log_lines
from tests.support.node import Node

WORKLIST = (MODALITY_WORKLIST_FIND, EXPLICIT)
SUCCESS = 0x0000


def worklist_status(node: Node) -> int:
    with Peer.associated(node.port, WORKLIST) as peer:
        peer.command(1, CFindRQ(message_id=1, affected_sop_class_uid=MODALITY_WORKLIST_FIND))
        patient_id = {0x00100020: RawElement("LO", b"")}
        peer.data_set(1, encode_elements(patient_id, EXPLICIT_VR_LITTLE_ENDIAN))
        return peer.read_matches()[-1].status


@pytest.mark.parametrize("processes", [1, 2])
def test_images_are_stored_although_the_workflow_database_is_damaged(
    tmp_path: Path, processes: int
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    damaged = data / WORKFLOW_FILE
    damaged.write_bytes(b"this was a database once" * 500)
    node = Node(data, *configured(tmp_path, f"[workers]\ncount = {processes}\n"))
    try:
        assert store_all(node.port, [instance("1.2.3.4")]) == [SUCCESS]
        assert worklist_status(node) != SUCCESS
        assert log_lines(node, "level=error", "not a database")
        damaged.unlink()  # as somebody does who has read the log
        assert worklist_status(node) == SUCCESS
        with Workflow(damaged):
            pass
    finally:
        assert node.stop(trouble_expected=True) == 0
