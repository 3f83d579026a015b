"""C-GET (PS3.4 C.4.3), provider: instances go back over the association that asks for them."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from isocenter.dictionary.sop_classes import (
    PATIENT_ROOT_GET,
    PATIENT_STUDY_ONLY_GET,
    STUDY_ROOT_GET,
)
from isocenter.dimse import status
from isocenter.dimse.messages import CGetRQ, CGetRSP
from isocenter.dimse.status import Service
from isocenter.services.provider import refuse, refuse_foreign_class
from isocenter.services.retrieve_scp import RetrieveOperation
from isocenter.services.retrieve_terms import BrokenOff, RetrieveTerms
from isocenter.services.store_contexts import Kind, StoreContexts
from isocenter.services.store_lane import MOST_OUTSTANDING, Errand, Lane
from isocenter.services.work_list import Share, WorkList
from isocenter.upperlayer.errors import UpperLayerError

if TYPE_CHECKING:
    from isocenter.dimse.message import Request
    from isocenter.services.provider import ProvidedAssociation
    from isocenter.services.query_retrieve_scp import Model
    from isocenter.services.sub_operations import Selected
    from isocenter.upperlayer.contexts import AcceptedContext

MODELS: dict[str, Model] = {
    PATIENT_ROOT_GET: "PATIENT",
    STUDY_ROOT_GET: "STUDY",
    PATIENT_STUDY_ONLY_GET: "PATIENT_STUDY",
}


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

    async def send(
        self, selected: Selected, work: WorkList, errand: Errand, _kinds: Collection[Kind]
    ) -> None:
        """The way is there; an object that ends half-way, or gets no answer, is its end."""
        contexts = StoreContexts(self._contexts())
        lane = Lane(errand, work, self.association.outgoing, contexts, self._window())
        try:
            while not self.cancelled and await work.available():
                await lane.run(Share(work, selected.reader()))
        except (UpperLayerError, BrokenOff) as error:
            work.lose(str(error))
            self._break_off(str(error))
        except BaseException:
            self._break_off("the retrieve failed")
            raise

    def _contexts(self) -> list[AcceptedContext]:
        """Those for which the requestor took the SCP role."""
        core = self.association.connection.core
        granted = core.response.user_information.role_selections if core.response else ()
        receiving = {role.sop_class_uid for role in granted if role.scp_role}
        return [c for c in core.accepted_contexts.values() if c.abstract_syntax in receiving]

    def _window(self) -> int:
        """How many C-STOREs the requestor performs at one time."""
        response = self.association.connection.core.response
        window = response.user_information.asynchronous_operations_window if response else None
        return 1 if window is None else window[1] or MOST_OUTSTANDING

    def _break_off(self, why: str) -> None:
        if not self.association.over:
            self.association.log.warning("aborted the association", why=why)
            self.association.abort()
