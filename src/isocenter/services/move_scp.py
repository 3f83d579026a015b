"""C-MOVE (PS3.4 C.4.2), provider: instances go to a third node over an association of ours."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from isocenter.dictionary.sop_classes import (
    PATIENT_ROOT_MOVE,
    PATIENT_STUDY_ONLY_MOVE,
    STUDY_ROOT_MOVE,
)
from isocenter.dimse import status
from isocenter.dimse.messages import CMoveRQ, CMoveRSP, CStoreRQ
from isocenter.dimse.status import Service
from isocenter.services.accounts import Recipient
from isocenter.services.delivery import Delivery
from isocenter.services.provider import refuse, refuse_foreign_class
from isocenter.services.retrieve_scp import RetrieveOperation
from isocenter.services.retrieve_terms import Refused, RetrieveTerms
from isocenter.services.store_contexts import Kind, in_shares
from isocenter.services.work_list import WorkList

if TYPE_CHECKING:
    from isocenter.dimse.message import Request
    from isocenter.services.destination import Address, Destinations
    from isocenter.services.provider import ProvidedAssociation
    from isocenter.services.query_retrieve_scp import Model
    from isocenter.services.store_contexts import Instance
    from isocenter.services.store_lane import Errand
    from isocenter.services.sub_operations import Selected, SubOperations
    from isocenter.upperlayer.contexts import AcceptedContext

MODELS: dict[str, Model] = {
    PATIENT_ROOT_MOVE: "PATIENT",
    STUDY_ROOT_MOVE: "STUDY",
    PATIENT_STUDY_ONLY_MOVE: "PATIENT_STUDY",
}

UNKNOWN_DESTINATION = "Unknown here: add it to [peers] in this node's configuration"


NOT_FOR_YOU = "This AE title may not have objects moved to this destination"


class MoveProvider:
    """C-MOVE SCP."""

    def __init__(self, terms: RetrieveTerms, destinations: Destinations) -> None:
        self._terms = terms
        self._destinations = destinations

    def begin(
        self, association: ProvidedAssociation, context: AcceptedContext, request: Request
    ) -> MoveOperation | None:
        """Start a retrieve (PS3.7 9.1.4)."""
        if not isinstance(request, CMoveRQ) or not request.has_data_set:
            text = "Only C-MOVE with an identifier is provided on this presentation context"
            refuse(association, context.context_id, request, status.UNRECOGNIZED_OPERATION, text)
            return None
        if refuse_foreign_class(association, context, request, request.affected_sop_class_uid):
            return None
        return MoveOperation(self._destinations, self._terms, association, context, request)


class MoveOperation(RetrieveOperation):
    """One C-MOVE."""

    response_class = CMoveRSP
    service = Service.MOVE

    def __init__(
        self,
        destinations: Destinations,
        terms: RetrieveTerms,
        association: ProvidedAssociation,
        context: AcceptedContext,
        request: CMoveRQ,
    ) -> None:
        super().__init__(terms, MODELS[context.abstract_syntax], association, context, request)
        self._destinations = destinations
        self._move_destination = request.move_destination
        self._delivery: Delivery | None = None

    def check(self) -> None:
        """Raises Refused where the destination is not configured (A801), or not for this peer."""
        self._address()
        if not self.association.rights.may_move_to(self._move_destination):
            self.association.account.denied(f"{self._move_destination} is not for this AE title")
            raise Refused(status.NOT_AUTHORIZED, NOT_FOR_YOU)

    def recipient(self) -> Recipient:
        """The move destination."""
        address = self._address()
        return Recipient(address.ae_title, address.host)

    def shares(self, kinds: Sequence[Kind]) -> Sequence[Sequence[Kind]]:
        """As many as an association has contexts for."""
        return in_shares(kinds)

    def work_list(self, batches: Iterator[Sequence[Instance]], counts: SubOperations) -> WorkList:
        """A destination that is busy, or was lost, is asked again."""
        terms = self.terms
        return WorkList(batches, counts, attempts=terms.attempts, pause=terms.retry_delay)

    async def send(
        self, selected: Selected, work: WorkList, errand: Errand, kinds: Collection[Kind]
    ) -> None:
        """Send over associations with the destination."""
        address, terms = self._address(), self.terms
        self._delivery = Delivery(
            self._destinations,
            address,
            errand,
            work,
            selected,
            kinds,
            associations=address.associations or terms.associations,
            attempts=terms.attempts,
            retry_delay=terms.retry_delay,
        )
        await self._delivery.run()

    def cancel(self) -> None:
        """Send nothing beyond what is under way, and wait for that only so long."""
        super().cancel()
        if self._delivery is not None:
            self._delivery.cancel()

    def store_request(self, instance: Instance, message_id: int) -> CStoreRQ:
        """The C-STORE that carries an instance, with the originator of the move (PS3.7 9.1.1.1)."""
        request = super().store_request(instance, message_id)
        request.move_originator_application_entity_title = self.association.calling_ae_title
        request.move_originator_message_id = self.request.message_id
        return request

    def _address(self) -> Address:
        address = self._destinations.address(self._move_destination)
        if address is None:
            raise Refused(status.MOVE_DESTINATION_UNKNOWN, UNKNOWN_DESTINATION)
        return address
