"""C-GET and C-MOVE as a user, against peers that answer from a script."""

from pathlib import Path

import pytest

from isocenter.dictionary.sop_classes import STUDY_ROOT_GET, STUDY_ROOT_MOVE
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.dimse.errors import DimseProtocolError
from isocenter.dimse.messages import (
    CCancelRQ,
    CEchoRQ,
    CGetRQ,
    CGetRSP,
    CMoveRQ,
    CMoveRSP,
    CStoreRQ,
    CStoreRSP,
    Message,
)
from isocenter.encoding.elements import RawElement, encode_elements
from isocenter.encoding.part10 import read_file_meta
from isocenter.services.get_contexts import get_contexts, receiving
from isocenter.services.received_files import FileReceiver
from isocenter.services.retrieve_scu import RetrieveProgress, get_each
from tests.services.scu.scripted_transport import ScriptedTransport, scripted

CT = "1.2.840.10008.5.1.4.1.1.2"
SYNTAX = EXPLICIT_VR_LITTLE_ENDIAN
CONTEXTS = ((STUDY_ROOT_GET, SYNTAX.uid), (CT, SYNTAX.uid), (STUDY_ROOT_MOVE, SYNTAX.uid))
IDENTIFIER = {0x0020000D: RawElement("UI", b"1.2.3")}
DATA = b"the data set, whatever it is; "


def store_request(uid: str, number: int = 1) -> tuple[Message, bytes]:
    request = CStoreRQ(message_id=number, affected_sop_class_uid=CT, affected_sop_instance_uid=uid)
    return request, DATA


def response(status: int, data_set: bytes | None = None, **counts: int) -> tuple[Message, bytes]:
    answer = CGetRSP(
        message_id_being_responded_to=1,
        status=status,
        has_data_set=data_set is not None,
        **{f"number_of_{name}_suboperations": count for name, count in counts.items()},
    )
    return answer, data_set


def getting(
    folder: Path, *script: tuple[Message, bytes | None], cancel_after: int | None = None
) -> tuple[list[RetrieveProgress], ScriptedTransport, FileReceiver]:
    """The responses to a C-GET that the peer answers with `script`."""

    def react(message: Message):
        return script if isinstance(message, CGetRQ) else ()

    association, transport = scripted(react, *CONTEXTS)
    receiver = FileReceiver(folder)
    got = association.get(STUDY_ROOT_GET, IDENTIFIER, receiver, cancel_after=cancel_after)
    return list(got), transport, receiver


def store_statuses(transport: ScriptedTransport) -> list[int]:
    return [message.status for message in transport.sent if isinstance(message, CStoreRSP)]


