"""C-FIND requests that are broken, huge or cunning; and C-CANCEL from a peer that reads slowly."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from isocenter.dictionary.sop_classes import STUDY_ROOT_FIND
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.dimse.messages import CCancelRQ, CFindRQ
from isocenter.encoding.elements import Elements, RawElement, encode_elements
from isocenter.services.collecting import SHARED_BYTES
from tests.security.attacks.queried import (
    CANCEL,
    INSTANCES,
    LEVEL,
    MISMATCH,
    NAMES,
    OUT_OF_RESOURCES,
    SUCCESS,
    ask,
    images,
    node_of_names,
    studies,
)
from tests.security.attacks.under_attack import MIB, Honest, attack, under_attack
from tests.server.support import COMMAND, ECHO, FIND, LAST, Peer, p_data
from tests.server.support_instances import PATIENT_NAME
from tests.server.support_nodes import log_lines, memory, only_complaint
from tests.support.node import Node

pytestmark = attack(11, "query DoS")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with node_of_names(tmp_path_factory.mktemp("names")) as running:
        yield running


# Identifiers that are none

BROKEN = {
    "text": b"Dear archive, please find me everything.",
    "ones": b"\xff" * 100,
    "cut short": b"\x08\0\x52\0CS\x10\0STUDY",
    "4 GiB": b"\x08\0\x05\0OB\0\0\xf0\xff\xff\xffxx",
    "a sequence without an end": b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff",
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_identifier_is_refused(node: Node, what: str):
    with Peer.associated(node.port, FIND, ECHO) as peer:
        (response,) = peer.find(BROKEN[what])
        assert response.status >> 12 == 0xC
        assert response.error_comment
        only_complaint(node, peer.name)
        assert peer.echo(3) == 0


LEVELS = {"none": None, "empty": b"", "unknown": b"GALAXY", "PATIENT": b"PATIENT"}


@pytest.mark.parametrize("what", LEVELS)
def test_a_level_that_the_model_lacks_is_refused(node: Node, what: str):
    identifier = studies()
    del identifier[LEVEL]
    if (level := LEVELS[what]) is not None:
        identifier[LEVEL] = RawElement("CS", level)
    assert ask(node, identifier) == (0, MISMATCH)


def test_an_empty_identifier_is_refused(node: Node):
    assert ask(node, b"") == (0, MISMATCH)


def test_a_wildcard_in_a_uid_is_refused(node: Node):
    assert ask(node, studies(uid=b"1.2.*")) == (0, MISMATCH)


def test_an_identifier_of_three_megabytes_is_refused(node: Node):
    assert ask(node, studies(uid=b"\\".join([b"1.2.3.4"] * 400_000))) == (0, OUT_OF_RESOURCES)


def test_ten_thousand_uids_are_found(node: Node):
    uids = [b"1.2.3.40.%d" % number for number in range(10_000)]
    assert ask(node, studies(uid=b"\\".join(uids))) == (len(NAMES), SUCCESS)


def test_more_values_than_a_statement_can_hold_are_refused(node: Node):
    uids = [b"1.2.%d" % number for number in range(50_000)]
    assert ask(node, studies(uid=b"\\".join(uids))) == (0, MISMATCH)


@pytest.mark.parametrize("name", [b"A" * 64_000, b"*A" * 32_000, b"?" * 64_000, b"=" * 64_000])
def test_endless_names_match_nothing_and_cost_nothing(node: Node, name: bytes):
    matches, status = ask(node, studies(name=name))
    assert matches == 0
    assert status in (SUCCESS, MISMATCH)


def test_a_pattern_that_backtracks_keeps_nobody_waiting(node: Node, honest: Honest):
    with Peer.associated(node.port, FIND) as peer:
        peer.begin_find(studies(name=b"*" + b"a*" * 30 + b"b"))
        honest.answered()
        assert peer.read_matches()[-1].status in (SUCCESS, MISMATCH)


# Keys that are answered from stored headers

COMMENTS, REQUESTS = 0x00204000, 0x00400275


def nested(depth: int) -> Elements:
    key: Elements = {COMMENTS: RawElement("LT", b"x")}
    for _ in range(depth):
        key = {REQUESTS: RawElement("SQ", [key])}
    return key


HEADER_KEYS: dict[str, tuple[Elements, int]] = {
    "a deep sequence": (nested(60), SUCCESS),
    "ten thousand items": ({REQUESTS: RawElement("SQ", [nested(0)] * 10_000)}, MISMATCH),
    "ten thousand empty items": ({REQUESTS: RawElement("SQ", [{}] * 10_000)}, SUCCESS),
    "an endless text": ({COMMENTS: RawElement("LT", b"A" * 60_000)}, SUCCESS),
    "an endless pattern": ({COMMENTS: RawElement("LT", b"*a" * 30_000)}, MISMATCH),
    "a pattern that backtracks": ({COMMENTS: RawElement("LT", b"*a" * 500 + b"b")}, SUCCESS),
    "ten thousand values": ({0x00080008: RawElement("CS", b"\\".join([b"A"] * 10_000))}, SUCCESS),
    "no date": ({0x00080022: RawElement("DA", b"soon")}, MISMATCH),
    "no number": ({0x00180050: RawElement("DS", b"thick")}, SUCCESS),
    "a name as a sequence": ({PATIENT_NAME: RawElement("SQ", [nested(1)])}, SUCCESS),
    "an unknown element": ({0x00080FFE: RawElement("LO", b"%_'")}, SUCCESS),
    "pixels": ({0x7FE00010: RawElement("OW", b"\0" * 60_000)}, SUCCESS),
}


@pytest.mark.parametrize("what", HEADER_KEYS)
def test_strange_keys_of_the_header_have_an_answer(node: Node, what: str):
    keys, status = HEADER_KEYS[what]
    assert ask(node, {**studies(uid=b"1.2.3.40.0"), **keys})[1] == status


def test_a_thousand_header_keys_are_answered(node: Node):
    keys: Elements = {0x00180000 + number: RawElement("LO", b"") for number in range(0x10, 0x3F8)}
    assert ask(node, {**studies(), **keys}) == (len(NAMES) + 1, SUCCESS)


def test_a_vr_that_does_not_exist_is_no_key(node: Node):
    odd = b"\x08\0\x81\0ZZ\4\0Road"
    with Peer.associated(node.port, FIND) as peer:
        responses = peer.find(encode_elements(studies(), EXPLICIT_VR_LITTLE_ENDIAN) + odd)
    assert [response.status for response in responses] == [0xFF01] * (len(NAMES) + 1) + [SUCCESS]


# C-CANCEL


def test_a_cancel_ends_the_stream_of_matches(node: Node):
    """The peer reads through a keyhole: most matches are still to come when it cancels."""
    with Peer.associated(node.port, FIND, ECHO, receive_buffer=2048) as peer:
        for _ in range(2):
            message_id = peer.begin_find(images())
            first, _ = peer.read_message()
            assert first.status == 0xFF00
            peer.cancel(message_id)
            responses = peer.read_matches()
            assert responses[-1].status in (CANCEL, SUCCESS)
        assert peer.echo(3) == 0


def test_a_cancel_in_one_breath_with_the_request_is_obeyed(node: Node):
    """It arrives with the request, so it has arrived before the first match."""
    command = CFindRQ(message_id=1, affected_sop_class_uid=STUDY_ROOT_FIND).encode()
    cancel = CCancelRQ(message_id_being_responded_to=1).encode()
    identifier = encode_elements(images(), EXPLICIT_VR_LITTLE_ENDIAN)
    with Peer.associated(node.port, FIND, ECHO) as peer:
        peer.send(
            p_data(1, COMMAND | LAST, command),
            p_data(1, LAST, identifier),
            p_data(1, COMMAND | LAST, cancel),
        )
        assert [response.status for response in peer.read_matches()] == [CANCEL]
        assert peer.echo(3) == 0


def test_a_cancel_of_many_unread_matches_answers_fe00(node: Node):
    """Eight queries fill every buffer on the way, so that none can have ended when cancelled."""
    with Peer(node.port, receive_buffer=2048) as peer:
        peer.associate(FIND, ECHO, window=(8, 1))
        message_ids = [peer.begin_find(images()) for _ in range(8)]
        for message_id in message_ids:
            peer.cancel(message_id)
        finals = []
        while len(finals) < 8:
            response, _ = peer.read_message()
            if response.status != 0xFF00:
                finals.append(response.status)
        assert set(finals) <= {CANCEL, SUCCESS}
        assert CANCEL in finals
        assert peer.echo(3) == 0


def test_a_cancel_of_nothing_is_ignored(node: Node):
    with Peer.associated(node.port, FIND, ECHO) as peer:
        peer.cancel(77)
        assert peer.echo(3) == 0
        assert len(peer.find(images())) == INSTANCES + 1


def test_a_peer_that_leaves_while_matches_stream_harms_nobody(node: Node):
    for _ in range(10):
        with Peer.associated(node.port, FIND) as peer:
            peer.begin_find(images())
            peer.read_message()
    assert ask(node, images()) == (INSTANCES, SUCCESS)


# Identifiers by the gigabyte


def half_sent_identifiers(stack: ExitStack, node: Node) -> None:
    """Each is within its limit, and never ends; together they are more than is kept of all."""
    piece = p_data(1, 0, bytes(100_000))
    command = CFindRQ(message_id=1, affected_sop_class_uid=STUDY_ROOT_FIND).encode()
    for number in range(400):
        source = f"127.0.1.{1 + number % 2}"
        peer = stack.enter_context(Peer.associated(node.port, FIND, source=source))
        peer.send(p_data(1, COMMAND | LAST, command), *[piece] * 19)


def test_half_sent_identifiers_take_bounded_memory_and_keep_no_query_out(start_node):
    node = start_node()
    before = memory(node)
    with ExitStack() as stack:
        half_sent_identifiers(stack, node)
        assert memory(node) - before < SHARED_BYTES + 128 * MIB
    # The allocator may keep what was freed, and uses it again.
    with under_attack(node) as honest, ExitStack() as stack:
        half_sent_identifiers(stack, node)
        honest.answered()
        assert ask(node, studies(name=b"DOE^J")) == (0, SUCCESS)


def test_no_name_and_no_uid_that_was_asked_for_is_logged(node: Node):
    """The last test of this module."""
    for line in log_lines(node, "timestamp="):
        assert not any(name.partition("^")[0] in line for name in NAMES if "^" in name)
