"""PDUs and PDVs that break PS3.8 or PS3.7, against a running node.

Each attack gets the answer of Table 9-10 and one line in the log; an honest association that was
there before goes on, and nothing that was stored is lost.
"""

import itertools
import re
from collections.abc import Callable, Iterator

import pytest

from isocenter.dimse.messages import CEchoRQ, CFindRSP, CStoreRQ
from isocenter.upperlayer.contexts import ProposedContext
from isocenter.upperlayer.items import encode_item
from isocenter.upperlayer.pdu import AssociateAC, AssociateRQ, ReleaseRP, ReleaseRQ
from tests.server.support import (
    COMMAND,
    ECHO,
    LAST,
    STORE,
    Peer,
    associate_rq,
    echo_seconds,
    p_data,
    pdu,
    pdv,
    store_rq,
)
from tests.server.support_instances import PATIENT, Instance, assert_stored, instance
from tests.server.support_nodes import log_lines, only_complaint

BY_USER = (0, 0)
"""A-ABORT by the service user, AA-1: also what Table 9-10 answers where no association is yet."""


def by_provider(reason: int) -> tuple[int, int]:
    """A-ABORT by the service provider, AA-8, with a reason of PS3.8 9.3.8."""
    return 2, reason


UNRECOGNIZED, UNEXPECTED, INVALID_VALUE = map(by_provider, (1, 2, 6))

acknowledged: list[Instance] = []
numbers = itertools.count(1)


def new_instance(**options: int) -> Instance:
    return instance(f"1.2.3.5.{next(numbers)}", **options)


def keep(peer: Peer, one: Instance, **options: int) -> None:
    """Stores what must then be found again after everything."""
    assert peer.store(one, **options).status == 0
    acknowledged.append(one)


@pytest.fixture(autouse=True)
def bystander(node) -> Iterator[Peer]:
    """An honest association from before the attack; afterwards it and strangers are served."""
    with Peer.associated(node.port, ECHO, STORE) as peer:
        keep(peer, new_instance(), context_id=3)
        yield peer
        assert peer.echo() == 0
        keep(peer, new_instance(), context_id=3)
        assert peer.released()
    echo_seconds(node.port)
    assert_stored(node.data, acknowledged)
    assert PATIENT not in node.log()


# A-ASSOCIATE-RQ and what comes instead of it

ASSOCIATE = associate_rq(ECHO, STORE).encode()


def with_user_information(value: bytes) -> bytes:
    """An A-ASSOCIATE-RQ whose user information item holds `value`."""
    body = associate_rq(ECHO).encode()[6:]
    return pdu(1, body[: body.rindex(b"\x50\x00")] + encode_item(0x50, value))


def contexts(identifiers: list[int]) -> bytes:
    proposed = tuple(ProposedContext(number, ECHO[0], (ECHO[1],)) for number in identifiers)
    return AssociateRQ("ISOCENTER", "HOSTILE", proposed).encode()


BEFORE_ASSOCIATION = {
    "a length of 4 GiB": (pdu(1, ASSOCIATE[6:], length=0xFFFFFFFF), "4294967295 bytes"),
    "a length of zero": (pdu(1), "states 0 bytes"),
    "a length that ends in an item": (pdu(1, ASSOCIATE[6:-7]), "where 12 are left"),
    "unknown type": (pdu(0x42, b"????"), "PDU type 42H is unknown"),
    "P-DATA": (p_data(1, COMMAND | LAST, b"data"), "P_DATA_TF arrived"),
    "a release request": (ReleaseRQ().encode(), "RELEASE_RQ arrived"),
    "an acceptance": (pdu(2, ASSOCIATE[6:]), "ASSOCIATE_AC arrived"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), "TLS ClientHello"),
    "HTTP": (b"GET / HTTP/1.1\r\nHost: pacs\r\n\r\n", "HTTP request"),
    "129 presentation contexts": (contexts([*range(1, 256, 2), 255]), "context 255"),
    "an even context identifier": (contexts([1, 2]), "context 2 "),
    "user information of noise": (with_user_information(b"\x51\x00\xff\xffnoise"), "item"),
    "a maximum length of 3 bytes": (with_user_information(b"\x51\0\0\x03\0\x40\0"), "3 bytes"),
    "a maximum length of 1": (with_user_information(b"\x51\0\0\x04\0\0\0\x01"), "maximum length"),
}


