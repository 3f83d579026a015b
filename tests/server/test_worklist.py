"""A node's worklist and performed procedure steps, whatever the modality sends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from isocenter.archive.layout import WORKFLOW_FILE
from isocenter.archive.workflow import Workflow
from isocenter.archive.workflow.performed_steps import PerformedSteps
from isocenter.archive.workflow.worklist import Worklist
from isocenter.dictionary.sop_classes import MODALITY_WORKLIST_FIND, MPPS, MPPS_RETRIEVE
from isocenter.dictionary.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
)
from isocenter.dimse.messages import (
    CCancelRQ,
    CEchoRQ,
    CFindRQ,
    CFindRSP,
    NCreateRQ,
    NCreateRSP,
    NDeleteRQ,
    NGetRQ,
    NGetRSP,
    NSetRQ,
    NSetRSP,
)
from isocenter.encoding.elements import Elements, RawElement, decode_elements, encode_elements
from isocenter.encoding.recoding import neutral_elements
from isocenter.services.association import ClientAssociation, Destination
from isocenter.services.performed_procedure_step_scp import DATA_SET_LIMIT
from isocenter.services.performed_procedure_step_scu import (
    PROCEDURE_STEP_CONTEXTS,
    create_step,
    get_step,
    set_step,
)
from isocenter.services.query_retrieve_scu import find_context
from tests.archive.workflow.items import data_set, item, step_begun, step_ended
from tests.server.support import ECHO, EXPLICIT, Peer
from tests.server.support_nodes import configured, log_lines
from tests.support.node import Node

UID = "1.2.3.4"
WORKLIST = (MODALITY_WORKLIST_FIND, EXPLICIT)
STEPS, STEP_RETRIEVE = (MPPS, EXPLICIT), (MPPS_RETRIEVE, EXPLICIT)


@contextmanager
def opened(node: Node) -> Iterator[Workflow]:
    """The node's workflow database, open beside it as a command has it."""
    with Workflow(node.data / WORKFLOW_FILE) as workflow:
        yield workflow


def schedule(node: Node, *items: Elements) -> None:
    with opened(node) as workflow:
        for each in items:
            Worklist(workflow).add(each)


def many(count: int) -> Iterator[Elements]:
    return (item(ScheduledProcedureStepID=f"S{number:05}") for number in range(count))


def ask(step: dict[str, str] | None = None, **keys: str) -> Elements:
    inside = data_set(**{"ScheduledProcedureStepID": "", **(step or {})})
    return data_set(**{"PatientName": "", **keys}) | {0x00400100: RawElement("SQ", [inside])}


def find(node: Node, identifier: Elements, *, syntax: TransferSyntax | None = None):
    """All responses of a worklist query: the statuses, and the identifiers in neutral form."""
    syntax = syntax or EXPLICIT_VR_LITTLE_ENDIAN
    with Destination("127.0.0.1", node.port).connect(
        [(MODALITY_WORKLIST_FIND, [syntax.uid])]
    ) as association:
        responses = list(association.find(MODALITY_WORKLIST_FIND, identifier))
    found = [neutral_elements(each.identifier, syntax) for each in responses[:-1]]
    return [each.status.code for each in responses], found


@contextmanager
def modality(node: Node) -> Iterator[ClientAssociation]:
    destination = Destination("127.0.0.1", node.port, calling_ae="CT1")
    with destination.connect(PROCEDURE_STEP_CONTEXTS) as association:
        yield association


def test_a_modality_finds_what_was_scheduled_while_the_node_was_running(start_node):
    node = start_node()
    assert find(node, ask()) == ([0], [])
    schedule(node, item(), item(Modality="MR", ScheduledProcedureStepID="SPS2"))
    statuses, (match,) = find(node, ask({"Modality": "MR"}))
    assert statuses == [0xFF00, 0]
    assert match == ask(
        {"Modality": "MR", "ScheduledProcedureStepID": "SPS2"}, PatientName="DOE^JANE"
    )


@pytest.mark.parametrize(
    "syntax", [IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN]
)
def test_the_answer_is_in_the_syntax_of_the_context(node: Node, syntax: TransferSyntax):
    study = f"2.25.{uuid4().int}"
    rows = {0x00280010: RawElement("US", b"\x02\x01")}
    schedule(node, item(StudyInstanceUID=study) | rows)
    asked = ask(StudyInstanceUID=study) | {0x00280010: RawElement("US", b"")}
    _, (match,) = find(node, asked, syntax=syntax)
    assert match[0x00280010] == rows[0x00280010]


