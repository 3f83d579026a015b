"""C-GET (PS3.4 C.4.3), provider: instances go back over the association that asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isocenter.dictionary.sop_classes import PATIENT_ROOT_GET, STUDY_ROOT_GET
from isocenter.dimse import status
from isocenter.dimse.messages import CGetRQ, CGetRSP
from isocenter.dimse.status import Service
from isocenter.services.provider import refuse, refuse_foreign_class
from isocenter.services.retrieve_scp import RetrieveOperation
from isocenter.services.retrieve_terms import RetrieveTerms
from isocenter.services.store_contexts import StoreContexts

if TYPE_CHECKING:
    from isocenter.dimse.message import Request
    from isocenter.services.outgoing import Outgoing
    from isocenter.services.provider import ProvidedAssociation
    from isocenter.services.query_retrieve_scp import Model
    from isocenter.services.sub_operations import Selected
    from isocenter.upperlayer.contexts import AcceptedContext

MODELS: dict[str, Model] = {PATIENT_ROOT_GET: "PATIENT", STUDY_ROOT_GET: "STUDY"}


class GetProvider:
    """C-GET SCP."""

    def __init__(self, terms: RetrieveTerms) -> None:
        self._terms = terms

    def begin(
        self, association: ProvidedAssociation, context: AcceptedContext, request: Request
    ) -> GetOperation | None:
        """Start a retrieve (PS3.7 9.1.3)."""
        if not isinstance(request, CGetRQ) or not request.has_data_set:
            text = "Only C-GET with an identifier is provided on this presentation context"
            refuse(association, context.context_id, request, status.UNRECOGNIZED_OPERATION, text)
            return None
        if refuse_foreign_class(association, context, request, request.affected_sop_class_uid):
            return None
        model = MODELS[context.abstract_syntax]
        return GetOperation(self._terms, model, association, context, request)


class GetOperation(RetrieveOperation):
    """One C-GET."""

    response_class = CGetRSP
    service = Service.GET

    async def open(self, _selected: Selected) -> tuple[Outgoing, StoreContexts]:
        """The way is there: contexts for which the requestor took the SCP role."""
        core = self.association.connection.core
        granted = core.response.user_information.role_selections if core.response else ()
        receiving = {role.sop_class_uid for role in granted if role.scp_role}
        contexts = [c for c in core.accepted_contexts.values() if c.abstract_syntax in receiving]
        return self.association.outgoing, StoreContexts(contexts)

    def close(self, *, broken: bool) -> None:
        """An object that ended half-way, or has no answer, leaves the association in doubt."""
        if broken and not self.association.over:
            why = self.lost or "the retrieve failed"
            self.association.log.warning("aborted the association", why=why)
            self.association.abort()
