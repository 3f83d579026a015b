"""The acceptor's answers: contexts, roles, window, extended negotiation, identity."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.upperlayer.contexts import ContextAnswer, ContextResult, ProposedContext
from isocenter.upperlayer.negotiation import (
    accept_context,
    accepts_nothing,
    choose_transfer_syntax,
    negotiate,
    refuse,
    refuse_context,
)
from isocenter.upperlayer.pdu import AssociateRJ, decode_pdu
from isocenter.upperlayer.user_information import (
    ExtendedNegotiation,
    RoleSelection,
    UserIdentity,
    UserInformation,
)
from tests.upperlayer import strategies
from tests.upperlayer.links import CT_IMAGE, EXPLICIT, IMPLICIT, REQUEST, VERIFICATION

OURS = UserInformation(131072, "1.2.3", "OURS")


def decide(proposed: ProposedContext) -> ContextResult:
    """Accept what has a name here, in the requestor's preferred syntax."""
    if proposed.abstract_syntax not in (VERIFICATION, CT_IMAGE):
        return refuse_context(proposed, ContextAnswer.ABSTRACT_SYNTAX_NOT_SUPPORTED)
    return accept_context(proposed, proposed.transfer_syntaxes[0])


def answer(peer: UserInformation, **options) -> UserInformation:
    request = replace(REQUEST, user_information=peer)
    return negotiate(request, decide, user_information=OURS, **options).user_information


def test_each_proposed_context_is_answered_in_order():
    response = negotiate(REQUEST, decide, user_information=OURS)
    assert response.presentation_contexts == (
        ContextResult(1, 0, IMPLICIT),
        ContextResult(3, 0, EXPLICIT),
        ContextResult(5, 3, IMPLICIT),
    )
    assert response.called_ae_title == REQUEST.called_ae_title
    assert response.calling_ae_title == REQUEST.calling_ae_title
    assert response.user_information == OURS
    assert not accepts_nothing(response)


def test_an_answer_without_any_accepted_context_is_recognized():
    def refuse_all(proposed: ProposedContext) -> ContextResult:
        return refuse_context(proposed, ContextAnswer.USER_REJECTION)

    assert accepts_nothing(negotiate(REQUEST, refuse_all, user_information=OURS))


def test_the_requestors_preference_decides_on_the_transfer_syntax():
    context = ProposedContext(1, CT_IMAGE, ("1.2", EXPLICIT, IMPLICIT))
    assert choose_transfer_syntax(context, {IMPLICIT, EXPLICIT}.__contains__) == EXPLICIT
    assert choose_transfer_syntax(context, lambda uid: False) == ""


@pytest.mark.parametrize(
    ("proposed", "granted", "expected"),
    [
        ((True, True), (True, True), (True, True)),
        ((False, True), (True, True), (False, True)),
        ((True, True), (True, False), (True, False)),
        ((True, False), (False, True), (False, False)),
    ],
)
def test_no_role_is_granted_that_was_not_proposed(proposed, granted, expected):
    peer = UserInformation(role_selections=(RoleSelection(CT_IMAGE, *proposed),))
    answers = answer(peer, decide_roles=lambda role: RoleSelection(CT_IMAGE, *granted))
    assert answers.role_selections == (RoleSelection(CT_IMAGE, *expected),)


def test_roles_are_answered_once_and_only_for_accepted_classes():
    roles = tuple(RoleSelection(uid, True, True) for uid in (CT_IMAGE, "1.2.3.4", CT_IMAGE))
    peer = UserInformation(role_selections=roles)
    assert answer(peer, decide_roles=lambda role: role).role_selections == roles[:1]
    assert answer(peer, decide_roles=lambda role: None).role_selections == ()
    assert answer(peer).role_selections == ()


@pytest.mark.parametrize(
    ("proposed", "granted", "expected"),
    [
        (None, (16, 1), None),
        ((8, 1), (16, 1), (8, 1)),
        ((100, 100), (16, 1), (16, 1)),
        ((0, 0), (16, 1), (16, 1)),
        ((5, 5), (0, 0), (5, 5)),
        ((0, 0), (0, 0), (0, 0)),
    ],
)
def test_the_window_is_answered_only_when_proposed_and_never_above(proposed, granted, expected):
    peer = UserInformation(asynchronous_operations_window=proposed)
    answers = answer(peer, asynchronous_operations_window=granted)
    assert answers.asynchronous_operations_window == expected


def test_extended_negotiation_is_answered_by_the_callback():
    items = (ExtendedNegotiation(CT_IMAGE, b"\1\1"), ExtendedNegotiation("1.2.3.4", b"\1"))
    peer = UserInformation(extended_negotiations=items)
    answers = answer(peer, answer_extended=lambda item: item.information[:1])
    assert answers.extended_negotiations == (ExtendedNegotiation(CT_IMAGE, b"\1"),)
    assert answer(peer, answer_extended=lambda item: None).extended_negotiations == ()


def test_extended_negotiation_that_would_not_fit_is_not_echoed():
    peer = UserInformation(extended_negotiations=(ExtendedNegotiation(CT_IMAGE, bytes(60_000)),))
    assert answer(peer, answer_extended=lambda item: item.information).extended_negotiations == ()


@pytest.mark.parametrize(("requested", "expected"), [(True, b"ticket"), (False, None)])
def test_an_identity_is_answered_only_on_request(requested: bool, expected: bytes | None):
    identity = UserIdentity(3, b"kerberos", positive_response_requested=requested)
    answers = answer(UserInformation(user_identity=identity), answer_identity=lambda i: b"ticket")
    assert answers.user_identity_response == expected


def test_another_application_context_is_rejected():
    assert refuse(REQUEST) is None
    assert refuse(replace(REQUEST, application_context_name="1.2")) == AssociateRJ(1, 1, 2)
    assert refuse(replace(REQUEST, presentation_contexts=())) == AssociateRJ(1, 1, 1)


@given(strategies.requests, st.booleans())
def test_every_request_gets_an_answer_that_can_be_sent(request_, accept: bool):
    def decide_any(proposed: ProposedContext) -> ContextResult:
        if accept:
            return accept_context(proposed, proposed.transfer_syntaxes[0])
        return refuse_context(proposed, ContextAnswer.NO_REASON)

    response = negotiate(
        request_,
        decide_any,
        user_information=OURS,
        decide_roles=lambda role: role,
        answer_extended=lambda item: item.information,
        answer_identity=lambda identity: b"",
    )
    assert decode_pdu(response.encode()) == response
