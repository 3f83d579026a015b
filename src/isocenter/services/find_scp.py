"""C-FIND (PS3.7 9.1.2), provider: what the service classes with queries have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

from isocenter.dimse import status
from isocenter.dimse.message import Request
from isocenter.dimse.messages import CFindRQ
from isocenter.encoding.elements import Elements
from isocenter.security.access import Scope
from isocenter.services.find_operation import FindOperation, Matches
from isocenter.services.provider import ProvidedAssociation, refuse, refuse_foreign_class
from isocenter.services.query_desk import QueryDesk
from isocenter.services.query_options import QueryOptions
from isocenter.upperlayer.contexts import AcceptedContext


class FindService(ABC):
    """C-FIND SCP of any information model: a FindSource.

    `limit` bounds the matches of one query; that there were more ends it in A700.
    """

    def __init__(self, desk: QueryDesk, *, limit: int | None) -> None:
        self.desk = desk
        self.limit = limit

    def begin(
        self, association: ProvidedAssociation, context: AcceptedContext, request: Request
    ) -> FindOperation | None:
        """Start a query (PS3.7 9.1.2)."""
        if not isinstance(request, CFindRQ):
            text = f"{request.command_name} is not provided on this presentation context"
            refuse(association, context.context_id, request, status.UNRECOGNIZED_OPERATION, text)
            return None
        if refuse_foreign_class(association, context, request, request.affected_sop_class_uid):
            return None
        if not request.has_data_set:
            text = "C-FIND without an identifier"
            refuse(association, context.context_id, request, status.MISTYPED_ARGUMENT, text)
            return None
        return FindOperation(self, association, context, request)

    @abstractmethod
    def search(
        self, sop_class_uid: str, identifier: Elements, options: QueryOptions, scope: Scope
    ) -> tuple[Matches, Elements]:
        """The matches, and what every response says besides. On a query thread.

        Raises InvalidIdentifier.
        """
