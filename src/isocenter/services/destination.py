"""An association of ours with the destination of a C-MOVE: contexts proposed, instances stored.

Destinations are those of the configuration; an address never comes from the wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import structlog

from isocenter.dimse.assembler import CommandReceived, MessageAssembler
from isocenter.dimse.errors import DimseError
from isocenter.dimse.message import Response
from isocenter.encoding.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from isocenter.errors import IsocenterError
from isocenter.services.failures import Failure, FailureLog, NoFailureLog, failed_operation
from isocenter.services.outgoing import Outgoing
from isocenter.services.preference import preferred_first
from isocenter.services.store_contexts import proposed_kinds
from isocenter.services.store_lane import MOST_OUTSTANDING
from isocenter.upperlayer.aio import AssociationProtocol
from isocenter.upperlayer.aio_requestor import RequestorProtocol, RequestorTLS, connect
from isocenter.upperlayer.causes import diagnose_refused_contexts
from isocenter.upperlayer.contexts import AcceptedContext, ProposedContext
from isocenter.upperlayer.errors import (
    AssociateTimeout,
    AssociationReleasedError,
    ConnectFailed,
    ConnectionLostError,
    UpperLayerError,
)
from isocenter.upperlayer.events import (
    Aborted,
    AssociationAccepted,
    AssociationRejected,
    ConnectionLost,
    DataReceived,
    Event,
    ReleaseRequested,
)
from isocenter.upperlayer.failures import abort_error, rejection_error
from isocenter.upperlayer.limits import AssociationLimits, Timeouts
from isocenter.upperlayer.pdu import AssociateAC, AssociateRQ
from isocenter.upperlayer.user_information import RoleSelection, UserInformation

log = structlog.get_logger(__name__)


class Address(NamedTuple):
    """Where a destination listens, its AE title, and how it wants to be sent to.

    The transfer syntaxes are those it likes best. With 0 `associations` the node's own number
    counts. `certificates` bind what it shows over TLS (`security.binding`).
    """

    ae_title: str
    host: str
    port: int
    tls: bool = False
    transfer_syntaxes: tuple[str, ...] = ()
    associations: int = 0
    certificates: tuple[str, ...] = ()


class CallingTLS(Protocol):
    """The TLS of connections that this node makes."""

    def securing(self, host: str, ae_title: str, certificates: Sequence[str]) -> RequestorTLS:
        """The TLS of the next connection to a peer. Raises IsocenterError."""


@dataclass(frozen=True, slots=True)
class Destinations:
    """The nodes that objects may be moved to, by AE title, and how associations with them are made.

    `connect_timeout` is in seconds. Those that are open are in `opened`; what fails is told to
    `failures`. The node itself, as `ae_title`, is at `own_address` unless `addresses` say
    otherwise.
    """

    addresses: Mapping[str, Address]
    ae_title: str
    receive_buffer: memoryview
    limits: AssociationLimits
    timeouts: Timeouts
    connect_timeout: float
    write_timeout: float
    opened: set[DestinationAssociation]
    failures: FailureLog = field(default_factory=NoFailureLog)
    own_address: Address | None = None
    tls: CallingTLS | None = None

    async def open(
        self,
        address: Address,
        kinds: Sequence[tuple[str, str]],
        roles: Sequence[RoleSelection] = (),
    ) -> DestinationAssociation:
        """Establish an association that proposes contexts for instances of each kind.

        A kind is a SOP class and a transfer syntax, the destination's favourites go first; `roles`
        are those we propose to take (PS3.7 D.3.3.4). Raises UpperLayerError.
        """
        kinds = preferred_first(kinds, address.transfer_syntaxes, lambda kind: kind[1])
        request = self._request(address, kinds, roles)
        users: list[DestinationAssociation] = []

        def make_user(connection: AssociationProtocol) -> DestinationAssociation:
            users.append(DestinationAssociation(self, connection, request))
            return users[0]

        def make_protocol() -> RequestorProtocol:
            return RequestorProtocol(
                make_user,
                self.receive_buffer,
                request,
                limits=self.limits,
                timeouts=self.timeouts,
                write_timeout=self.write_timeout,
                tls=security,
            )

        try:
            security = self._security(address)
            protocol = await connect(
                address.host, address.port, make_protocol, timeout=self.connect_timeout
            )
        except UpperLayerError as error:
            self.failed(f"{address.host}:{address.port}", request, "connection", str(error))
            raise
        try:
            await users[0].established(protocol)
        except BaseException:
            protocol.abort()
            raise
        return users[0]

    def _security(self, address: Address) -> RequestorTLS | None:
        """Never is a peer that needs TLS called in the clear. Raises ConnectFailed."""
        if not address.tls:
            return None
        # Short enough for an error comment (PS3.7 C.4).
        if self.tls is None:
            raise ConnectFailed(f"{address.ae_title} needs TLS, and no certificates are there")
        try:
            return self.tls.securing(address.host, address.ae_title, address.certificates)
        except IsocenterError as error:
            raise ConnectFailed(str(error)) from error

    def failed(
        self,
        peer: str,
        request: AssociateRQ,
        what: str,
        diagnosis: str,
        response: AssociateAC | None = None,
    ) -> None:
        """Have it kept that something failed between us and a destination."""
        titles = request.calling_ae_title, request.called_ae_title
        self.failures.record(Failure("user", peer, what, diagnosis, *titles, request, response))

    def address(self, ae_title: str) -> Address | None:
        """Where a destination is; None where it is unknown."""
        found = self.addresses.get(ae_title)
        if found is None and self.own_address and ae_title == self.ae_title:
            return self.own_address
        return found

    def close(self) -> None:
        """Break off every association: the node stops."""
        for association in list(self.opened):
            association.abort()
            association.connection.drop()

    def _request(
        self,
        address: Address,
        kinds: Sequence[tuple[str, str]],
        roles: Sequence[RoleSelection],
    ) -> AssociateRQ:
        return AssociateRQ(
            called_ae_title=address.ae_title,
            calling_ae_title=self.ae_title,
            presentation_contexts=tuple(
                ProposedContext(2 * number + 1, sop_class, transfer_syntaxes)
                for number, (sop_class, transfer_syntaxes) in enumerate(proposed_kinds(kinds))
            ),
            user_information=UserInformation(
                maximum_length=self.limits.maximum_length,
                implementation_class_uid=IMPLEMENTATION_CLASS_UID,
                implementation_version_name=IMPLEMENTATION_VERSION_NAME,
                role_selections=tuple(roles),
                asynchronous_operations_window=(MOST_OUTSTANDING, 1),
            ),
        )


class DestinationAssociation:
    """One association with a destination: an AssociationUser that hears responses only."""

    answering = False

    def __init__(
        self, destinations: Destinations, connection: AssociationProtocol, request: AssociateRQ
    ) -> None:
        self.connection = connection
        self.outgoing = Outgoing(connection)
        self._destinations = destinations
        self._request = request
        self._assembler = MessageAssembler()
        self._protocol: RequestorProtocol | None = None
        self._answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ended: UpperLayerError | None = None
        self._released = False
        destinations.opened.add(self)

    async def established(self, protocol: RequestorProtocol) -> None:
        """Wait for the answer to the association request. Raises UpperLayerError."""
        self._protocol = protocol
        await self._answer
        if self._ended is not None:
            raise self._ended

    @property
    def contexts(self) -> Sequence[AcceptedContext]:
        """What the destination accepted."""
        return tuple(self.connection.core.accepted_contexts.values())

    @property
    def window(self) -> int:
        """How many C-STOREs may be without a response; 1 unless negotiated (PS3.7 D.3.3.3)."""
        response = self.connection.core.response
        window = response.user_information.asynchronous_operations_window if response else None
        return 1 if window is None else window[0] or MOST_OUTSTANDING

    def release(self) -> None:
        """Release the association; nobody waits for the answer, which has a deadline."""
        self._released = True
        if self._protocol is not None:
            self._protocol.release()

    def abort(self) -> None:
        """Break the association off (A-ABORT)."""
        self.connection.abort()

    def give_up(self, why: str) -> None:
        """Break the association off, if it still is one, for it carries nothing more."""
        log.warning(
            "lost an association with a destination",
            peer=self.connection.peer,
            called_ae=self._request.called_ae_title,
            why=why,
        )
        if self._ended is None:  # its end would have been kept already
            self._failed("sub-operation", why)
        self.abort()

    def handle(self, event: Event) -> None:
        """Act on what the upper layer reports."""
        peer = self.connection.peer
        if type(event) is DataReceived:
            self._receive(event)
        elif isinstance(event, AssociationAccepted):
            if cause := diagnose_refused_contexts(self._request, event.response):
                self._failed("no presentation context accepted", cause)
            self.outgoing.allow(self.window)
            self._settle()
        elif isinstance(event, AssociationRejected):
            self._fail(rejection_error(peer, self._request, event.reject))
        elif isinstance(event, Aborted) and event.timed_out and not self._answer.done():
            seconds = self._destinations.timeouts.association
            self._fail(AssociateTimeout(f"{peer} did not answer our request within {seconds:g} s."))
        elif isinstance(event, Aborted):
            self._fail(abort_error(peer, "objects were being sent", event))
        elif isinstance(event, ReleaseRequested):
            self.connection.confirm_release()
            self._fail(AssociationReleasedError(f"{peer} released the association too early."))
        elif isinstance(event, ConnectionLost):
            trouble = self._protocol.transport_trouble if self._protocol else ""
            trouble = trouble or f"{peer} closed the connection without a release."
            self._fail(ConnectionLostError(trouble))

    def closed(self) -> None:
        """The transport is gone."""
        self._destinations.opened.discard(self)
        self._end(ConnectionLostError(f"{self.connection.peer} closed the connection."))

    def writable(self) -> None:
        """The peer took what it was sent."""
        self.outgoing.writable()

    def _receive(self, received: DataReceived) -> None:
        try:
            events = self._assembler.feed(received)
        except DimseError as error:
            self.connection.abort()
            self._fail(UpperLayerError(str(error)))
            return
        for event in events:
            if isinstance(event, CommandReceived) and isinstance(event.message, Response):
                if (failure := failed_operation(event.message)) is not None:
                    self._failed(*failure)
                self.outgoing.answered(event.message)

    def _failed(self, what: str, diagnosis: str) -> None:
        self._destinations.failed(
            self.connection.peer, self._request, what, diagnosis, self.connection.core.response
        )

    def _fail(self, error: UpperLayerError) -> None:
        if self._ended is None and not self._released:
            self._failed("association", str(error))
        self._end(error)

    def _end(self, error: UpperLayerError) -> None:
        self._ended = self._ended or error
        self.outgoing.end(error)
        self._settle()

    def _settle(self) -> None:
        if not self._answer.done():
            self._answer.set_result(None)