def test_instances_become_part_10_files(tmp_path: Path):
    progress, transport, receiver = getting(
        tmp_path,
        store_request("1.2.3.4"),
        response(0xFF00, remaining=1, completed=1),
        store_request("1.2.3.5", 2),
        response(0x0000, completed=2, failed=0, warning=0),
    )
    assert [step.completed for step in progress] == [1, 2]
    assert progress[-1].status.is_success
    assert store_statuses(transport) == [0, 0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.2.3.4.dcm", "1.2.3.5.dcm"]
    content = receiver.written[0].read_bytes()
    meta, offset = read_file_meta(content)
    assert (meta.sop_class_uid, meta.sop_instance_uid) == (CT, "1.2.3.4")
    assert meta.transfer_syntax_uid == SYNTAX.uid
    assert content[offset:] == DATA


@pytest.mark.parametrize(
    "uid", ["../evil", "/etc/passwd", "..", "1.2/3", "1.2.3\\4", "", "1.2.é", "1" * 65, "a.b"]
)
def test_what_is_no_uid_names_no_file(tmp_path: Path, uid: str):
    """Told to the receiver itself, since a command set cannot even carry some of these."""
    folder = tmp_path / "in" / "side"
    folder.mkdir(parents=True)
    request = CStoreRQ(message_id=1, affected_sop_class_uid=CT, affected_sop_instance_uid=uid)
    association, _ = scripted(lambda _: (), *CONTEXTS)
    context = association.context_for(CT)
    assert FileReceiver(folder).begin(request, context) == 0x0117
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_an_instance_without_a_uid_is_refused_and_the_rest_goes_on(tmp_path: Path):
    progress, transport, receiver = getting(
        tmp_path,
        store_request("../1.2.3"),
        store_request("1.2.3.5", 2),
        response(0xB000, completed=1, failed=1, warning=0),
    )
    assert store_statuses(transport) == [0x0117, 0]
    assert [path.name for path in receiver.written] == ["1.2.3.5.dcm"]
    assert receiver.trouble
    assert progress[-1].failed == 1


def test_the_same_instance_twice_is_one_file(tmp_path: Path):
    getting(tmp_path, store_request("1.2.3"), store_request("1.2.3", 2), response(0))
    assert [path.name for path in tmp_path.iterdir()] == ["1.2.3.dcm"]


def test_a_folder_that_takes_nothing_is_told_to_the_peer(tmp_path: Path):
    _, transport, receiver = getting(
        tmp_path / "absent", store_request("1.2.3"), response(0xA702, completed=0, failed=1)
    )
    assert store_statuses(transport) == [0xA700]
    assert "No such file" in receiver.trouble


def test_failed_instances_are_listed(tmp_path: Path):
    listed = encode_elements({0x00080058: RawElement("UI", b"1.2.3\\1.2.4")}, SYNTAX)
    progress, _, _ = getting(tmp_path, response(0xB000, listed, completed=1, failed=2, warning=0))
    assert progress[-1].failed_uids == ("1.2.3", "1.2.4")


def test_a_list_that_cannot_be_read_is_no_list(tmp_path: Path):
    progress, _, _ = getting(tmp_path, response(0xB000, b"\xff" * 7, failed=2))
    assert progress[-1].failed_uids == ()


def test_a_cancel_follows_the_wished_number_of_instances(tmp_path: Path):
    _, transport, _ = getting(
        tmp_path,
        store_request("1.2.3"),
        store_request("1.2.4", 2),
        response(0xFE00, remaining=3, completed=2),
        cancel_after=1,
    )
    kinds = [type(message) for message in transport.sent]
    assert kinds == [CGetRQ, CCancelRQ, CStoreRSP, CStoreRSP]


def test_leaving_early_cancels_refuses_the_rest_and_keeps_the_association(tmp_path: Path):
    def react(message: Message):
        if isinstance(message, CCancelRQ):
            return store_request("1.2.5", 3), response(0xFE00, remaining=1, completed=1)
        if isinstance(message, CGetRQ) and message.message_id == 1:
            return store_request("1.2.3"), store_request("1.2.4", 2)
        return ()

    association, transport = scripted(react, *CONTEXTS)
    receiver = FileReceiver(tmp_path)
    steps = get_each(association, STUDY_ROOT_GET, IDENTIFIER, receiver)
    assert next(steps) is None
    steps.close()
    assert [path.name for path in tmp_path.iterdir()] == ["1.2.3.dcm"]
    assert store_statuses(transport) == [0, 0xA700, 0xA700]
    assert CCancelRQ(message_id_being_responded_to=1) in transport.sent
    assert not transport.ended


def test_leaving_a_retrieve_that_has_ended_cancels_nothing(tmp_path: Path):
    association, transport = scripted(lambda _: (response(0x0000, completed=0),), *CONTEXTS)
    responses = association.get(STUDY_ROOT_GET, IDENTIFIER, FileReceiver(tmp_path))
    assert next(responses).status.is_success
    responses.close()
    assert [type(message) for message in transport.sent] == [CGetRQ]
    assert not transport.ended


def test_a_peer_that_does_not_answer_a_cancel_is_aborted(tmp_path: Path):
    association, transport = scripted(
        lambda message: (store_request("1.2.3"),) if isinstance(message, CGetRQ) else (), *CONTEXTS
    )
    steps = get_each(association, STUDY_ROOT_GET, IDENTIFIER, FileReceiver(tmp_path))
    next(steps)
    steps.close()
    assert transport.ended == "aborted"


@pytest.mark.parametrize(
    "unasked",
    [
        (CEchoRQ(message_id=1, affected_sop_class_uid="1.2.840.10008.1.1"), None),
        (CMoveRSP(message_id_being_responded_to=1, status=0), None),
        (CGetRSP(message_id_being_responded_to=2, status=0), None),
    ],
    ids=["a request", "another service's response", "another request's response"],
)
def test_what_nobody_asked_for_ends_the_association(tmp_path: Path, unasked):
    association, transport = scripted(lambda _: (store_request("1.2.3"), unasked), *CONTEXTS)
    with pytest.raises(DimseProtocolError):
        list(association.get(STUDY_ROOT_GET, IDENTIFIER, FileReceiver(tmp_path)))
    assert transport.ended == "aborted"


def test_a_file_that_does_not_end_leaves_no_trace(tmp_path: Path):
    class Cut(ScriptedTransport):
        def receive(self, timeout):
            fragment = super().receive(timeout)
            return fragment if fragment.is_command else fragment._replace(is_last=False)

    transport = Cut(lambda _: (store_request("1.2.3"),), *CONTEXTS)
    from isocenter.services.association import ClientAssociation
    from isocenter.upperlayer.errors import ResponseTimeout

    association = ClientAssociation(transport)
    with pytest.raises(ResponseTimeout):
        list(association.get(STUDY_ROOT_GET, IDENTIFIER, FileReceiver(tmp_path)))
    assert list(tmp_path.iterdir()) == []
    assert transport.ended == "aborted"


def test_a_move_names_its_destination(tmp_path: Path):
    def react(message: Message):
        counts = {"number_of_completed_suboperations": 7}
        return ((CMoveRSP(message_id_being_responded_to=1, status=0, **counts), None),)

    association, transport = scripted(react, *CONTEXTS)
    (last,) = association.move(STUDY_ROOT_MOVE, IDENTIFIER, "WORKSTATION")
    assert (last.status.is_success, last.completed) == (True, 7)
    (request,) = transport.sent
    assert isinstance(request, CMoveRQ)
    assert request.move_destination == "WORKSTATION"


@pytest.mark.parametrize("sop_classes", [(), (CT,), tuple(f"1.2.{n}" for n in range(200))])
def test_the_contexts_of_a_get_fit_an_association(sop_classes):
    contexts = get_contexts(STUDY_ROOT_GET, sop_classes)
    assert contexts[0][0] == STUDY_ROOT_GET
    assert len(contexts) <= 128
    classes = receiving(contexts)
    assert len(classes) == len(set(classes))
    assert STUDY_ROOT_GET not in classes
    assert not sop_classes or set(classes) <= set(sop_classes)


def test_the_usual_classes_are_among_them():
    names = ("1.1", "2", "4", "7", "88.11", "88.67", "104.1", "128", "481.3", "9.1.1", "66.4")
    wanted = {f"1.2.840.10008.5.1.4.1.1.{name}" for name in names}
    assert wanted <= set(receiving(get_contexts(STUDY_ROOT_GET)))