@pytest.mark.parametrize(
    ("requested", "name", "answered"),
    [
        (b"ISO_IR 100", "Müller^Jürgen", b"ISO_IR 100"),
        (b"ISO_IR 144", "Müller^Jürgen", b"ISO_IR 192"),
        (b"\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎", b"\\ISO 2022 IR 87"),
        (None, "Müller^Jürgen", b"ISO_IR 192"),
        (b"ISO_IR 100", "Doe^Jane", None),
    ],
)
def test_the_requested_character_set_is_used_where_it_can_carry_the_answer(
    node: Node, requested: bytes | None, name: str, answered: bytes | None
):
    study = f"2.25.{uuid4().int}"
    schedule(node, item(PatientName=name, StudyInstanceUID=study))
    asked = ask(StudyInstanceUID=study)
    if requested is not None:
        asked[0x00080005] = RawElement("CS", requested)
    with Destination("127.0.0.1", node.port).connect(
        [find_context(MODALITY_WORKLIST_FIND)]
    ) as association:
        match, _ = list(association.find(MODALITY_WORKLIST_FIND, asked))
    declared = match.identifier.get(0x00080005)
    assert (declared and declared.value.rstrip()) == answered
    found = neutral_elements(match.identifier, EXPLICIT_VR_LITTLE_ENDIAN)
    assert found[0x00100010].value == name.encode()


def test_a_limit_is_never_silent(start_node, tmp_path: Path):
    node = start_node(None, *configured(tmp_path, "[worklist]\nlimit = 2\n"))
    schedule(node, *many(2))
    assert find(node, ask())[0] == [0xFF00, 0xFF00, 0]
    schedule(node, item(ScheduledProcedureStepID="ONE MORE"))
    assert find(node, ask())[0] == [0xFF00, 0xFF00, 0xA700]


def test_steps_that_ended_are_offered_if_the_configuration_says_so(start_node, tmp_path: Path):
    ended = item(ScheduledProcedureStepStatus="COMPLETED")
    node = start_node(tmp_path / "a")
    schedule(node, ended)
    assert find(node, ask())[0] == [0]
    settings = configured(tmp_path, "[worklist]\nhidden_statuses = []\n")
    node = start_node(tmp_path / "b", *settings)
    schedule(node, ended)
    assert find(node, ask())[0] == [0xFF00, 0]


def test_a_key_that_cannot_be_compared_makes_the_answers_ff01(start_node):
    node = start_node()
    schedule(node, item())
    assert find(node, ask() | {0x00091001: RawElement("UN", b"")})[0] == [0xFF01, 0]


@pytest.mark.parametrize(
    "identifier",
    [
        ask({"ScheduledProcedureStepStartDate": "soon"}),
        ask(StudyInstanceUID="1.*"),
        {0x00400100: RawElement("SQ", [data_set(Modality="CT"), data_set(Modality="MR")])},
    ],
)
def test_a_query_without_meaning_is_answered_a900(node: Node, identifier: Elements):
    assert find(node, identifier)[0] == [0xA900]


def worklist_request(peer: Peer, identifier: bytes) -> CFindRSP:
    request = CFindRQ(message_id=1, affected_sop_class_uid=MODALITY_WORKLIST_FIND)
    peer.command(1, request)
    peer.data_set(1, identifier)
    response, _ = peer.read_message()
    assert isinstance(response, CFindRSP)
    return response


def test_identifiers_of_strangers_are_bounded_and_others_are_served(start_node):
    node = start_node()
    schedule(node, item())
    deep = encode_elements({}, EXPLICIT_VR_LITTLE_ENDIAN)
    for _ in range(100):
        item_header = b"\xfe\xff\x00\xe0" + len(deep).to_bytes(4, "little")
        deep = item_header + deep
        deep = b"\x40\x00\x00\x01SQ\0\0" + len(deep).to_bytes(4, "little") + deep
    hostile = {
        b"\x10\x00\x10\x00PN\xff": 0xC000,
        deep: 0xC000,
        bytes(3 * 2**20): 0xA700,
        encode_elements(ask(PatientName="*?" * 30_000), EXPLICIT_VR_LITTLE_ENDIAN): 0,
        encode_elements(ask(PatientName="'%_[" * 100), EXPLICIT_VR_LITTLE_ENDIAN): 0,
    }
    for identifier, status in hostile.items():
        with Peer.associated(node.port, WORKLIST) as peer:
            assert worklist_request(peer, identifier).status == status
            assert peer.released()
    assert find(node, ask())[0] == [0xFF00, 0]


