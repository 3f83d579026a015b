"""An association of ours with the destination of a C-MOVE: contexts proposed, instances stored.

Destinations are those of the configuration; an address never comes from the wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from isocenter.dimse.assembler import CommandReceived, MessageAssembler
from isocenter.dimse.errors import DimseError
from isocenter.dimse.message import Response
from isocenter.encoding.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from isocenter.services.outgoing import Outgoing
from isocenter.services.store_contexts import proposed_kinds
from isocenter.services.store_lane import MOST_OUTSTANDING
from isocenter.upperlayer.aio import AssociationProtocol
from isocenter.upperlayer.aio_requestor import RequestorProtocol, connect
from isocenter.upperlayer.contexts import AcceptedContext, ProposedContext
from isocenter.upperlayer.errors import (
    AssociateTimeout,
    AssociationReleasedError,
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
from isocenter.upperlayer.pdu import AssociateRQ
from isocenter.upperlayer.user_information import UserInformation

log = structlog.get_logger(__name__)


class Address(NamedTuple):
    """Where a destination listens, its AE title, and how many associations it is sent to over.

    With 0 `associations` the node's own number counts.
    """

    ae_title: str
    host: str
    port: int
    associations: int = 0


@dataclass(frozen=True, slots=True)
class Destinations:
    """The nodes that objects may be moved to, by AE title, and how associations with them are made.

    `connect_timeout` is in seconds. Those that are open are in `opened`. The node itself, as
    `ae_title`, is at `own_address` unless `addresses` say otherwise.
    """

    addresses: Mapping[str, Address]
    ae_title: str
    receive_buffer: memoryview
    limits: AssociationLimits
    timeouts: Timeouts
    connect_timeout: float
    write_timeout: float
    opened: set[DestinationAssociation]
    own_address: Address | None = None

    async def open(
        self, address: Address, kinds: Sequence[tuple[str, str]]
    ) -> DestinationAssociation:
        """Establish an association that proposes contexts for instances of each kind.

        A kind is a SOP class and a transfer syntax. Raises UpperLayerError.
        """
        request = self._request(address, kinds)
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
            )

        protocol = await connect(
            address.host, address.port, make_protocol, timeout=self.connect_timeout
        )
        try:
            await users[0].established(protocol)
        except BaseException:
            protocol.abort()
            raise
        return users[0]

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

    def _request(self, address: Address, kinds: Sequence[tuple[str, str]]) -> AssociateRQ:
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
        self.abort()

    def handle(self, event: Event) -> None:
        """Act on what the upper layer reports."""
        peer = self.connection.peer
        if type(event) is DataReceived:
            self._receive(event)
        elif isinstance(event, AssociationAccepted):
            self._settle()
        elif isinstance(event, AssociationRejected):
            self._end(rejection_error(peer, self._request, event.reject))
        elif isinstance(event, Aborted) and event.timed_out and not self._answer.done():
            seconds = self._destinations.timeouts.association
            self._end(AssociateTimeout(f"{peer} did not answer our request within {seconds:g} s."))
        elif isinstance(event, Aborted):
            self._end(abort_error(peer, "objects were being sent", event))
        elif isinstance(event, ReleaseRequested):
            self.connection.confirm_release()
            self._end(AssociationReleasedError(f"{peer} released the association too early."))
        elif isinstance(event, ConnectionLost):
            self._end(ConnectionLostError(f"{peer} closed the connection without a release."))

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
            self._end(UpperLayerError(str(error)))
            return
        for event in events:
            if isinstance(event, CommandReceived) and isinstance(event.message, Response):
                self.outgoing.answered(event.message)

    def _end(self, error: UpperLayerError) -> None:
        self._ended = self._ended or error
        self.outgoing.end(error)
        self._settle()

    def _settle(self) -> None:
        if not self._answer.done():
            self._answer.set_result(None)
