"""Commitment reports as they are received, on our own association or on one of the peer's."""

from __future__ import annotations

import threading

from isocenter.dictionary.transfer_syntaxes import TransferSyntax
from isocenter.dimse import status
from isocenter.dimse.messages import NEventReportRQ, NEventReportRSP
from isocenter.encoding.errors import EncodingError
from isocenter.services.storage_commitment import (
    ALL_COMMITTED,
    BYTES_PER_INSTANCE,
    FAILURES_EXIST,
    PUSH_MODEL_INSTANCE,
    CommitmentReport,
    InvalidRequest,
    decode_report,
)

REPORT_INSTANCES = 100_000
"""Instances that a report may name, at most."""

REPORT_BYTES = REPORT_INSTANCES * BYTES_PER_INSTANCE


class Reports:
    """The reports that are waited for, from whichever association they come. For any thread."""

    def __init__(self) -> None:
        self._expected: set[str] = set()
        self._taken: dict[str, CommitmentReport] = {}
        self._lock = threading.Lock()
        self.news = threading.Event()

    def expect(self, transaction_uid: str) -> None:
        """Take a report about this transaction, even before the request is answered."""
        with self._lock:
            self._expected.add(transaction_uid)

    def take(self, report: CommitmentReport) -> bool:
        """Keep a report; False if nobody here asked for it. A repetition changes nothing."""
        with self._lock:
            if report.transaction_uid not in self._expected:
                return False
            self._taken.setdefault(report.transaction_uid, report)
        self.news.set()
        return True

    def get(self, transaction_uid: str) -> CommitmentReport | None:
        """The report about a transaction, if it has come."""
        with self._lock:
            return self._taken.get(transaction_uid)

    def missing(self) -> bool:
        """Whether a report is still to come."""
        with self._lock:
            return len(self._taken) < len(self._expected)


def receive_report(
    request: NEventReportRQ, data: bytes | bytearray, syntax: TransferSyntax, reports: Reports
) -> NEventReportRSP:
    """Take an N-EVENT-REPORT for what it is worth; return the response to it (PS3.7 10.1.1)."""
    code, comment = status.SUCCESS, ""
    if request.affected_sop_instance_uid != PUSH_MODEL_INSTANCE:
        code, comment = status.NO_SUCH_SOP_INSTANCE, f"The instance is {PUSH_MODEL_INSTANCE}"
    elif request.event_type_id not in (ALL_COMMITTED, FAILURES_EXIST):
        code, comment = status.NO_SUCH_EVENT_TYPE, "The event type is 1 or 2"
    else:
        try:
            if not reports.take(decode_report(data, syntax, REPORT_INSTANCES)):
                code, comment = status.INVALID_ARGUMENT_VALUE, "No such transaction is waited for"
        except (InvalidRequest, EncodingError) as error:
            code, comment = status.INVALID_ARGUMENT_VALUE, str(error)
    return NEventReportRSP(
        message_id_being_responded_to=request.message_id,
        affected_sop_class_uid=request.affected_sop_class_uid,
        affected_sop_instance_uid=request.affected_sop_instance_uid,
        event_type_id=request.event_type_id,
        status=code,
        error_comment=comment or None,
    )
