"""C-FIND as its user: matches as they come, cancel, and an association that stays usable."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from pydicom.dataset import Dataset

from isocenter.dictionary.sop_classes import MODALITY_WORKLIST_FIND, STUDY_ROOT_FIND
from isocenter.dictionary.transfer_syntaxes import IMPLICIT_VR_LITTLE_ENDIAN
from isocenter.dimse.messages import CCancelRQ, CFindRQ, CFindRSP, Message
from isocenter.encoding.elements import Elements, RawElement, encode_elements
from isocenter.encoding.errors import EncodingError
from isocenter.services import query_retrieve_scu
from isocenter.services.association import ClientAssociation
from isocenter.services.errors import NoPresentationContext
from isocenter.services.query_retrieve_scu import find_context
from isocenter.upperlayer.errors import ResponseTimeout
from tests.services.scu.pynetdicom_scp import scp
from tests.services.scu.scripted_transport import scripted

IMPLICIT = IMPLICIT_VR_LITTLE_ENDIAN.uid
QUERY: Elements = {
    0x00080052: RawElement("CS", b"STUDY"),
    0x00100010: RawElement("PN", b"DOE*"),
}
PATIENT_NAME = 0x00100010

Answers = Sequence[tuple[Message, bytes | None]]


class Archive:
    """A C-FIND handler of pynetdicom; `endless`, it has the next match only after a C-CANCEL."""

    def __init__(self, matches: int, *, endless: bool = False) -> None:
        self.matches = matches
        self.endless = endless
        self.canceled = False
        self.asked: list[Dataset] = []

    def __call__(self, event: Any) -> Iterator[tuple[Any, Dataset | None]]:
        self.asked.append(event.identifier)
        for number in range(1, self.matches + 1):
            match = Dataset()
            match.QueryRetrieveLevel = "STUDY"
            match.PatientName = f"DOE^{number}"
            yield 0xFF00, match
        if not self.endless:
            yield 0x0000, None
            return
        patience = time.monotonic() + 20
        while not (canceled := event.is_cancelled) and time.monotonic() < patience:
            time.sleep(0.001)  # only the pause between two looks
        self.canceled = canceled
        yield 0xFE00, None


def names_of(association: ClientAssociation, **options: int) -> list[bytes]:
    return [
        match.identifier[PATIENT_NAME].value.rstrip()  # type: ignore[union-attr]
        for match in association.find(STUDY_ROOT_FIND, QUERY, **options)
        if match.status.is_pending
    ]


@pytest.mark.interop
def test_all_matches_come_and_then_the_final_status() -> None:
    archive = Archive(3)
    with (
        scp(on_find=archive) as peer,
        peer.connect([find_context(STUDY_ROOT_FIND)]) as association,
    ):
        found = list(association.find(STUDY_ROOT_FIND, QUERY))
    assert [match.status.code for match in found] == [0xFF00, 0xFF00, 0xFF00, 0x0000]
    assert [match.identifier[PATIENT_NAME].value for match in found[:3]] == [
        b"DOE^1 ",
        b"DOE^2 ",
        b"DOE^3 ",
    ]
    assert found[3].identifier == {}
    assert archive.asked[0].PatientName == "DOE*"
    assert archive.asked[0].QueryRetrieveLevel == "STUDY"


@pytest.mark.interop
def test_cancel_after_a_number_of_matches_ends_an_endless_query() -> None:
    archive = Archive(3, endless=True)
    with (
        scp(on_find=archive) as peer,
        peer.connect([find_context(STUDY_ROOT_FIND)]) as association,
    ):
        found = list(association.find(STUDY_ROOT_FIND, QUERY, cancel_after=3))
        assert [match.status.code for match in found] == [0xFF00, 0xFF00, 0xFF00, 0xFE00]
        assert archive.canceled
        archive.endless = False
        assert names_of(association) == [b"DOE^1", b"DOE^2", b"DOE^3"]


@pytest.mark.interop
def test_leaving_the_loop_early_cancels_and_the_association_stays_usable() -> None:
    archive = Archive(3, endless=True)
    with (
        scp(on_find=archive) as peer,
        peer.connect([find_context(STUDY_ROOT_FIND)]) as association,
    ):
        for match in association.find(STUDY_ROOT_FIND, QUERY):
            assert match.status.is_pending
            break
        assert archive.canceled
        archive.endless = False
        assert names_of(association) == [b"DOE^1", b"DOE^2", b"DOE^3"]


@pytest.mark.interop
def test_a_failure_is_the_final_status_with_its_meaning_and_comment() -> None:
    failure = Dataset()
    failure.Status = 0xA900
    failure.ErrorComment = "no such key"

    def refuse(event: Any) -> Iterator[tuple[Dataset, None]]:
        yield failure, None

    with scp(on_find=refuse) as peer, peer.connect([find_context(STUDY_ROOT_FIND)]) as association:
        (only,) = association.find(STUDY_ROOT_FIND, QUERY)
    assert str(only.status) == "A900H Identifier does not match SOP class"
    assert only.comment == "no such key"


def pending(request: Message, **changes: int) -> CFindRSP:
    assert isinstance(request, CFindRQ)
    values = {"message_id_being_responded_to": request.message_id, "status": 0xFF00} | changes
    response = CFindRSP(**values)  # type: ignore[arg-type]
    response.has_data_set = response.status == 0xFF00
    return response


MATCH = encode_elements(QUERY, IMPLICIT_VR_LITTLE_ENDIAN)


def test_a_peer_that_ignores_cancel_is_aborted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_retrieve_scu, "CANCEL_PATIENCE", -1.0)

    def react(message: Message) -> Answers:
        return [(pending(message), MATCH)] * 9 if isinstance(message, CFindRQ) else []

    association, transport = scripted(react, (STUDY_ROOT_FIND, IMPLICIT))
    with pytest.raises(ResponseTimeout, match="after C-CANCEL"):
        list(association.find(STUDY_ROOT_FIND, QUERY, cancel_after=1))
    assert transport.ended == "aborted"


def test_cancel_is_sent_once_and_late_matches_are_dropped() -> None:
    def react(message: Message) -> Answers:
        if isinstance(message, CCancelRQ):
            return [(pending(transport.sent[0], status=0xFE00), None)]
        return [(pending(message), MATCH)] * 5

    association, transport = scripted(react, (STUDY_ROOT_FIND, IMPLICIT))
    found = list(association.find(STUDY_ROOT_FIND, QUERY, cancel_after=2))
    assert [match.status.code for match in found] == [0xFF00, 0xFF00, 0xFE00]
    assert [type(message) for message in transport.sent] == [CFindRQ, CCancelRQ]
    assert transport.sent[1] == CCancelRQ(message_id_being_responded_to=1)


def test_leaving_early_over_a_lost_association_raises_nothing() -> None:
    association, transport = scripted(
        lambda message: [(pending(message), MATCH)] if isinstance(message, CFindRQ) else [],
        (STUDY_ROOT_FIND, IMPLICIT),
    )
    found = association.find(STUDY_ROOT_FIND, QUERY)
    next(found)
    found.close()
    assert transport.ended == "aborted"


def test_an_unreadable_match_is_an_error_after_the_query_was_canceled() -> None:
    def react(message: Message) -> Answers:
        if isinstance(message, CCancelRQ):
            return [(pending(transport.sent[0], status=0xFE00), None)]
        return [(pending(message), MATCH[:-1])]

    association, transport = scripted(react, (STUDY_ROOT_FIND, IMPLICIT))
    with pytest.raises(EncodingError):
        list(association.find(STUDY_ROOT_FIND, QUERY))
    assert isinstance(transport.sent[1], CCancelRQ)
    assert not transport.ended


def test_nothing_is_sent_before_the_first_match_is_asked_for() -> None:
    association, transport = scripted(lambda _: [], (STUDY_ROOT_FIND, IMPLICIT))
    association.find(STUDY_ROOT_FIND, QUERY)
    assert not transport.sent


def test_a_model_without_context_is_refused() -> None:
    association, _ = scripted(lambda _: [], (STUDY_ROOT_FIND, IMPLICIT))
    with pytest.raises(NoPresentationContext):
        next(association.find(MODALITY_WORKLIST_FIND, QUERY))