@pytest.mark.parametrize("what", BEFORE_ASSOCIATION)
def test_instead_of_an_association_request(node, what: str):
    sent, words = BEFORE_ASSOCIATION[what]
    with Peer(node.port) as peer:
        peer.send(sent)
        assert peer.aborted() == BY_USER
        assert words in only_complaint(node, peer.name)


def test_a_hundred_thousand_empty_items_are_refused(node):
    """Within the allowed size, but no honest request has so many."""
    with Peer(node.port) as peer:
        peer.send(with_user_information(b"\x77\0\0\0" * 16000))
        assert peer.aborted() == BY_USER
        only_complaint(node, peer.name)


def test_unknown_user_items_are_skipped(node):
    with Peer(node.port) as peer:
        peer.send(with_user_information(b"\x51\0\0\x04\0\0\x40\0" + b"\x77\0\0\x03???"))
        assert isinstance(peer.read(), AssociateAC)
        assert peer.echo() == 0


def test_an_ae_title_of_control_characters_cannot_forge_a_log_line(node):
    with Peer(node.port) as peer:
        request = bytearray(ASSOCIATE)
        request[26:42] = b"A\nlevel=forged x"
        peer.send(bytes(request))
        peer.read()
    assert log_lines(node, f"peer={peer.name}")
    assert not re.search("^level=forged", node.log(), re.MULTILINE)


# On an established association

