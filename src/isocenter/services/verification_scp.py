"""Verification Service Class (PS3.4 Annex A), provider: C-ECHO."""

from __future__ import annotations

from isocenter.dimse import status
from isocenter.dimse.message import Request
from isocenter.dimse.messages import CEchoRQ, CEchoRSP
from isocenter.services.provider import ProvidedAssociation, refuse
from isocenter.upperlayer.contexts import AcceptedContext


class VerificationProvider:
    """C-ECHO SCP."""

    def begin(
        self, association: ProvidedAssociation, context: AcceptedContext, request: Request
    ) -> None:
        """Answer a C-ECHO at once (PS3.7 9.1.5)."""
        if not isinstance(request, CEchoRQ):
            text = f"{request.command_name} is no operation of the Verification service"
            refuse(association, context.context_id, request, status.UNRECOGNIZED_OPERATION, text)
            return
        response = CEchoRSP(
            message_id_being_responded_to=request.message_id,
            affected_sop_class_uid=request.affected_sop_class_uid,
            status=status.SUCCESS,
        )
        association.respond(context.context_id, response)