def test_a_cancel_ends_a_long_answer(start_node):
    node = start_node()
    schedule(node, *many(3000))
    with Peer.associated(node.port, WORKLIST) as peer:
        peer.command(1, CFindRQ(message_id=7, affected_sop_class_uid=MODALITY_WORKLIST_FIND))
        peer.data_set(1, encode_elements(ask(), EXPLICIT_VR_LITTLE_ENDIAN))
        peer.command(1, CCancelRQ(message_id_being_responded_to=7))
        statuses = []
        while not statuses or statuses[-1] == 0xFF00:
            response, _ = peer.read_message()
            assert isinstance(response, CFindRSP)
            statuses.append(response.status)
        assert statuses[-1] == 0xFE00
        assert len(statuses) < 3000
        assert peer.released()


def test_a_modality_that_never_reads_its_answer_holds_up_nobody(start_node):
    node = start_node()
    schedule(node, *many(2000))
    with Peer.associated(node.port, WORKLIST, receive_buffer=4096) as lazy:
        lazy.command(1, CFindRQ(message_id=1, affected_sop_class_uid=MODALITY_WORKLIST_FIND))
        lazy.data_set(1, encode_elements(ask(), EXPLICIT_VR_LITTLE_ENDIAN))
        assert len(find(node, ask())[1]) == 2000


def test_a_performed_step_is_durable_and_ends_the_scheduled_one(start_node):
    node = start_node()
    schedule(node, item())
    with modality(node) as association:
        assert create_step(association, UID, step_begun()).status.code == 0
        assert find(node, ask({"ScheduledProcedureStepStatus": "STARTED"}))[0] == [0xFF00, 0]
        assert set_step(association, UID, step_ended()).status.code == 0
    assert find(node, ask())[0] == [0]
    node.kill()
    with opened(node) as workflow:
        (step,) = PerformedSteps(workflow).steps()
    assert (step.sop_instance_uid, step.status, step.source_ae) == (UID, "COMPLETED", "CT1")


def test_a_node_of_several_workers_has_one_worklist(start_node, tmp_path: Path):
    node = start_node(None, *configured(tmp_path, "[workers]\ncount = 2\n"))
    schedule(node, item())
    with modality(node) as association, modality(node) as other:
        assert create_step(association, UID, step_begun()).status.code == 0
        assert create_step(other, UID, step_begun()).status.code == 0x0111
        assert set_step(other, UID, step_ended()).status.code == 0
    assert find(node, ask())[0] == [0]


def test_every_breach_of_the_rules_gets_its_status(start_node):
    node = start_node()
    without_modality = step_begun()
    del without_modality[0x00080060]
    with modality(node) as association:
        replies = [
            set_step(association, UID, step_ended()),
            create_step(association, "1.2.x", step_begun()),
            create_step(association, UID, {}),
            create_step(association, UID, without_modality),
            create_step(association, UID, step_begun(Modality="")),
            create_step(association, UID, step_begun(PerformedProcedureStepStatus="COMPLETED")),
            create_step(association, UID, step_begun()),
            create_step(association, UID, step_begun()),
            set_step(association, UID, data_set(PatientID="other")),
            set_step(association, UID, data_set(PerformedProcedureStepStatus="COMPLETED")),
            set_step(association, UID, step_ended("DISCONTINUED")),
            set_step(association, UID, step_ended()),
            get_step(association, "1.9"),
        ]
    expected = [
        *(0x0112, 0x0117, 0x0120, 0x0120, 0x0121, 0x0106, 0, 0x0111),
        *(0x0106, 0x0120, 0, 0x0110, 0x0112),
    ]
    assert [f"{reply.status.code:04X}" for reply in replies] == [f"{c:04X}" for c in expected]
    assert replies[3].attribute_tags == (0x00080060,)
    assert replies[4].attribute_tags == (0x00080060,)
    assert replies[8].attribute_tags == (0x00100020,)
    assert replies[9].attribute_tags == (0x00400250, 0x00400251, 0x00400340)
    assert replies[11].error_id == 0xA710
    assert log_lines(node, "did not carry out a request about a procedure step", "0120H")
    assert not log_lines(node, "DOE^JANE")


def test_a_step_without_uid_gets_one(node: Node):
    with modality(node) as association:
        uid = create_step(association, None, step_begun()).sop_instance_uid
        assert uid.startswith("2.25.")
        assert set_step(association, uid, step_ended()).status.code == 0


