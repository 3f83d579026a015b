"""The probe against scripted peers: whatever a peer does is a finding, and none is pressed."""

from __future__ import annotations

import socket
from datetime import UTC, datetime

import pytest

from isocenter.conformance.probe.calling import Caller
from isocenter.conformance.probe.probe import Probed, Wish, probe
from isocenter.services.association import Destination
from isocenter.upperlayer.limits import Timeouts
from isocenter.upperlayer.pdu import Abort, AssociateRJ
from isocenter.upperlayer.user_information import UserInformation
from tests.conformance.nodes import CT, EXPLICIT, IMPLICIT, JPEG_LOSSLESS, MPEG2, MR
from tests.conformance.peers import Script, negotiating, request_of, scripted, until_closed
from tests.support.processes import free_port

NOW = datetime(2026, 11, 27, tzinfo=UTC)
VERIFICATION = "1.2.840.10008.1.1"
CLASSES = (VERIFICATION, CT, MR)
SYNTAXES = (IMPLICIT, EXPLICIT, JPEG_LOSSLESS, MPEG2)
WISH = Wish(rate=1000, seconds=60, sop_classes=CLASSES, transfer_syntaxes=SYNTAXES)
ACCEPTED, REFUSED = (0, 3)


def destination(port: int, *, answer_within: float = 20) -> Destination:
    """A peer on this machine."""
    return Destination("127.0.0.1", port, timeouts=Timeouts(association=answer_within))


def probed(script: Script, wish: Wish = WISH, *, answer_within: float = 20) -> Probed:
    """Probe a scripted peer."""
    with scripted(script) as peer:
        return probe(destination(peer.port, answer_within=answer_within), wish, NOW)


def findings(result: Probed) -> dict[str, str]:
    """Identifiers of findings, with their evidence."""
    return {one.id: one.evidence for one in result.capabilities.findings}


def storing(sop_class: str, syntaxes: tuple[str, ...]) -> tuple[int, str]:
    """CT in explicit VR and lossless JPEG; Verification in implicit VR."""
    taken = {CT: (EXPLICIT, JPEG_LOSSLESS), VERIFICATION: (IMPLICIT,)}.get(sop_class)
    if taken is None:
        return REFUSED, IMPLICIT
    chosen = next((uid for uid in syntaxes if uid in taken), None)
    return (4, IMPLICIT) if chosen is None else (ACCEPTED, chosen)


def test_what_a_peer_takes_is_found():
    result = probed(negotiating(storing))
    (entity,) = result.capabilities.entities
    assert result.outcome == "accepted"
    assert {one.sop_class: one.accepts for one in entity.capabilities} == {
        VERIFICATION: (IMPLICIT,),
        CT: (EXPLICIT, JPEG_LOSSLESS),
    }
    assert entity.association.maximum_pdu == 16384
    assert entity.stores_unknown_sop_classes is False
    assert result.capabilities.tried is not None
    assert result.capabilities.tried.sop_classes == CLASSES


def test_a_peer_that_answers_no_message_fails_the_echo_and_nothing_else():
    result = probed(negotiating(storing, echoes=False))
    assert "echo-failed" in findings(result)
    assert len(result.capabilities.entities[0].capabilities) == 2


def test_a_peer_that_takes_few_contexts_at_a_time_is_asked_in_small_batches():
    result = probed(negotiating(storing, most=2))
    (entity,) = result.capabilities.entities
    assert {one.sop_class for one in entity.capabilities} == {VERIFICATION, CT}
    assert entity.association.contexts == 2


def test_a_sop_class_that_a_peer_cannot_stand_is_named_and_the_rest_is_found():
    result = probed(negotiating(storing, toxic=MR))
    assert "proposal-not-survived" in findings(result)
    classes = {one.sop_class for one in result.capabilities.entities[0].capabilities}
    assert classes == {VERIFICATION, CT}


def test_a_transfer_syntax_that_a_peer_cannot_stand_is_named_and_the_rest_is_found():
    result = probed(negotiating(storing, toxic=MPEG2))
    assert "proposal-not-survived" in findings(result)
    found = {one.sop_class: one.accepts for one in result.capabilities.entities[0].capabilities}
    assert found[CT] == (EXPLICIT, JPEG_LOSSLESS)


