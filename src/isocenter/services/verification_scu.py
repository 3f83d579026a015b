"""Verification Service Class (PS3.4 Annex A), user: C-ECHO, "do you speak DICOM?"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isocenter.dictionary.sop_classes import VERIFICATION
from isocenter.dictionary.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from isocenter.dimse.errors import DimseError
from isocenter.dimse.messages import CEchoRQ, CEchoRSP
from isocenter.dimse.status import Service, Status, describe
from isocenter.services.errors import NoPresentationContext, VerificationFailed
from isocenter.upperlayer.errors import ConnectFailed, ConnectTimeout, UpperLayerError

if TYPE_CHECKING:
    from isocenter.services.association import ClientAssociation, Destination

VERIFICATION_CONTEXT = (
    VERIFICATION,
    (IMPLICIT_VR_LITTLE_ENDIAN.uid, EXPLICIT_VR_LITTLE_ENDIAN.uid),
)


def echo(association: ClientAssociation) -> Status:
    """C-ECHO (PS3.7 9.1.5): the peer's status, which is SUCCESS from every peer that works.

    Raises NoPresentationContext where verification was not accepted, and the errors of
    `ClientAssociation.receive_response`.
    """
    context = association.context_for(VERIFICATION)
    message_id = association.next_message_id()
    request = CEchoRQ(message_id=message_id, affected_sop_class_uid=VERIFICATION)
    association.send(context.context_id, request)
    response, _ = association.receive_response(CEchoRSP, message_id)
    return describe(response.status, Service.VERIFICATION)


def verify(destination: Destination) -> Status:
    """Connect, associate for verification alone, C-ECHO, release; SUCCESS if all that went well.

    Raises VerificationFailed, whose `phase` says which step failed and whose cause is the error.
    """
    try:
        association = destination.connect([VERIFICATION_CONTEXT])
    except (ConnectFailed, ConnectTimeout) as error:
        raise VerificationFailed("connect", str(error)) from error
    except UpperLayerError as error:
        raise VerificationFailed("associate", str(error)) from error
    try:
        with association:
            status = association.echo()
    except NoPresentationContext as error:
        raise VerificationFailed("associate", str(error)) from error
    except (UpperLayerError, DimseError) as error:
        raise VerificationFailed("echo", str(error)) from error
    if not status.is_success:
        raise VerificationFailed("echo", f"{destination} answered C-ECHO with {status}.")
    return status