def test_what_is_known_of_a_step_can_be_asked(start_node):
    with modality(start_node()) as association:
        create_step(association, UID, step_begun(PatientName="Müller^Jürgen"))
        everything = get_step(association, UID)
        some = get_step(association, UID, (0x00100010, 0x00400252))
        unknown = get_step(association, UID, (0x00400252, 0x00400250))
    assert everything.status.code == 0
    assert everything.attributes == step_begun(PatientName="Müller^Jürgen")
    assert some.status.code == 0
    assert some.attributes == data_set(
        PatientName="Müller^Jürgen", PerformedProcedureStepStatus="IN PROGRESS"
    )
    assert unknown.status.code == 0x0001
    assert unknown.attributes == data_set(PerformedProcedureStepStatus="IN PROGRESS")


def test_operations_that_a_context_does_not_have_are_refused(node: Node):
    instance = {"requested_sop_class_uid": MPPS, "requested_sop_instance_uid": UID}
    with Peer.associated(node.port, STEPS, STEP_RETRIEVE, WORKLIST) as peer:
        wrong = [
            (1, NGetRQ(message_id=1, **instance)),
            (1, NDeleteRQ(message_id=2, **instance)),
            (3, NCreateRQ(message_id=3, affected_sop_class_uid=MPPS_RETRIEVE)),
            (5, NCreateRQ(message_id=4, affected_sop_class_uid=MODALITY_WORKLIST_FIND)),
            (1, CEchoRQ(message_id=5, affected_sop_class_uid=MPPS)),
        ]
        for context_id, request in wrong:
            peer.command(context_id, request)
            response, _ = peer.read_message()
            assert response.status == 0x0211
        foreign = NCreateRQ(message_id=6, affected_sop_class_uid=MPPS_RETRIEVE)
        peer.command(1, foreign)
        response, _ = peer.read_message()
        assert isinstance(response, NCreateRSP)
        assert response.status == 0x0122
        assert peer.released()


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (bytes(DATA_SET_LIMIT + 2), 0x0213),
        (b"\x40\x00\x52\x02CS\xff\x00IN PROGRESS", 0x0110),
        (b"", 0x0120),
    ],
)
def test_attributes_of_strangers_are_bounded(node: Node, content: bytes, status: int):
    with Peer.associated(node.port, STEPS, ECHO) as peer:
        request = NCreateRQ(
            message_id=1,
            affected_sop_class_uid=MPPS,
            affected_sop_instance_uid=UID,
            has_data_set=True,
        )
        peer.command(1, request)
        peer.data_set(1, content)
        response, _ = peer.read_message()
        assert isinstance(response, NCreateRSP)
        assert response.status == status
        assert peer.echo(3) == 0
        assert peer.released()


def test_a_modality_that_is_cut_off_leaves_no_half_a_step(start_node):
    node = start_node()
    begun = encode_elements(step_begun(), EXPLICIT_VR_LITTLE_ENDIAN)
    request = NCreateRQ(
        message_id=1, affected_sop_class_uid=MPPS, affected_sop_instance_uid=UID, has_data_set=True
    )
    with Peer.associated(node.port, STEPS) as peer:
        peer.command(1, request)
        peer.send(b"\x04\0\0\0\0\x0a\0\0\0\x06\x01\x00" + begun[:4])
    with modality(node) as association:
        assert create_step(association, UID, step_begun()).status.code == 0


def test_requests_are_carried_out_in_their_order(start_node):
    """PS3.7 D.3.3.3: also those that a peer sends without waiting for the answers."""
    node = start_node()
    begun = encode_elements(step_begun(), EXPLICIT_VR_LITTLE_ENDIAN)
    ended = encode_elements(step_ended(), EXPLICIT_VR_LITTLE_ENDIAN)
    with Peer(node.port) as peer:
        peer.associate(STEPS, STEP_RETRIEVE, window=(8, 1))
        create = NCreateRQ(
            message_id=1,
            affected_sop_class_uid=MPPS,
            affected_sop_instance_uid=UID,
            has_data_set=True,
        )
        change = NSetRQ(message_id=2, requested_sop_class_uid=MPPS, requested_sop_instance_uid=UID)
        get = NGetRQ(
            message_id=3, requested_sop_class_uid=MPPS_RETRIEVE, requested_sop_instance_uid=UID
        )
        peer.command(1, create)
        peer.data_set(1, begun)
        peer.command(1, change)
        peer.data_set(1, ended)
        peer.command(3, get)
        answers = [peer.read_message() for _ in range(3)]
        assert [type(message) for message, _ in answers] == [NCreateRSP, NSetRSP, NGetRSP]
        assert [message.status for message, _ in answers] == [0, 0, 0]
        kept = decode_elements(answers[2][1], EXPLICIT_VR_LITTLE_ENDIAN)
        assert kept[0x00400252].value.rstrip() == b"COMPLETED"
        assert peer.released()
