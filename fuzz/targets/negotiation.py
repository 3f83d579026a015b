"""Association requests as the node answers them: roles, options, identities, and the record."""

import json
from collections.abc import Iterator

from fuzz.target import Target, check_error
from fuzz.targets import pdu
from isocenter.dictionary.sop_classes import STUDY_ROOT_FIND
from isocenter.security.access import ALL_STUDIES
from isocenter.security.identity_outcome import Verified
from isocenter.services.extended_negotiation import answer_extended, granted_options
from isocenter.services.negotiation_record import describe_negotiation
from isocenter.services.user_identity import acknowledge, identity_kind, user_name
from isocenter.upperlayer.association import Association
from isocenter.upperlayer.contexts import ContextAnswer, ContextResult, ProposedContext
from isocenter.upperlayer.errors import RemoteProtocolError
from isocenter.upperlayer.events import AssociationRequested
from isocenter.upperlayer.negotiation import (
    accept_context,
    accepts_nothing,
    choose_transfer_syntax,
    negotiate,
    refuse,
    refuse_context,
)
from isocenter.upperlayer.pdu import AssociateRQ, decode_pdu
from isocenter.upperlayer.state_machine import State
from isocenter.upperlayer.user_information import RoleSelection, UserInformation

_OURS = UserInformation(16384, "1.2.3", "ISOCENTER")
_LONGEST_RECORD = 1 << 20


def one_input(data: bytes) -> None:
    association = Association(requestor=False, now=0.0)
    association.connection_made(0.0)
    for event in association.receive_data(memoryview(data), 0.0):
        # What follows in the same read may have ended it: drivers look before they answer.
        if isinstance(event, AssociationRequested) and association.state is State.Sta3:
            _answer(association, event.request)
    _record(data)


def _answer(association: Association, request: AssociateRQ) -> None:
    if (rejection := refuse(request)) is not None:
        association.reject(rejection, 0.0)
        return
    response = negotiate(
        request,
        _decide,
        user_information=_OURS,
        decide_roles=_grant,
        asynchronous_operations_window=(4, 0),
        answer_extended=answer_extended,
        answer_identity=lambda identity: acknowledge(
            Verified(user_name(identity) or "", ALL_STUDIES)
        ),
    )
    accepts_nothing(response)
    association.accept(response, 0.0)
    (sent,) = association.data_to_send()
    decode_pdu(sent)
    identity = request.user_information.user_identity
    if identity is not None:
        assert len(identity_kind(identity)) < 64
        assert len(user_name(identity) or "") <= 64
    granted_options(request, STUDY_ROOT_FIND)
    text = json.dumps(describe_negotiation(request, response), allow_nan=False)
    assert len(text) < _LONGEST_RECORD


def _decide(proposed: ProposedContext) -> ContextResult:
    chosen = choose_transfer_syntax(proposed, lambda uid: uid.startswith("1.2.840.10008.1.2"))
    if chosen:
        return accept_context(proposed, chosen)
    return refuse_context(proposed, ContextAnswer.TRANSFER_SYNTAXES_NOT_SUPPORTED)


def _grant(proposed: RoleSelection) -> RoleSelection | None:
    return proposed if proposed.scp_role else None


def _record(data: bytes) -> None:
    """What was asked is kept with a failure, whether it was answered or not."""
    try:
        request = decode_pdu(data)
    except RemoteProtocolError as error:
        check_error(error)
        return
    if isinstance(request, AssociateRQ):
        json.dumps(describe_negotiation(request, None), allow_nan=False)


def seeds() -> Iterator[bytes]:
    yield from pdu.seeds()
    contexts = tuple(
        ProposedContext(number, STUDY_ROOT_FIND, ("1.2.840.10008.1.2",)) for number in (1, 3)
    )
    yield AssociateRQ("ISOCENTER", "FUZZER", contexts, pdu.RICH).encode()


TARGET = Target("association requests to the answer of a node", one_input, seeds, pdu.WORDS, 2048)
