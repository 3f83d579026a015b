"""An association as its user (SCU) sees it: whole DIMSE messages instead of fragments.

`ClientAssociation` sends one request at a time and waits for its responses. Whatever leaves the
association in doubt (a broken protocol, an answer that does not come) aborts it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Container, Generator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, TypeVar

from isocenter.dimse.assembler import CommandReceived, DimseEvent, MessageAssembler
from isocenter.dimse.errors import DimseError, DimseProtocolError
from isocenter.dimse.messages import CStoreRQ, CStoreRSP, Message, Response
from isocenter.dimse.status import MISTYPED_ARGUMENT, RESOURCE_LIMITATION, Status
from isocenter.encoding.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from isocenter.services import query_retrieve_scu, retrieve_scu, verification_scu
from isocenter.services.errors import Interrupted, NoPresentationContext
from isocenter.services.preference import preferred_first
from isocenter.upperlayer.blocking import BlockingAssociation
from isocenter.upperlayer.contexts import AcceptedContext, ProposedContext
from isocenter.upperlayer.errors import ResponseTimeout, UpperLayerError
from isocenter.upperlayer.events import DataReceived
from isocenter.upperlayer.limits import AssociationLimits, Timeouts
from isocenter.upperlayer.pdu import AssociateRQ
from isocenter.upperlayer.sending import Buffers
from isocenter.upperlayer.user_information import (
    ExtendedNegotiation,
    RoleSelection,
    UserIdentity,
    UserInformation,
)

if TYPE_CHECKING:
    import ssl

    from isocenter.encoding.elements import Elements
    from isocenter.services.query_retrieve_scu import FindMatch
    from isocenter.services.retrieve_scu import Receiver, RetrieveProgress
    from isocenter.services.storage_commitment import CommitmentReport, Reference
    from isocenter.upperlayer.blocking_wire import Examine

MAX_CONTEXTS = 128  # odd identifiers in one byte, PS3.8 9.3.2.2

# An identifier is some hundred bytes; a peer that sends megabytes is broken or hostile.
MAX_DATA_SET_LENGTH = 16 * 1024 * 1024

_LOOK_UP_EVERY = 0.25  # seconds between two looks at `give_up`

R = TypeVar("R", bound=Response)


class AnsweringTLS(Protocol):
    """The TLS of associations that a peer makes with us."""

    def current(self) -> ssl.SSLContext:
        """For the next handshake."""

    def examine(self, connection: ssl.SSLObject) -> None:
        """After it: raises IsocenterError for a peer whose certificate was revoked."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where to connect, who to be there, and how long to wait.

    `maximum_length` is the longest P-DATA-TF taken, in bytes; `connect_timeout` and
    `response_timeout` are in seconds, the latter counting anew with every piece of a message.
    `transfer_syntaxes` are the peer's favourites, which are proposed before others. `window` is
    how many operations we would have outstanding at a time (PS3.7 D.3.3.3); with 1 it is not
    negotiated. With an `ssl_context` the connection is TLS, and `examine` says who may be at the
    other end; `answering_tls` makes what to answer with where the peer calls back. A
    `user_identity` (PS3.7 D.3.3.7) is as secret as the connection is.
    """

    host: str
    port: int
    called_ae: str = "ANY-SCP"
    calling_ae: str = "ISOCENTER"
    maximum_length: int = 131072
    connect_timeout: float = 10.0
    response_timeout: float = 60.0
    timeouts: Timeouts = field(default_factory=Timeouts)
    ssl_context: ssl.SSLContext | None = None
    examine: Examine | None = None
    transfer_syntaxes: tuple[str, ...] = ()
    window: int = 1
    user_identity: UserIdentity | None = None
    answering_tls: Callable[[], AnsweringTLS] | None = None

    def __str__(self) -> str:
        return f"{self.called_ae}@{self.host}:{self.port}"

    def connect(
        self,
        contexts: Sequence[tuple[str, Sequence[str]]],
        *,
        give_up: threading.Event | None = None,
        receiving: Collection[str] = (),
        extended: Sequence[ExtendedNegotiation] = (),
    ) -> ClientAssociation:
        """Establish an association that proposes (abstract syntax, transfer syntaxes) pairs.

        For the SOP classes in `receiving` we take the SCP role, as C-GET needs (PS3.7 D.3.3.4).
        `extended` are the SOP Class Extended Negotiation items to propose (PS3.7 D.3.3.5).
        Raises the errors of `BlockingAssociation.connect`, and ValueError for more than 128
        contexts.
        """
        if not 0 < len(contexts) <= MAX_CONTEXTS:
            raise ValueError(f"an association proposes 1 to 128 contexts, not {len(contexts)}")
        request = AssociateRQ(
            called_ae_title=self.called_ae,
            calling_ae_title=self.calling_ae,
            presentation_contexts=tuple(
                ProposedContext(2 * number + 1, abstract_syntax, tuple(transfer_syntaxes))
                for number, (abstract_syntax, transfer_syntaxes) in enumerate(self._order(contexts))
            ),
            user_information=UserInformation(
                maximum_length=self.maximum_length,
                implementation_class_uid=IMPLEMENTATION_CLASS_UID,
                implementation_version_name=IMPLEMENTATION_VERSION_NAME,
                asynchronous_operations_window=(self.window, 1) if self.window > 1 else None,
                role_selections=tuple(
                    RoleSelection(uid, scu_role=False, scp_role=True) for uid in receiving
                ),
                extended_negotiations=tuple(extended),
                user_identity=self.user_identity,
            ),
        )
        transport = BlockingAssociation.connect(
            self.host,
            self.port,
            request,
            timeouts=self.timeouts,
            limits=AssociationLimits(maximum_length=self.maximum_length),
            connect_timeout=self.connect_timeout,
            ssl_context=self.ssl_context,
            examine=self.examine,
        )
        return ClientAssociation(
            transport,
            response_timeout=self.response_timeout,
            give_up=give_up,
            window=self._granted(transport.response.user_information),
        )

    def _granted(self, answer: UserInformation) -> int:
        """The operations that the peer lets us have outstanding: one where it does not say."""
        if answer.asynchronous_operations_window is None:
            return 1
        granted = answer.asynchronous_operations_window[0]
        return min(granted, self.window) if granted else self.window

    def _order(
        self, contexts: Sequence[tuple[str, Sequence[str]]]
    ) -> list[tuple[str, Sequence[str]]]:
        """The contexts with the peer's favourite transfer syntaxes first, in each and among all."""
        favourites = self.transfer_syntaxes
        ordered: list[tuple[str, Sequence[str]]] = [
            (abstract_syntax, preferred_first(syntaxes, favourites, str))
            for abstract_syntax, syntaxes in contexts
        ]
        return preferred_first(ordered, favourites, lambda context: next(iter(context[1]), ""))


