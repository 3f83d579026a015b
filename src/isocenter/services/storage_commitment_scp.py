"""Storage Commitment Push Model (PS3.4 Annex J), provider: N-ACTION taken, report sent.

A request is answered with success only once its transaction is durable. What then happens to it is
the register's business; `send_report` is how a result leaves on any association.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from isocenter.dictionary.sop_classes import STORAGE_COMMITMENT_PUSH
from isocenter.dictionary.transfer_syntaxes import transfer_syntax
from isocenter.dimse import status
from isocenter.dimse.messages import NActionRQ, NActionRSP, NEventReportRQ
from isocenter.dimse.status import Service
from isocenter.encoding.errors import EncodingError, LimitExceeded
from isocenter.errors import IsocenterError
from isocenter.services.errors import ServiceError
from isocenter.services.provider import refuse, refuse_foreign_class
from isocenter.services.storage_commitment import (
    BYTES_PER_INSTANCE,
    PUSH_MODEL_INSTANCE,
    REQUEST_COMMITMENT,
    CommitmentReport,
    InvalidRequest,
    Reference,
    TooManyInstances,
    decode_request,
)

if TYPE_CHECKING:
    from isocenter.dimse.message import Request
    from isocenter.security.access import Scope
    from isocenter.services.outgoing import Outgoing
    from isocenter.services.provider import ProvidedAssociation
    from isocenter.upperlayer.contexts import AcceptedContext

MEMORY_LIMIT = 256 * 1024 * 1024
"""Bytes of requests that are held at one time, over all associations of a process."""

_OVERHEAD = 64 * 1024


class Acceptance(Enum):
    """What the register makes of a request."""

    TAKEN = "taken"
    CONFLICT = "conflict"
    TOO_MANY = "too many"


class CommitmentRequest(NamedTuple):
    """A complete request, and by whom; `provider_ae` is how they called us.

    What is outside of their `scope` is, for them, not there.
    """

    requester_ae: str
    provider_ae: str
    transaction_uid: str
    references: Sequence[Reference]
    scope: Scope


class Registration(NamedTuple):
    """The outcome, and what to run on the loop once the request has been answered.

    It is told the association that the request came on, which may be over by then.
    """

    outcome: Acceptance
    proceed: Callable[[ProvidedAssociation, AcceptedContext], None] | None = None


class CommitmentRegister(Protocol):
    """Who keeps transactions and sees to their reports."""

    def register(self, request: CommitmentRequest) -> Registration:
        """Make a request durable; may block. Raises IsocenterError."""


class ReportRefused(ServiceError):
    """The requester answered an N-EVENT-REPORT with a failure status."""


class StorageCommitmentProvider:
    """N-ACTION SCP of the Push Model. `maximum` bounds the instances of one request."""

    def __init__(self, register: CommitmentRegister, threads: Executor, *, maximum: int) -> None:
        self.register = register
        self.threads = threads
        self.maximum = maximum
        self.bytes_held = 0

    @property
    def size_limit(self) -> int:
        """The largest data set that can hold a permitted request, in bytes."""
        return self.maximum * BYTES_PER_INSTANCE + _OVERHEAD

    def begin(
        self, association: ProvidedAssociation, context: AcceptedContext, request: Request
    ) -> CommitmentOperation | None:
        """Start taking a request (PS3.7 10.1.4)."""
        if not isinstance(request, NActionRQ):
            text = f"{request.command_name} is no operation of Storage Commitment here"
            refuse(association, context.context_id, request, status.UNRECOGNIZED_OPERATION, text)
            return None
        if refuse_foreign_class(association, context, request, request.requested_sop_class_uid):
            return None
        code, text = _objection(request)
        if code != status.SUCCESS:
            refuse(association, context.context_id, request, code, text)
            return None
        return CommitmentOperation(self, association, context, request)


def _objection(request: NActionRQ) -> tuple[int, str]:
    if request.requested_sop_instance_uid != PUSH_MODEL_INSTANCE:
        return status.NO_SUCH_SOP_INSTANCE, f"The instance is {PUSH_MODEL_INSTANCE}"
    if request.action_type_id != REQUEST_COMMITMENT:
        return status.NO_SUCH_ACTION, "The action type is 1, Request Storage Commitment"
    if not request.has_data_set:
        return status.INVALID_ARGUMENT_VALUE, "N-ACTION without Action Information"
    return status.SUCCESS, ""


class CommitmentOperation:
    """One N-ACTION: the list of instances comes in, a durable transaction comes of it."""

    congested = False

    def __init__(
        self,
        provider: StorageCommitmentProvider,
        association: ProvidedAssociation,
        context: AcceptedContext,
        request: NActionRQ,
    ) -> None:
        self._provider = provider
        self._association = association
        self._context = context
        self._request = request
        self._data = bytearray()
        self._too_large = self._complete = False

    # On the loop

    def write(self, fragment: memoryview) -> None:
        """Collect the data set, until it is larger than any permitted one."""
        provider = self._provider
        if self._too_large:
            return
        self._data += fragment
        provider.bytes_held += len(fragment)
        if len(self._data) > provider.size_limit or provider.bytes_held > MEMORY_LIMIT:
            self._too_large = True
            self._let_go()

    def finish(self) -> None:
        """The data set is complete."""
        self._complete = True
        if self._too_large:
            self._refuse_size()
        else:
            self._provider.threads.submit(self._register)

    def cancel(self) -> None:
        """N-ACTION cannot be cancelled (PS3.7 10)."""

    def abort(self) -> None:
        """The association ended; a request that is complete stands, and will be reported."""
        if not self._complete:
            self._let_go()

    def when_relieved(self, resume: Callable[[], None]) -> None:
        """Never asked for."""
        resume()

    def _let_go(self) -> None:
        self._provider.bytes_held -= len(self._data)
        self._data = bytearray()

    # On a thread

    def _register(self) -> None:
        try:
            after = self._answer()
        except Exception:
            self._association.log.exception("a commitment request failed")
            text = "The request failed; the archive's log says why"
            after = partial(self._end, status.PROCESSING_FAILURE, text)
        self._association.post(after)

    def _answer(self) -> Callable[[], None]:
        """Take the request; return how to answer it, on the loop."""
        association, provider = self._association, self._provider
        syntax = transfer_syntax(self._context.transfer_syntax)
        try:
            transaction_uid, references = decode_request(self._data, syntax, provider.maximum)
        except (TooManyInstances, LimitExceeded):
            return self._refuse_size
        except (InvalidRequest, EncodingError) as error:
            return partial(self._end, status.INVALID_ARGUMENT_VALUE, str(error))
        request = CommitmentRequest(
            association.calling_ae_title,
            association.called_ae_title,
            transaction_uid,
            references,
            association.rights.scope,
        )
        try:
            registration = provider.register.register(request)
        except IsocenterError as error:
            association.log.error("a commitment request could not be kept", error=error)
            text = "The archive could not keep the request; try again later"
            return partial(self._end, status.PROCESSING_FAILURE, text)
        match registration.outcome:
            case Acceptance.CONFLICT:
                text = "The transaction UID stands for another request"
                return partial(self._end, status.DUPLICATE_TRANSACTION_UID, text)
            case Acceptance.TOO_MANY:
                text = "Too many transactions wait for their reports; try again later"
                return partial(self._end, status.RESOURCE_LIMITATION, text)
        return partial(self._accepted, len(references), registration)

    # On the loop

    def _accepted(self, count: int, registration: Registration) -> None:
        association = self._association
        association.log.info("took a request for commitment", instances=count)
        self._end(status.SUCCESS)
        if registration.proceed is not None:
            registration.proceed(association, self._context)

    def _refuse_size(self) -> None:
        text = f"More than the {self._provider.maximum:,} instances that one request may name"
        self._end(status.RESOURCE_LIMITATION, text)

    def _end(self, code: int, comment: str = "") -> None:
        self._let_go()
        request, association = self._request, self._association
        if comment:
            association.log.warning(
                "refused a request for commitment",
                status=str(status.describe(code, Service.STORAGE_COMMITMENT)),
                why=comment,
            )
        association.done(self, request.message_id)
        response = NActionRSP(
            message_id_being_responded_to=request.message_id,
            affected_sop_class_uid=request.requested_sop_class_uid,
            affected_sop_instance_uid=request.requested_sop_instance_uid,
            action_type_id=request.action_type_id,
            status=code,
            error_comment=comment or None,
        )
        association.respond(self._context.context_id, response)


async def send_report(
    outgoing: Outgoing,
    context: AcceptedContext,
    report: CommitmentReport,
    data_set: bytes,
    *,
    timeout: float,
) -> None:
    """N-EVENT-REPORT (PS3.7 10.1.1): return once the requester has taken it.

    Raises ReportRefused, and UpperLayerError when no answer comes within `timeout` seconds.
    """
    request = NEventReportRQ(
        message_id=outgoing.next_message_id(),
        affected_sop_class_uid=STORAGE_COMMITMENT_PUSH,
        affected_sop_instance_uid=PUSH_MODEL_INSTANCE,
        event_type_id=report.event_type,
        has_data_set=True,
    )
    response = await outgoing.ask(context.context_id, request, data_set, timeout=timeout)
    meaning = status.describe(response.status, Service.STORAGE_COMMITMENT)
    if not (meaning.is_success or meaning.is_warning):
        raise ReportRefused(f"The requester refused the report with status {meaning}.")
