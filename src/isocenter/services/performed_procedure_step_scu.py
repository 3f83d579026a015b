"""Modality Performed Procedure Step (PS3.4 Annex F), user: telling what a modality does.

The provider's side is in `performed_procedure_step_scp`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from isocenter.dictionary.sop_classes import MPPS, MPPS_RETRIEVE
from isocenter.dictionary.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    transfer_syntax,
)
from isocenter.dimse.messages import (
    NCreateRQ,
    NCreateRSP,
    NGetRQ,
    NGetRSP,
    NSetRQ,
    NSetRSP,
)
from isocenter.dimse.status import Service, Status, describe
from isocenter.encoding.elements import Elements, decode_elements, encode_elements
from isocenter.encoding.recoding import neutral_elements, recoded_elements

if TYPE_CHECKING:
    from isocenter.services.association import ClientAssociation

_SYNTAXES = (EXPLICIT_VR_LITTLE_ENDIAN.uid, IMPLICIT_VR_LITTLE_ENDIAN.uid)

PROCEDURE_STEP_CONTEXTS = ((MPPS, _SYNTAXES), (MPPS_RETRIEVE, _SYNTAXES))
"""The presentation contexts to propose, for `connect`."""


class StepReply(NamedTuple):
    """A provider's answer; `attributes` are neutral, and empty unless it sent some."""

    status: Status
    sop_instance_uid: str
    comment: str
    attribute_tags: tuple[int, ...]
    error_id: int | None
    attributes: Elements


def create_step(
    association: ClientAssociation, sop_instance_uid: str | None, attributes: Elements
) -> StepReply:
    """N-CREATE (PS3.4 F.7.2.1): a step has begun. Without a UID the provider chooses one.

    `attributes` are neutral (`encoding.recoding`), like those of the reply. Raises
    NoPresentationContext, EncodingError, and the errors of `ClientAssociation.receive_response`.
    """
    message_id = association.next_message_id()
    request = NCreateRQ(
        message_id=message_id,
        affected_sop_class_uid=MPPS,
        affected_sop_instance_uid=sop_instance_uid,
        has_data_set=True,
    )
    _send(association, request, attributes)
    return _reply(association, *association.receive_response(NCreateRSP, message_id), MPPS)


def set_step(
    association: ClientAssociation, sop_instance_uid: str, modifications: Elements
) -> StepReply:
    """N-SET (PS3.4 F.7.2.2): a step goes on, or has ended. As for `create_step`."""
    message_id = association.next_message_id()
    request = NSetRQ(
        message_id=message_id,
        requested_sop_class_uid=MPPS,
        requested_sop_instance_uid=sop_instance_uid,
    )
    _send(association, request, modifications)
    return _reply(association, *association.receive_response(NSetRSP, message_id), MPPS)


def get_step(
    association: ClientAssociation, sop_instance_uid: str, tags: tuple[int, ...] = ()
) -> StepReply:
    """N-GET (PS3.4 F.8.2.1): what is known of a step; all of it where `tags` names nothing."""
    context = association.context_for(MPPS_RETRIEVE)
    message_id = association.next_message_id()
    request = NGetRQ(
        message_id=message_id,
        requested_sop_class_uid=MPPS_RETRIEVE,
        requested_sop_instance_uid=sop_instance_uid,
        attribute_identifier_list=tags or None,
    )
    association.send(context.context_id, request)
    return _reply(association, *association.receive_response(NGetRSP, message_id), MPPS_RETRIEVE)


def _send(
    association: ClientAssociation, request: NCreateRQ | NSetRQ, attributes: Elements
) -> None:
    context = association.context_for(MPPS)
    syntax = transfer_syntax(context.transfer_syntax)
    data_set = encode_elements(recoded_elements(attributes, syntax, None), syntax)
    association.send(context.context_id, request, data_set)


def _reply(
    association: ClientAssociation,
    response: NCreateRSP | NSetRSP | NGetRSP,
    data_set: bytes,
    sop_class_uid: str,
) -> StepReply:
    syntax = transfer_syntax(association.context_for(sop_class_uid).transfer_syntax)
    return StepReply(
        describe(response.status, Service.PROCEDURE_STEP),
        response.affected_sop_instance_uid or "",
        response.error_comment or "",
        response.attribute_identifier_list or (),
        response.error_id,
        neutral_elements(decode_elements(data_set, syntax), syntax) if data_set else {},
    )