class ClientAssociation:
    """An established association; a context manager that releases it, or aborts on an exception.

    Setting `give_up`, from another thread, makes a wait for a response raise Interrupted soon.
    `window` is how many operations may be outstanding; see `pipelining`.
    """

    def __init__(
        self,
        transport: BlockingAssociation,
        *,
        response_timeout: float = 60.0,
        give_up: threading.Event | None = None,
        window: int = 1,
    ) -> None:
        self.transport = transport
        self.window = window
        self._give_up = give_up
        self.response_timeout = response_timeout
        self._assembler = MessageAssembler()
        self._message_id = 0
        self._contexts: dict[tuple[str, str | None], AcceptedContext] = {}
        for context in transport.accepted_contexts.values():
            self._contexts.setdefault((context.abstract_syntax, None), context)
            self._contexts.setdefault((context.abstract_syntax, context.transfer_syntax), context)

    @property
    def peer(self) -> str:
        """The peer as "host:port"."""
        return self.transport.peer

    @property
    def extended_negotiations(self) -> tuple[ExtendedNegotiation, ...]:
        """The peer's answers to SOP Class Extended Negotiation (PS3.7 D.3.3.5)."""
        return self.transport.response.user_information.extended_negotiations

    def __enter__(self) -> ClientAssociation:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_type is None:
            self.release()
        else:
            self.abort()

    def release(self) -> None:
        """End the association in good order (A-RELEASE); harmless once it has ended."""
        self.transport.release()

    def abort(self) -> None:
        """End the association at once (A-ABORT); harmless once it has ended."""
        self.transport.abort()

    def is_usable(self) -> bool:
        """Whether an idle association is still there; the peer may have ended it meanwhile.

        One on which the peer says something unasked is aborted.
        """
        try:
            self.transport.receive(0.0)
        except ResponseTimeout:
            return True
        except UpperLayerError:
            return False
        self.abort()
        return False

    def echo(self) -> Status:
        """C-ECHO (PS3.4 A.4); see `verification_scu.echo`."""
        return verification_scu.echo(self)

    def find(
        self, model_uid: str, identifier: Elements, *, cancel_after: int | None = None
    ) -> Generator[FindMatch, None, None]:
        """C-FIND (PS3.4 C.4.1); see `query_retrieve_scu.find`."""
        return query_retrieve_scu.find(self, model_uid, identifier, cancel_after=cancel_after)

    def move(
        self,
        model_uid: str,
        identifier: Elements,
        destination: str,
        *,
        cancel_after: int | None = None,
    ) -> Generator[RetrieveProgress, None, None]:
        """C-MOVE (PS3.4 C.4.2) to the AE title `destination`; see `retrieve_scu.move`."""
        return retrieve_scu.move(
            self, model_uid, identifier, destination, cancel_after=cancel_after
        )

    def get(
        self,
        model_uid: str,
        identifier: Elements,
        receiver: Receiver,
        *,
        cancel_after: int | None = None,
    ) -> Generator[RetrieveProgress, None, None]:
        """C-GET (PS3.4 C.4.3) into `receiver`; see `retrieve_scu.get`."""
        return retrieve_scu.get(self, model_uid, identifier, receiver, cancel_after=cancel_after)

    def store(
        self,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        data_set: Buffers,
    ) -> CStoreRSP:
        """C-STORE (PS3.4 B.2): send one instance and wait for the peer's verdict.

        `data_set` is the data set as encoded in the transfer syntax, without file meta; it is
        sent as it stands and not copied. The response is returned whatever its status: judge it
        with `describe(response.status, Service.STORAGE)`. Raises NoPresentationContext, and the
        errors of `receive_response`.
        """
        message_id = self.send_store(sop_class_uid, sop_instance_uid, transfer_syntax_uid, data_set)
        response, _ = self.receive_response(CStoreRSP, message_id)
        return response

    def commit(
        self,
        references: Sequence[Reference],
        *,
        transaction_uid: str | None = None,
        wait: float = 60.0,
    ) -> CommitmentReport | None:
        """Storage Commitment (PS3.4 J.3) of `references`; see `storage_commitment_scu.commit`."""
        from isocenter.services import storage_commitment_scu

        return storage_commitment_scu.commit(
            self, references, transaction_uid=transaction_uid, wait=wait
        )

    # What the services are built from.

    def context_for(
        self, abstract_syntax: str, transfer_syntax_uid: str | None = None
    ) -> AcceptedContext:
        """The accepted context for these syntaxes; in any transfer syntax where None is given.

        Raises NoPresentationContext.
        """
        context = self._contexts.get((abstract_syntax, transfer_syntax_uid))
        if context is None:
            raise NoPresentationContext(self.peer, abstract_syntax, transfer_syntax_uid)
        return context

    def next_message_id(self) -> int:
        """1 to 65535, then from 1 again."""
        self._message_id = self._message_id % 0xFFFF + 1
        return self._message_id

    def send(self, context_id: int, message: Message, data_set: Buffers | None = None) -> None:
        """Send a message; the errors are those of `BlockingAssociation.send`."""
        self.transport.send(context_id, message.encode(), data_set)

    def send_store(
        self,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        data_set: Buffers,
    ) -> int:
        """Send a C-STORE without waiting for its response; returns its message ID. See `store`."""
        context = self.context_for(sop_class_uid, transfer_syntax_uid)
        message_id = self.next_message_id()
        request = CStoreRQ(
            message_id=message_id,
            affected_sop_class_uid=sop_class_uid,
            affected_sop_instance_uid=sop_instance_uid,
        )
        self.transport.send(context.context_id, request.encode(), data_set)
        return message_id

    def receive_response(self, response_class: type[R], message_id: int) -> tuple[R, bytes]:
        """The next response to the request of that message ID, with its data set (maybe empty).

        Raises the errors of `BlockingAssociation.receive`, and DimseProtocolError where the peer
        sends anything else; the association is aborted then.
        """
        return self.receive_response_to_any(response_class, (message_id,))

    def receive_response_to_any(
        self, response_class: type[R], message_ids: Container[int]
    ) -> tuple[R, bytes]:
        """The next response to any of several requests; otherwise like `receive_response`."""
        try:
            message, data_set = self._receive_message()
            if type(message) is not response_class:
                raise _unexpected(message.command_name, response_class.command_name)
            if message.message_id_being_responded_to not in message_ids:
                answered = message.message_id_being_responded_to
                raise _unexpected(f"a response to message {answered}", "one to a request of ours")
        except BaseException:
            self.abort()
            raise
        return message, data_set

    def receive_events(self, timeout: float | None = None) -> tuple[DimseEvent, ...]:
        """What the next fragment completes; for messages that come in any order, and in pieces.

        `timeout` is in seconds, by default the response timeout. Raises the errors of
        `BlockingAssociation.receive`, and DimseError.
        """
        return self._assembler.feed(
            self._receive_fragment(self.response_timeout if timeout is None else timeout)
        )

    def _receive_message(self) -> tuple[Message, bytes]:
        message: Message | None = None
        data_set = bytearray()
        while True:
            for event in self.receive_events():
                if isinstance(event, CommandReceived):
                    message = event.message
                elif len(data_set) + len(event.data) > MAX_DATA_SET_LENGTH:
                    raise _oversized_data_set()
                else:
                    data_set += event.data
            if message is not None and self._assembler.idle:
                return message, bytes(data_set)

    def _receive_fragment(self, timeout: float) -> DataReceived:
        """The next fragment; in short waits where somebody may want to give up meanwhile."""
        if self._give_up is None:
            return self.transport.receive(timeout)
        deadline = time.monotonic() + timeout
        while not self._give_up.is_set():
            try:
                return self.transport.receive(_LOOK_UP_EVERY)
            except ResponseTimeout:
                if time.monotonic() >= deadline:
                    raise ResponseTimeout(
                        f"{self.peer} sent no message for {timeout:g} s; it may be "
                        "overloaded: try a longer response timeout."
                    ) from None
        raise Interrupted(f"Waiting for {self.peer} was given up; the association is aborted.")


def connect(
    host: str,
    port: int,
    *,
    contexts: Sequence[tuple[str, Sequence[str]]],
    called_ae: str = "ANY-SCP",
    calling_ae: str = "ISOCENTER",
    maximum_length: int = 131072,
    connect_timeout: float = 10.0,
    response_timeout: float = 60.0,
    timeouts: Timeouts | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> ClientAssociation:
    """Establish an association; the arguments are those of `Destination` and its `connect`."""
    destination = Destination(
        host,
        port,
        called_ae,
        calling_ae,
        maximum_length,
        connect_timeout,
        response_timeout,
        timeouts or Timeouts(),
        ssl_context,
    )
    return destination.connect(contexts)


def _unexpected(what: str, instead_of: str) -> DimseProtocolError:
    return DimseProtocolError(
        f"The peer sent {what} where {instead_of} was due; the association is aborted.",
        status=MISTYPED_ARGUMENT,
    )


def _oversized_data_set() -> DimseError:
    return DimseProtocolError(
        f"The peer sent a response of more than {MAX_DATA_SET_LENGTH} bytes; "
        "the association is aborted.",
        status=RESOURCE_LIMITATION,
    )
