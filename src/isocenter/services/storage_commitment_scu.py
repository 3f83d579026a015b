"""Storage Commitment Push Model (PS3.4 Annex J), user: ask whether a peer vouches for instances.

The peer answers the request at once, and reports later: on the same association while it is open,
or on one that it makes itself (`storage_commitment_listener`).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from isocenter.dictionary.sop_classes import STORAGE_COMMITMENT_PUSH
from isocenter.dictionary.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    transfer_syntax,
)
from isocenter.dimse import status
from isocenter.dimse.assembler import CommandReceived
from isocenter.dimse.errors import DimseProtocolError
from isocenter.dimse.messages import (
    Message,
    NActionRQ,
    NActionRSP,
    NEventReportRQ,
)
from isocenter.dimse.status import Service, Status, describe
from isocenter.services.errors import ServiceError
from isocenter.services.storage_commitment import (
    PUSH_MODEL_INSTANCE,
    REQUEST_COMMITMENT,
    CommitmentReport,
    Reference,
    encode_request,
)
from isocenter.services.storage_commitment_reports import REPORT_BYTES, Reports, receive_report
from isocenter.upperlayer.errors import (
    AssociationAbortedError,
    AssociationReleasedError,
    ConnectionLostError,
    ResponseTimeout,
)

if TYPE_CHECKING:
    from isocenter.services.association import ClientAssociation, Destination

COMMITMENT_CONTEXT = (
    STORAGE_COMMITMENT_PUSH,
    (EXPLICIT_VR_LITTLE_ENDIAN.uid, IMPLICIT_VR_LITTLE_ENDIAN.uid),
)
"""The presentation context to propose, for `connect`."""

INSTANCES_PER_TRANSACTION = 10_000
"""How many instances one request names; more make several. Archives have their limits."""

# What leaves a report to the listener, or to another day: the request has been taken.
_ENDED = (AssociationReleasedError, AssociationAbortedError, ConnectionLostError)

_LOOK_UP_EVERY = 0.25  # seconds between two looks at what came by another association


class CommitmentRefused(ServiceError):
    """The peer did not take a request for commitment; `status` is its answer."""

    def __init__(self, text: str, status: Status) -> None:
        super().__init__(text)
        self.status = status


class Verdict(NamedTuple):
    """What a peer says of one instance; `reason` (PS3.3 C.14) is there where it is not committed.

    With neither, no report came in time, or the report does not mention the instance.
    """

    committed: bool
    reason: int | None = None


@dataclass(slots=True)
class CommitmentOutcome:
    """What came of asking for commitment: a verdict for each instance, and the transactions."""

    verdicts: dict[Reference, Verdict] = field(default_factory=dict)
    transactions: list[str] = field(default_factory=list)
    unreported: list[str] = field(default_factory=list)
    """The transactions whose report did not come in time."""

    @property
    def complete(self) -> bool:
        """Whether everything is committed."""
        return all(verdict.committed for verdict in self.verdicts.values())


class Listener(Protocol):
    """Who takes reports on associations that the peer makes."""

    reports: Reports


def new_transaction_uid() -> str:
    """A UID that nobody else has (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid4().int}"


def commit(
    association: ClientAssociation,
    references: Sequence[Reference],
    *,
    transaction_uid: str | None = None,
    wait: float = 60.0,
) -> CommitmentReport | None:
    """Ask for commitment (PS3.4 J.3.2) and wait for the report on this association.

    The association must have accepted `COMMITMENT_CONTEXT`. Returns None where no report came
    within `wait` seconds, or before the peer ended the association. Asking again with the same
    `transaction_uid` and instances is the same transaction.

    Raises CommitmentRefused, NoPresentationContext, and the errors of
    `ClientAssociation.receive_response`.
    """
    uid = transaction_uid or new_transaction_uid()
    reports = Reports()
    session = _Session(association, reports)
    session.ask(uid, references)
    session.wait(time.monotonic() + wait)
    return reports.get(uid)


def commit_instances(
    destination: Destination,
    references: Iterable[Reference],
    *,
    wait: float = 60.0,
    listener: Listener | None = None,
    transaction_uid: str | None = None,
    per_transaction: int = INSTANCES_PER_TRANSACTION,
) -> CommitmentOutcome:
    """Ask a peer to commit to instances and say what it answers about each.

    Reports are awaited for `wait` seconds after the last request: on the same association, and by
    the `listener` where there is one. With more instances than go into one transaction, all but
    the first get transaction UIDs of their own.

    Raises the errors of `Destination.connect`, and those of `commit`.
    """
    wanted = list(dict.fromkeys(references))
    batches = _batches(wanted, transaction_uid, per_transaction)
    reports = listener.reports if listener is not None else Reports()
    with destination.connect([COMMITMENT_CONTEXT]) as association:
        session = _Session(association, reports)
        for uid, batch in batches.items():
            session.ask(uid, batch)
        deadline = time.monotonic() + wait
        session.wait(deadline, often=listener is not None)
    while listener is not None and reports.missing() and time.monotonic() < deadline:
        reports.news.wait(min(_LOOK_UP_EVERY, max(deadline - time.monotonic(), 0.0)))
        reports.news.clear()
    return _outcome(batches, reports)


