"""The provider side of an association: messages in, services called, responses out.

A `ServiceProvider` names the services of a node and how it negotiates; each association gets a
`ProvidedAssociation`, which routes requests to the service of their presentation context. Handlers
never block: what takes time runs elsewhere and reports back through `post`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import structlog

from isocenter.dimse import status
from isocenter.dimse.assembler import CommandReceived, DimseEvent, MessageAssembler
from isocenter.dimse.errors import DimseError, DimseProtocolError
from isocenter.dimse.message import Message, Request, Response
from isocenter.dimse.messages import CCancelRQ
from isocenter.security.access import Rights
from isocenter.security.identity_outcome import Refused, Verified
from isocenter.services.accounts import Account, NoAccount
from isocenter.services.failures import Failure, FailureLog, failed_operation
from isocenter.services.loop_post import LoopPost
from isocenter.services.outgoing import Outgoing
from isocenter.services.service_names import SERVICE_NAMES, service_name
from isocenter.upperlayer.aio import AssociationProtocol
from isocenter.upperlayer.causes import diagnose_abort, diagnose_rejection
from isocenter.upperlayer.contexts import AcceptedContext
from isocenter.upperlayer.errors import AssociationError
from isocenter.upperlayer.events import (
    Aborted,
    AssociationRequested,
    ConnectionLost,
    DataReceived,
    Event,
    ReleaseRequested,
)
from isocenter.upperlayer.user_information import UserIdentity

log = structlog.get_logger(__name__)


class Operation(Protocol):
    """A request that is being served: it takes the data set, and may be told to stop."""

    def write(self, fragment: memoryview) -> None:
        """Take the next bytes of the data set; they are valid during the call only."""

    def finish(self) -> None:
        """The data set, if one was announced, is complete."""

    def cancel(self) -> None:
        """C-CANCEL arrived (PS3.7 9.3.2.3)."""

    def abort(self) -> None:
        """The association is gone; nobody waits for a response."""

    @property
    def congested(self) -> bool:
        """Whether the peer should send no more for now."""

    def when_relieved(self, resume: Callable[[], None]) -> None:
        """Have `resume` called, from any thread, when there is room again."""


class Service(Protocol):
    """One service class as a provider (SCP)."""

    def begin(
        self, association: ProvidedAssociation, context: AcceptedContext, request: Request
    ) -> Operation | None:
        """Start serving a request; None if it was answered at once, or cannot be served here.

        Raises DimseError to have its response sent.
        """


class Node(Protocol):
    """What a provided association needs to know of its node."""

    post: LoopPost

    @property
    def failures(self) -> FailureLog:
        """Who keeps what fails."""

    def answer(self, association: ProvidedAssociation, requested: AssociationRequested) -> None:
        """Accept or reject the association, now or later; call `accepted` if it is accepted."""

    def service_for(self, abstract_syntax: str) -> Service:
        """The service that serves an accepted abstract syntax."""

    def ended(self, association: ProvidedAssociation) -> None:
        """The association is over."""


class Allowance(Protocol):
    """How much the peer may still store for now."""

    def begin_object(self) -> bool:
        """Whether another object may come; it is counted if so."""

    def took(self, size: int) -> None:
        """An object of `size` bytes has come."""


class ProvidedAssociation:
    """One association on which this node provides services: an AssociationUser."""

    def __init__(self, node: Node, connection: AssociationProtocol) -> None:
        self._node = node
        self.connection = connection
        self.post = node.post
        self.outgoing = Outgoing(connection)
        self._assembler = MessageAssembler()
        self._services: dict[int, Service] = {}
        self._receiving: Operation | None = None
        self._operations: dict[int, Operation] = {}
        self.log = log.bind(peer=connection.peer)
        self.over = False
        self.unwelcome = self.was_accepted = False
        self.listener = ""
        self.on_accepted: Callable[[], None] | None = None
        self.allowance: Allowance | None = None
        self.rights = Rights(SERVICE_NAMES)
        self.account: Account = NoAccount()
        self.identity: Verified | Refused | None = None  # what became of `user_identity`
        self._paused = False
        self.maximum_operations = 1

    @property
    def host(self) -> str:
        """The peer's network address."""
        return self.connection.host

    @property
    def busy(self) -> bool:
        """Whether an operation is under way."""
        return bool(self._operations)

    @property
    def answering(self) -> bool:
        """Whether a whole request has arrived whose response is still being made."""
        return bool(self._operations) and self._assembler.idle

    @property
    def calling_ae_title(self) -> str:
        """Who asked for the association."""
        request = self.connection.core.request
        return "" if request is None else request.calling_ae_title

    @property
    def called_ae_title(self) -> str:
        """Whom they asked for."""
        request = self.connection.core.request
        return "" if request is None else request.called_ae_title

    @property
    def user_identity(self) -> UserIdentity | None:
        """Who the peer's user claims to be, unverified (PS3.7 D.3.3.7)."""
        request = self.connection.core.request
        return None if request is None else request.user_information.user_identity

    def handle(self, event: Event) -> None:
        """Act on what the upper layer reports."""
        if type(event) is DataReceived:
            self._receive(event)
        elif isinstance(event, AssociationRequested):
            self._node.answer(self, event)
        elif isinstance(event, ReleaseRequested):
            self.log.debug("association released")
            self.connection.confirm_release()
            self._end()
        elif isinstance(event, Aborted):
            if event.by_peer:
                self.log.info("the peer aborted the association", source=event.source)
            else:
                self.log.warning(
                    "aborted the association", why=event.diagnosis, reason=event.reason
                )
            self._note_end("association aborted", diagnose_abort(event, busy=self.busy))
            self._end()
        elif isinstance(event, ConnectionLost):
            self.log.info("the peer closed the connection without releasing the association")
            self._note_end("connection lost", "the peer closed it without a release")
            self._end()

    def accepted(self) -> None:
        """The association was accepted: serve it."""
        self.was_accepted = True
        for context in self.connection.core.accepted_contexts.values():
            self._services[context.context_id] = self._node.service_for(context.abstract_syntax)
        self._open_window()
        self.log = self.log.bind(calling_ae=self.calling_ae_title)
        if self.on_accepted is not None:
            self.on_accepted()

    def _note_end(self, what: str, diagnosis: str) -> None:
        """An end that is no release; behind a refusal of all contexts it is no failure more."""
        core = self.connection.core
        if core.response is None or core.accepted_contexts:
            self.failed(what if core.request else "connection", diagnosis)

    def closed(self) -> None:
        """The transport is gone."""
        core = self.connection.core
        if core.request is None:
            self.log.info("closed a connection that asked for no association")
        elif core.refusal is not None:
            why = diagnose_rejection(core.refusal, self.called_ae_title)
            self.log.warning("rejected an association", why=why)
            self.failed("association rejected", why)
        self._end()
        self._node.ended(self)

    def writable(self) -> None:
        """The peer took what it was sent: wake those who wait for that."""
        self.outgoing.writable()

    def when_writable(self, call: Callable[[], None]) -> None:
        """Run `call` once the peer has room for more responses; at once if it has."""
        self.outgoing.when_writable(call)

    def respond(self, context_id: int, response: Response, data_set: bytes | None = None) -> None:
        """Send a response (on the loop's thread); after the association's end, drop it."""
        self.queue(context_id, response, data_set)
        self.flush()

    def queue(self, context_id: int, response: Response, data_set: bytes | None = None) -> None:
        """Like `respond`, but sent only at the next `flush`, together with others."""
        if not self.over:
            self.outgoing.queue(context_id, response.encode(), data_set)
            if (failure := failed_operation(response)) is not None:
                self.failed(*failure)

    def failed(self, what: str, diagnosis: str) -> None:
        """Have it kept that something failed on this association; see `failures.Failure`."""
        core = self.connection.core
        failure = Failure(
            "provider",
            self.host,
            what,
            diagnosis,
            self.calling_ae_title,
            self.called_ae_title,
            core.request,
            core.response,
        )
        self._node.failures.record(failure)

    def flush(self) -> None:
        """Send what was queued."""
        if not self.over:
            self.connection.flush()

    def abort(self) -> None:
        """Break the association off (A-ABORT)."""
        self.connection.abort()
        self._end()

    def done(self, operation: Operation, message_id: int) -> None:
        """An operation has sent its final response."""
        if self._operations.get(message_id) is operation:
            del self._operations[message_id]

    def _open_window(self) -> None:
        """Keep to the operations that the answer allows each side to have outstanding.

        Where nothing is negotiated it is one (PS3.7 D.3.3.3), and we invoke no more; but a peer
        that does is served as far as the node goes, for its only other answer is a failure.
        """
        response = self.connection.core.response
        window = response and response.user_information.asynchronous_operations_window
        if window:
            self.maximum_operations, ours = window
            self.outgoing.allow(ours)

    def _receive(self, received: DataReceived) -> None:
        if self.over:
            return
        receiving = self._receiving
        try:
            for event in self._assembler.feed(received):
                self._act(received.context_id, event)
        except DimseProtocolError as error:
            self.log.warning("aborted the association", why=str(error))
            self.failed("association aborted", str(error))
            self.abort()
        except DimseError as error:
            self.log.warning("refused a request", why=str(error), status=f"{error.status:04X}")
            if error.response is not None:
                self.respond(received.context_id, error.response)
        if receiving is not None and receiving is self._receiving and receiving.congested:
            self._pause(receiving)

    def _act(self, context_id: int, event: DimseEvent) -> None:
        if isinstance(event, CommandReceived):
            self._begin(context_id, event.message)
            return
        operation = self._receiving
        if operation is not None:
            operation.write(event.data)
        if event.is_last:
            self._receiving = None
            if operation is not None:
                operation.finish()

    def _begin(self, context_id: int, message: Message) -> None:
        if isinstance(message, CCancelRQ):
            if operation := self._operations.get(message.message_id_being_responded_to):
                operation.cancel()
            return
        if not isinstance(message, Request):
            if isinstance(message, Response) and self.outgoing.answered(message):
                return
            self.log.warning("dropped a response that nothing here asked for")
            return
        if message.message_id in self._operations:
            text = "An operation with this message ID is still under way"
            refuse(self, context_id, message, status.DUPLICATE_INVOCATION, text)
            return
        if len(self._operations) >= self.maximum_operations:
            text = f"Only {self.maximum_operations} operations at a time on this association"
            refuse(self, context_id, message, status.RESOURCE_LIMITATION, text)
            return
        context = self.connection.core.accepted_contexts[context_id]
        if service_name(context.abstract_syntax) not in self.rights.services:
            # The context is there for a service that is: storage in the role that C-GET needs.
            self.account.denied(f"{service_name(context.abstract_syntax)} is not for this AE title")
            text = "This AE title may not use this service here"
            refuse(self, context_id, message, status.NOT_AUTHORIZED, text)
            return
        operation = self._services[context_id].begin(self, context, message)
        if operation is None:
            return
        self._operations[message.message_id] = operation
        if message.has_data_set:
            self._receiving = operation
        else:
            operation.finish()

    def _pause(self, operation: Operation) -> None:
        if not self._paused:
            self._paused = True
            self.connection.pause_reading()
            operation.when_relieved(lambda: self.post(self._resume))

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self.connection.resume_reading()

    def _end(self) -> None:
        if self.over:
            return
        self.over = True
        operations, self._operations = self._operations, {}
        for operation in operations.values():
            operation.abort()
        self._receiving = None
        self.account.close()
        self.outgoing.end(AssociationError("The association ended before the answer came."))
        self._resume()  # or the peer's close would never be seen


def refuse(
    association: ProvidedAssociation, context_id: int, request: Request, code: int, comment: str
) -> None:
    """Answer a request with a failure status of PS3.7 Annex C and a comment for its sender."""
    response_class = request.response_class
    if response_class is None:
        return
    association.log.warning("refused a request", status=str(status.describe(code)), why=comment)
    response = response_class(
        message_id_being_responded_to=request.message_id, status=code, error_comment=comment
    )
    association.respond(context_id, response)


def refuse_foreign_class(
    association: ProvidedAssociation, context: AcceptedContext, request: Request, sop_class_uid: str
) -> bool:
    """Refuse a request for another SOP class than its presentation context's; say whether."""
    if sop_class_uid == context.abstract_syntax:
        return False
    text = "The SOP class is not the one of the presentation context"
    refuse(association, context.context_id, request, status.SOP_CLASS_NOT_SUPPORTED, text)
    return True
