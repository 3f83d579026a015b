"""Which presentation contexts a provider accepts, and under which transfer syntax.

An archive keeps what it is sent as it is sent, so for storage the first transfer syntax that the
requestor names is taken, in the requestor's own order of preference: anything else would make it
decompress, or compress, for us. Where the requestor is to be sent objects (C-GET), what nearly all
can be converted to comes first. A context that can be accepted never fails the others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from isocenter.dictionary.sop_classes import is_other_service, is_storage
from isocenter.dictionary.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TRANSFER_SYNTAXES,
)
from isocenter.dictionary.uids import is_valid_uid
from isocenter.encoding.transcoding import TARGETS
from isocenter.services.provider import Service
from isocenter.services.service_names import SERVICE_NAMES, service_name
from isocenter.upperlayer.contexts import ContextAnswer, ContextResult, ProposedContext
from isocenter.upperlayer.negotiation import (
    Decide,
    accept_context,
    choose_transfer_syntax,
    refuse_context,
)
from isocenter.upperlayer.pdu import AssociateRQ
from isocenter.upperlayer.user_information import RoleSelection

MESSAGE_TRANSFER_SYNTAXES = frozenset(
    syntax.uid
    for syntax in (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN)
)
"""What identifiers and other small data sets may be encoded in."""


class Acceptance:
    """The services of a node by abstract syntax, and the storage service for all the rest."""

    def __init__(
        self,
        services: Mapping[str, Service],
        storage: Service | None,
        *,
        unknown_sop_classes: bool = True,
    ) -> None:
        self._services = services
        self._storage = storage
        self._unknown_sop_classes = unknown_sop_classes

    def decisions(self, request: AssociateRQ, allowed: Collection[str] = SERVICE_NAMES) -> Decide:
        """How to answer each presentation context of a request whose sender may use `allowed`.

        Who takes the SCP role for storage is going to C-GET (PS3.7 D.3.3.4).
        """
        roles = request.user_information.role_selections
        receiving = frozenset(role.sop_class_uid for role in roles if role.scp_role)

        def decide(proposed: ProposedContext) -> ContextResult:
            receives = proposed.abstract_syntax in receiving
            result = self.decide(proposed, receives=receives)
            if result.result or _may(proposed.abstract_syntax, allowed, receives=receives):
                return result
            return refuse_context(proposed, ContextAnswer.USER_REJECTION)

        return decide

    def decide_role(self, proposed: RoleSelection) -> RoleSelection | None:
        """Grant the requestor any role in storage, none elsewhere (PS3.7 D.3.3.4.2)."""
        if proposed.sop_class_uid in self._services or not self._stores(proposed.sop_class_uid):
            return None
        return proposed

    def decide(self, proposed: ProposedContext, *, receives: bool = False) -> ContextResult:
        """Answer one proposed presentation context (PS3.8 Table 9-18).

        `receives`: the requestor wants to be sent objects on it.
        """
        abstract_syntax = proposed.abstract_syntax
        if abstract_syntax in self._services:
            supported = MESSAGE_TRANSFER_SYNTAXES.__contains__
        elif self._stores(abstract_syntax):
            supported = TRANSFER_SYNTAXES.__contains__
        else:
            return refuse_context(proposed, ContextAnswer.ABSTRACT_SYNTAX_NOT_SUPPORTED)
        transfer_syntax = choose_transfer_syntax(proposed, supported)
        if receives:  # what nearly everything can be converted to, before what little is stored in
            producible = (uid for uid in TARGETS if uid in proposed.transfer_syntaxes)
            transfer_syntax = next(producible, transfer_syntax)
        if transfer_syntax:
            return accept_context(proposed, transfer_syntax)
        return refuse_context(proposed, ContextAnswer.TRANSFER_SYNTAXES_NOT_SUPPORTED)

    def service_for(self, abstract_syntax: str) -> Service:
        """The service behind an abstract syntax that was accepted."""
        service = self._services.get(abstract_syntax, self._storage)
        assert service is not None
        return service

    def _stores(self, abstract_syntax: str) -> bool:
        if self._storage is None:
            return False
        if is_storage(abstract_syntax):
            return True
        return (
            self._unknown_sop_classes
            and is_valid_uid(abstract_syntax)
            and not is_other_service(abstract_syntax)
        )


def _may(abstract_syntax: str, allowed: Collection[str], *, receives: bool) -> bool:
    """Whether a context serves a service that is allowed; one of storage may be there for C-GET."""
    service = service_name(abstract_syntax)
    return service in allowed or (service == "store" and receives and "get" in allowed)