ESTABLISHED: dict[str, tuple[bytes, tuple[int, int], str]] = {
    "a P-DATA-TF of 4 GiB": (pdu(4, b"data", length=0xFFFFFFFF), INVALID_VALUE, "4294967295"),
    "more than we announced": (pdu(4, bytes(10), length=131073), INVALID_VALUE, "131073"),
    "an empty P-DATA-TF": (pdu(4), INVALID_VALUE, "states 0 bytes"),
    "a PDV longer than its PDU": (
        pdu(4, pdv(1, COMMAND, b"data", length=7)), INVALID_VALUE, "a PDV states 7 bytes",
    ),
    "a PDV of 4 GiB": (
        pdu(4, pdv(1, COMMAND, b"data", length=0xFFFFFFFF)), INVALID_VALUE, "4294967295",
    ),
    "a PDV length of 0": (pdu(4, pdv(1, 0, length=0)), INVALID_VALUE, "a PDV states 0 bytes"),
    "a PDV length of 1": (pdu(4, pdv(1, 0, length=1)), INVALID_VALUE, "a PDV states 1 bytes"),
    "bytes after the last PDV": (
        pdu(4, pdv(1, COMMAND, b"data") + b"???"), INVALID_VALUE, "no PDV",
    ),
    "reserved bits in the control header": (
        p_data(1, 0x83, b"data"), INVALID_VALUE, "control header",
    ),
    "an even presentation context": (p_data(2, COMMAND, b"??"), INVALID_VALUE, "context 2,"),
    "an unaccepted presentation context": (p_data(99, COMMAND, b"??"), INVALID_VALUE, "context 99"),
    "presentation context 0": (p_data(0, COMMAND, b"data"), INVALID_VALUE, "context 0,"),
    "a second association request": (ASSOCIATE, UNEXPECTED, "ASSOCIATE_RQ arrived"),
    "an acceptance": (pdu(2, ASSOCIATE[6:]), UNEXPECTED, "ASSOCIATE_AC arrived"),
    "a rejection": (pdu(3, bytes(4)), UNEXPECTED, "ASSOCIATE_RJ arrived"),
    "a release response": (ReleaseRP().encode(), UNEXPECTED, "RELEASE_RP arrived"),
    "unknown type": (pdu(0, b"????"), UNRECOGNIZED, "PDU type 00H is unknown"),
    "a release request of 5 bytes": (pdu(5, bytes(5)), INVALID_VALUE, "instead of 4"),
    "data before a command": (p_data(1, LAST, b"data"), BY_USER, "no command announced"),
    "a command that is none": (p_data(1, COMMAND | LAST, b"\xff" * 40), BY_USER, "command"),
    "an empty command": (p_data(1, COMMAND | LAST), BY_USER, "command"),
    "a command without an end": (
        p_data(1, COMMAND, bytes(60_000)) + p_data(1, COMMAND, bytes(60_000)), BY_USER, "65536",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ESTABLISHED)
def test_on_an_established_association(node, what: str):
    sent, answer, words = ESTABLISHED[what]
    with Peer.associated(node.port, ECHO, STORE) as peer:
        peer.send(sent)
        assert peer.aborted() == answer
        assert words in only_complaint(node, peer.name)


def in_mid_object(peer: Peer, one: Instance) -> None:
    """A C-STORE of which the first 300,000 bytes have been sent."""
    peer.command(3, store_rq(one))
    for start in range(0, 300_000, 60_000):
        peer.send(p_data(3, 0, one.data_set[start : start + 60_000]))


IN_MID_OBJECT: dict[str, tuple[Callable[[], bytes], tuple[int, int], str]] = {
    "a second command": (
        lambda: p_data(3, COMMAND | LAST, store_rq(new_instance()).encode()),
        BY_USER,
        "inside a data set",
    ),
    "data on another context": (lambda: p_data(1, 0, b"data"), BY_USER, "inside a message"),
    "a command on another context": (
        lambda: p_data(
            1,
            COMMAND | LAST,
            CEchoRQ(message_id=7, affected_sop_class_uid=ECHO[0]).encode(),
        ),
        BY_USER,
        "inside a message",
    ),
    "a second association request": (lambda: ASSOCIATE, UNEXPECTED, "ASSOCIATE_RQ arrived"),
    "a lying PDV": (lambda: pdu(4, pdv(3, 0, b"??", length=9)), INVALID_VALUE, "a PDV states 9"),
}


@pytest.mark.parametrize("what", IN_MID_OBJECT)
def test_in_mid_object(node, bystander: Peer, what: str):
    """The object is dropped, and its study's next object is stored as if nothing had been."""
    make, answer, words = IN_MID_OBJECT[what]
    torn = new_instance(pixels=1_000_000)
    with Peer.associated(node.port, ECHO, STORE) as peer:
        in_mid_object(peer, torn)
        peer.send(make())
        assert peer.aborted() == answer
        assert words in only_complaint(node, peer.name)
    keep(bystander, new_instance(), context_id=3)
    keep(bystander, torn, context_id=3)


@pytest.mark.parametrize("ending", ["A-ABORT", "close", "release"])
def test_a_peer_that_leaves_in_mid_object(node, bystander: Peer, ending: str):
    torn = new_instance(pixels=1_000_000)
    with Peer.associated(node.port, ECHO, STORE) as peer:
        in_mid_object(peer, torn)
        if ending == "A-ABORT":
            peer.send(pdu(7, bytes(4)))
            assert peer.ended()
        elif ending == "release":
            peer.send(ReleaseRQ().encode())
            assert isinstance(peer.read(), ReleaseRP)
    keep(bystander, new_instance(), context_id=3)
    keep(bystander, torn, context_id=3)
    assert log_lines(node, f"peer={peer.name}")


def test_data_after_the_release_is_ignored(node):
    """AA-6 in Sta13; the release was confirmed and the node waits for the close."""
    with Peer.associated(node.port, ECHO, STORE) as peer:
        peer.send(ReleaseRQ().encode())
        assert isinstance(peer.read(), ReleaseRP)
        peer.send(p_data(1, LAST | COMMAND, b"data"))
        assert peer.ended()


def test_data_in_one_breath_with_the_release_request_are_aborted(node):
    """AA-8 in Sta8: the data come before the release could be confirmed."""
    with Peer.associated(node.port, ECHO, STORE) as peer:
        peer.send(ReleaseRQ().encode(), p_data(1, LAST | COMMAND, b"data"))
        assert peer.aborted() == UNEXPECTED
        assert "P_DATA_TF arrived" in only_complaint(node, peer.name)


@pytest.mark.parametrize("second", [ASSOCIATE, p_data(1, 0, b"data"), ReleaseRQ().encode()])
def test_more_in_one_breath_with_the_association_request_is_aborted(node, second: bytes):
    """AA-8 in Sta3: it comes before the request could be answered."""
    with Peer(node.port) as peer:
        peer.send(ASSOCIATE, second)
        assert peer.aborted() == UNEXPECTED
        assert "arrived in Sta3" in only_complaint(node, peer.name)


def test_a_request_and_its_abort_in_one_breath_leave_nothing(node):
    with Peer(node.port) as peer:
        peer.send(ASSOCIATE, pdu(7, bytes(4)))
        assert peer.ended()
    with Peer.associated(node.port, ECHO) as peer:
        peer.send(ReleaseRQ().encode(), pdu(7, bytes(4)))
        assert peer.ended()


def test_an_association_request_after_the_release_is_aborted(node):
    """AA-7 in Sta13."""
    with Peer.associated(node.port, ECHO, STORE) as peer:
        peer.send(ReleaseRQ().encode())
        assert isinstance(peer.read(), ReleaseRP)
        peer.send(ASSOCIATE)
        assert peer.aborted() == UNEXPECTED


# Messages that can be answered (PS3.7 Annex C): the association goes on


def test_a_store_of_another_class_than_the_context_is_kept_with_a_warning(node):
    """The bytes are worth more than the mistake: they are stored, and the status says B007."""
    other = instance("1.2.3.6.1", sop_class_uid="1.2.840.10008.5.1.4.1.1.4")
    with Peer.associated(node.port, ECHO, STORE) as peer:
        assert peer.store(other, context_id=3).status == 0xB007
        acknowledged.append(other)
        assert peer.echo() == 0


def test_a_store_without_a_data_set_is_refused(node):
    with Peer.associated(node.port, ECHO, STORE) as peer:
        command = CStoreRQ(
            message_id=1,
            affected_sop_class_uid=STORE[0],
            affected_sop_instance_uid="1.2.3.6.2",
            has_data_set=False,
        )
        peer.command(3, command)
        assert peer.read_store_response().status == 0x0212
        only_complaint(node, peer.name)
        assert peer.echo() == 0


def test_a_store_on_the_verification_context_is_refused(node):
    with Peer.associated(node.port, ECHO, STORE) as peer:
        assert peer.store(new_instance(), context_id=1).status == 0x0211
        assert "0211" in only_complaint(node, peer.name)
        assert peer.echo() == 0


def test_a_response_that_answers_nothing_is_dropped(node):
    with Peer.associated(node.port, ECHO, STORE) as peer:
        peer.command(1, CFindRSP(message_id_being_responded_to=1, status=0xFF00))
        assert peer.echo() == 0
        only_complaint(node, peer.name)


def test_a_message_id_that_is_in_use_is_refused(node):
    """The second C-STORE under the message ID of one that is still under way (PS3.7 C.5.17)."""
    first, second = new_instance(pixels=400_000), new_instance()
    with Peer.associated(node.port, ECHO, STORE) as peer:
        peer.send(
            p_data(3, COMMAND | LAST, store_rq(first, message_id=9).encode()),
            *(p_data(3, 0, first.data_set[at : at + 100_000]) for at in range(0, 400_000, 100_000)),
            p_data(3, LAST, first.data_set[400_000:]),
            p_data(3, COMMAND | LAST, store_rq(second, message_id=9).encode()),
            p_data(3, LAST, second.data_set),
        )
        statuses = sorted(peer.read_store_response().status for _ in range(2))
    acknowledged.append(first)
    if statuses[1] == 0:  # the first was through before the second came
        acknowledged.append(second)
    assert statuses in ([0, 0], [0, 0x0210])