class _Session:
    """Transactions on one association. Reports may come at any time, before a response too."""

    def __init__(self, association: ClientAssociation, reports: Reports) -> None:
        self._association = association
        self._reports = reports
        self._message: Message | None = None
        self._data = bytearray()
        self._response: NActionRSP | None = None

    def ask(self, transaction_uid: str, references: Sequence[Reference]) -> None:
        """N-ACTION (PS3.7 10.1.4). Raises CommitmentRefused."""
        association = self._association
        context = association.context_for(STORAGE_COMMITMENT_PUSH)
        message_id = association.next_message_id()
        request = NActionRQ(
            message_id=message_id,
            requested_sop_class_uid=STORAGE_COMMITMENT_PUSH,
            requested_sop_instance_uid=PUSH_MODEL_INSTANCE,
            action_type_id=REQUEST_COMMITMENT,
            has_data_set=True,
        )
        syntax = transfer_syntax(context.transfer_syntax)
        self._reports.expect(transaction_uid)
        data = encode_request(transaction_uid, references, syntax)
        association.send(context.context_id, request, data)
        self._response = None
        while self._response is None:
            self._receive(association.response_timeout)
        if self._response.message_id_being_responded_to != message_id:
            association.abort()
            raise _out_of_place("a response to another message")
        meaning = describe(self._response.status, Service.STORAGE_COMMITMENT)
        if not (meaning.is_success or meaning.is_warning):
            comment = self._response.error_comment
            raise CommitmentRefused(
                f"{association.peer} refused the request for commitment with status {meaning}"
                f"{f' ({comment})' if comment else ''}.",
                meaning,
            )

    def wait(self, deadline: float, *, often: bool = False) -> None:
        """Return when every report is there, the time is over, or the association is."""
        while self._reports.missing() and (left := deadline - time.monotonic()) > 0:
            try:
                self._receive(min(left, _LOOK_UP_EVERY) if often else left)
            except ResponseTimeout:
                continue
            except _ENDED:
                return

    def _receive(self, timeout: float) -> None:
        """Take the next piece of what comes; act when a message is complete."""
        for event in self._association.receive_events(timeout):
            if isinstance(event, CommandReceived):
                self._message, self._data = event.message, bytearray()
                whole = not event.message.has_data_set
            else:
                self._data += event.data
                whole = event.is_last
                if len(self._data) > REPORT_BYTES:
                    self._association.abort()
                    raise _out_of_place(f"a report of more than {REPORT_BYTES} bytes")
            if whole:
                self._act(event.context_id)

    def _act(self, context_id: int) -> None:
        message, self._message = self._message, None
        if isinstance(message, NEventReportRQ):
            context = self._association.transport.accepted_contexts[context_id]
            syntax = transfer_syntax(context.transfer_syntax)
            answer = receive_report(message, self._data, syntax, self._reports)
            self._association.send(context_id, answer)
        elif isinstance(message, NActionRSP):
            self._response = message
        else:
            self._association.abort()
            raise _out_of_place(message.command_name if message else "nothing")


def _batches(
    references: Sequence[Reference], first_uid: str | None, size: int
) -> dict[str, Sequence[Reference]]:
    starts = range(0, len(references), size)
    return {
        (first_uid if start == 0 and first_uid else new_transaction_uid()): references[
            start : start + size
        ]
        for start in starts
    }


def _outcome(batches: Mapping[str, Collection[Reference]], reports: Reports) -> CommitmentOutcome:
    outcome = CommitmentOutcome(transactions=list(batches))
    for uid, batch in batches.items():
        report = reports.get(uid)
        if report is None:
            outcome.unreported.append(uid)
        committed = frozenset(report.committed if report else ())
        failed = report.failed if report else {}
        for one in batch:
            outcome.verdicts[one] = Verdict(one in committed, failed.get(one))
    return outcome


def _out_of_place(what: str) -> DimseProtocolError:
    return DimseProtocolError(
        f"The peer sent {what} during storage commitment; the association is aborted.",
        status=status.MISTYPED_ARGUMENT,
    )