def test_an_answer_in_a_syntax_that_was_not_proposed_is_a_finding():
    result = probed(negotiating(lambda *_: (ACCEPTED, "1.2.3.4.5")))
    assert findings(result)["answer-not-proposed"] == "1.2.3.4.5"


def test_a_peer_that_refuses_verification_is_told_of_and_probed_all_the_same():
    def decide(sop_class: str, syntaxes: tuple[str, ...]) -> tuple[int, str]:
        return (REFUSED, IMPLICIT) if sop_class == VERIFICATION else storing(sop_class, syntaxes)

    result = probed(negotiating(decide))
    assert "verification-refused" in findings(result)
    assert [one.sop_class for one in result.capabilities.entities[0].capabilities] == [CT]


def test_a_window_that_is_negotiated_is_the_peers():
    information = UserInformation(maximum_length=0, asynchronous_operations_window=(4, 2))
    result = probed(negotiating(storing, information=information))
    association = result.capabilities.entities[0].association
    assert (association.operations_performed, association.operations_invoked) == (4, 2)
    assert "pdu-unlimited" in findings(result)


@pytest.mark.parametrize(
    ("outcome", "finding", "script"),
    [
        ("not DICOM", "not-dicom", lambda c: _say(c, b"HTTP/1.1 400 Bad Request\r\n\r\n")),
        ("not DICOM", "not-dicom", lambda c: _say(c, b"SSH-2.0-OpenSSH_9.2\r\n")),
        ("not DICOM", "not-dicom", lambda c: _say(c, b"\x02\x00\x00\x00\x00\x04zzzz")),
        ("hung up", "connection-closed", request_of),
        ("aborted", "association-aborted", lambda c: _after(c, Abort(2, 1).encode())),
        ("rejected", "association-rejected", lambda c: _after(c, AssociateRJ(1, 1, 7).encode())),
    ],
)
def test_a_peer_that_gives_no_association_is_a_finding_with_its_evidence(
    outcome: str, finding: str, script: Script
):
    result = probed(script)
    assert result.outcome == outcome
    assert findings(result)[finding]
    assert result.capabilities.tried is not None
    assert not result.capabilities.tried.complete


def _say(connection: socket.socket, answer: bytes) -> None:
    connection.recv(65536)
    connection.sendall(answer)
    until_closed(connection)


def _after(connection: socket.socket, answer: bytes) -> None:
    request_of(connection)
    connection.sendall(answer)
    until_closed(connection)


def test_a_peer_that_never_answers_is_a_finding():
    result = probed(until_closed, answer_within=0.2)
    assert result.outcome == "silent"
    assert "no-answer" in findings(result)


def test_nobody_at_the_port_is_a_finding():
    result = probe(destination(free_port()), WISH, NOW)
    assert result.outcome == "unreachable"
    assert "no-connection" in findings(result)


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_connections_are_no_faster_than_the_rate_and_end_in_time():
    clock = Clock()
    with scripted(negotiating(storing)) as peer:
        to = destination(peer.port)
        caller = Caller(to, 2, 3.2, clock, clock.sleep)
        result = probe(to, WISH, NOW, caller=caller)
        assert peer.connections == 7
    assert clock.slept == [0.5] * 6
    assert "time-is-up" in findings(result)
    tried = result.capabilities.tried
    assert tried is not None
    assert (tried.associations, tried.complete) == (7, False)


def test_a_peer_that_is_busy_is_asked_again_after_longer_and_longer_pauses():
    clock = Clock()
    with scripted(lambda c: _after(c, AssociateRJ(2, 3, 1).encode())) as peer:
        to = destination(peer.port)
        result = probe(to, WISH, NOW, caller=Caller(to, 1000, 60, clock, clock.sleep))
        assert peer.connections == 4
    assert [seconds for seconds in clock.slept if seconds >= 1] == [1.0, 2.0, 4.0]
    assert result.outcome == "rejected"


def test_nothing_is_stored_without_being_asked():
    """Every association of a probe is released without a C-STORE; the script knows no other PDU."""
    assert "store-accepted" not in findings(probed(negotiating(storing)))
