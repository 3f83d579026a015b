"""What lies behind a failed association, in a clause."""

import re

import pytest

from isocenter.upperlayer.causes import (
    diagnose_abort,
    diagnose_refused_contexts,
    diagnose_rejection,
)
from isocenter.upperlayer.contexts import ContextResult, ProposedContext
from isocenter.upperlayer.events import Aborted
from isocenter.upperlayer.pdu import AssociateAC, AssociateRJ, AssociateRQ
from isocenter.upperlayer.user_information import UserInformation

CT, VERIFICATION = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.1"
EXPLICIT, JPEG_XL = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.110"


@pytest.mark.parametrize(
    ("source", "reason", "said"),
    [
        (1, 7, "the called AE title is not known here: call ARCHIVE"),
        (1, 2, "the application context is not that of DICOM"),
        (1, 1, "proposed no presentation context"),
        (3, 2, r"a limit of this node is exceeded.*\[limits\]"),
        (2, 2, "protocol version not supported"),
        (9, 9, "reserved reason 9"),
    ],
)
def test_a_rejection_of_ours_says_what_cures_it(source: int, reason: int, said: str) -> None:
    assert re.search(said, diagnose_rejection(AssociateRJ(1, source, reason), "ARCHIVE"))


def refused(*answers: tuple[str, str, int]) -> str:
    proposed = tuple(
        ProposedContext(2 * number + 1, uid, (syntax,))
        for number, (uid, syntax, _) in enumerate(answers)
    )
    results = tuple(
        ContextResult(2 * number + 1, result, EXPLICIT)
        for number, (_, _, result) in enumerate(answers)
    )
    request = AssociateRQ("A", "B", proposed, UserInformation())
    return diagnose_refused_contexts(
        request, AssociateAC("A", "B", results, UserInformation())
    ).removeprefix("none of the proposed presentation contexts was accepted: ")


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (1, "not allowed to the calling AE title: Verification SOP Class"),
        (2, "refused without a reason: Verification SOP Class"),
        (3, "not provided: Verification SOP Class"),
        (
            4,
            "none of the transfer syntaxes JPEG XL Lossless is supported for "
            "Verification SOP Class",
        ),
        (77, "refused without a reason: Verification SOP Class"),
    ],
)
def test_refused_contexts_are_named_with_their_reason(result: int, said: str) -> None:
    assert refused((VERIFICATION, JPEG_XL, result)) == said


def test_one_context_that_is_accepted_makes_it_no_failure() -> None:
    assert refused((VERIFICATION, EXPLICIT, 3), (CT, EXPLICIT, 0)) == ""


def test_reasons_are_told_apart_and_long_lists_cut() -> None:
    said = refused((VERIFICATION, EXPLICIT, 3), *[(f"1.2.{n}", EXPLICIT, 1) for n in range(9)])
    assert said == (
        "not provided: Verification SOP Class; "
        "not allowed to the calling AE title: 1.2.0, 1.2.1, 1.2.2 and 6 more"
    )


def test_what_a_peer_calls_its_classes_is_cut() -> None:
    assert len(refused(("x" * 5000, EXPLICIT, 3))) < 200


@pytest.mark.parametrize(
    ("aborted", "busy", "said"),
    [
        (Aborted(2, 1, by_peer=False, diagnosis="it sent nonsense"), True, "it sent nonsense"),
        (Aborted(0, 0, by_peer=True), True, "waited for an answer"),
        (Aborted(0, 0, by_peer=True), False, "instead of a release"),
    ],
)
def test_an_abort_is_told_by_who_did_it_and_when(aborted: Aborted, busy: bool, said: str) -> None:
    assert said in diagnose_abort(aborted, busy=busy)
