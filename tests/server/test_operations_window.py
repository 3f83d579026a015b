"""The asynchronous operations window of a running node (PS3.7 D.3.3.3)."""

from pathlib import Path

import pytest

from isocenter.dictionary.sop_classes import STUDY_ROOT_FIND
from isocenter.dimse.messages import CFindRQ, CFindRSP
from isocenter.encoding.files import StorableFile, collect_files
from isocenter.services.association import Destination
from isocenter.services.storage_scu import send_files
from tests.cli.helpers import write_object
from tests.server.support import COMMAND, ECHO, FIND, LAST, STORE, Peer, p_data, store_rq
from tests.server.support_instances import instance
from tests.server.support_nodes import configured
from tests.support.node import Node

RESOURCE_LIMITATION = 0x0213


@pytest.mark.parametrize(
    ("proposed", "answered"),
    [
        (None, None),
        ((1, 1), (1, 1)),
        ((3, 2), (3, 2)),
        ((0, 0), (8, 8)),
        ((65535, 9), (8, 8)),
    ],
)
def test_the_answer_is_the_smaller_of_both_sides_wishes(node, proposed, answered) -> None:
    with Peer(node.port) as peer:
        response = peer.associate(ECHO, window=proposed)
        assert response.user_information.asynchronous_operations_window == answered
        assert peer.released()


def find_rq(message_id: int) -> bytes:
    command = CFindRQ(message_id=message_id, affected_sop_class_uid=STUDY_ROOT_FIND).encode()
    identifier = b"\x08\x00\x52\x00CS\x06\x00STUDY "
    return p_data(1, COMMAND | LAST, command) + p_data(1, LAST, identifier)


@pytest.mark.parametrize(("window", "allowed"), [(None, 3), ((2, 1), 2), ((0, 0), 3)])
def test_more_operations_than_allowed_are_refused_and_the_others_served(
    start_node, tmp_path: Path, window, allowed: int
) -> None:
    node = start_node(None, *configured(tmp_path, "[limits]\noperations = 3\n"))
    message_ids = range(1, allowed + 3)
    final: dict[int, int] = {}
    with Peer(node.port) as peer:
        peer.associate(FIND, window=window)
        # In one write, hence in one read: none can have ended when the last one is looked at.
        peer.send(*map(find_rq, message_ids))
        while len(final) < len(message_ids):
            response, _ = peer.read_message()
            assert isinstance(response, CFindRSP)
            final[response.message_id_being_responded_to] = response.status
    assert [final[number] for number in message_ids] == [0] * allowed + [RESOURCE_LIMITATION] * 2


def test_many_files_are_under_way_at_a_time(node, tmp_path: Path) -> None:
    for number in range(20):
        write_object(tmp_path / f"{number}.dcm", 1000 + number)
    files = [file for file in collect_files([str(tmp_path)]) if isinstance(file, StorableFile)]
    destination = Destination("127.0.0.1", node.port, window=4)
    report = send_files(files, destination)
    assert len(report.accepted) == 20
    assert report.associations == 1


def test_objects_sent_ahead_without_a_negotiated_window_are_stored(node: Node) -> None:
    """Senders that never negotiate and do not wait either: a refusal would lose their objects."""
    objects = [instance(f"1.2.3.97.{number}") for number in range(8)]
    with Peer.associated(node.port, STORE) as peer:
        peer.send(
            *(
                p_data(1, COMMAND | LAST, store_rq(one, message_id=number).encode())
                + p_data(1, LAST, one.data_set)
                for number, one in enumerate(objects, 1)
            )
        )
        answers = [peer.read_store_response() for _ in objects]
    assert {
        answer.message_id_being_responded_to: answer.status for answer in answers
    } == dict.fromkeys(range(1, 9), 0)
