"""SOP Class Extended Negotiation of queries, from the user's side (PS3.4 C.5.1.1)."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind

from isocenter.dictionary.sop_classes import MODALITY_WORKLIST_FIND as WORKLIST
from isocenter.dictionary.sop_classes import STUDY_ROOT_FIND, STUDY_ROOT_MOVE
from isocenter.services.query_options import QueryOptions, agreed_options
from isocenter.services.query_retrieve_scu import find_context
from isocenter.upperlayer.user_information import ExtendedNegotiation
from tests.services.scu.pynetdicom_scp import scp


def test_who_wants_nothing_proposes_nothing() -> None:
    assert QueryOptions().query_proposals(STUDY_ROOT_FIND) == ()
    assert QueryOptions(fuzzy=True).retrieval_proposals(STUDY_ROOT_MOVE) == ()


def test_each_wish_is_a_byte() -> None:
    wanted = QueryOptions(relational=True, fuzzy=True)
    assert wanted.query_proposals(STUDY_ROOT_FIND) == (
        ExtendedNegotiation(STUDY_ROOT_FIND, b"\1\0\1"),
    )
    everything = QueryOptions(*[True] * 7).query_proposals(STUDY_ROOT_FIND, WORKLIST)
    assert [item.information for item in everything] == [b"\1" * 7] * 2
    assert wanted.retrieval_proposals(STUDY_ROOT_MOVE) == (
        ExtendedNegotiation(STUDY_ROOT_MOVE, b"\1"),
    )


@pytest.mark.parametrize(
    ("answer", "agreed"),
    [
        (b"\1\1\1\1", QueryOptions(True, True, True, True)),
        (b"\1", QueryOptions(relational=True)),
        (b"", QueryOptions()),
        (b"\0\0\1\0\0\1\1\1\1", QueryOptions(fuzzy=True, empty_values=True, multiple_values=True)),
        (b"\2\xff\0\1", QueryOptions(timezone=True)),
    ],
)
def test_an_answer_of_any_length_is_read(answer: bytes, agreed: QueryOptions) -> None:
    answers = [ExtendedNegotiation("1.2.3", b"\1"), ExtendedNegotiation(STUDY_ROOT_FIND, answer)]
    assert agreed_options(STUDY_ROOT_FIND, answers) == agreed


def test_no_answer_agrees_to_nothing() -> None:
    assert agreed_options(STUDY_ROOT_FIND, ()) == QueryOptions()
    missing = QueryOptions(relational=True, fuzzy=True) - QueryOptions(fuzzy=True)
    assert str(missing) == "relational"
    assert not QueryOptions(fuzzy=True) - QueryOptions(fuzzy=True, timezone=True)


@pytest.mark.interop
def test_a_foreign_peer_hears_the_wish_and_agrees_to_a_part() -> None:
    heard: dict[str, bytes] = {}

    def answer(event):
        heard.update(event.app_info)
        return {StudyRootQueryRetrieveInformationModelFind: b"\1\0\0\0"}

    def no_match(event):
        assert isinstance(event.identifier, Dataset)
        yield 0x0000, None

    wanted = QueryOptions(relational=True, timezone=True)
    with (
        scp(on_find=no_match, handlers=[(evt.EVT_SOP_EXTENDED, answer)]) as peer,
        peer.connect(
            [find_context(STUDY_ROOT_FIND)], extended=wanted.query_proposals(STUDY_ROOT_FIND)
        ) as association,
    ):
        agreed = agreed_options(STUDY_ROOT_FIND, association.extended_negotiations)
    assert heard == {STUDY_ROOT_FIND: b"\1\0\0\1"}
    assert agreed == QueryOptions(relational=True)
