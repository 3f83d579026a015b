"""The statuses that each service sends here, and what it means by them (PS3.7 C, PS3.4).

Names and categories come from `dimse.status_tables`; what is here is which of them are sent, and
why. A test holds the codes beside those in the services' own source.
"""

from __future__ import annotations

from collections.abc import Mapping

from isocenter.conformance.facts import ServiceStatuses, StatusCode
from isocenter.dimse import status
from isocenter.dimse.status import Service, describe
from isocenter.services.storage_scp import STATUS_BY_DISPOSITION

_DISPOSITIONS = {
    "STORED": "kept, as durable as storage.durability says",
    "DUPLICATE": "the same bytes are there already; nothing changes",
    "QUARANTINED": "kept aside: the SOP Instance UID is there with other bytes",
    "CONFLICT": "refused: the SOP Instance UID is there with other bytes (storage.on_conflict)",
    "INVALID_UID": "a UID is missing or none, or is not the announced one",
    "MISMATCH": "the data set is not the announced instance",
    "UNREADABLE": "cut short, malformed, nested too deeply, or too large when inflated",
    "OUT_OF_RESOURCES": "no room, too large, or more than the peer may store in a minute",
    "ABANDONED": "the node stops",
}

_UNRECOGNIZED = {status.UNRECOGNIZED_OPERATION: "an operation that the SOP class does not have"}
_QUERIES = {
    status.SUCCESS: "every match was sent",
    status.PENDING: "a match",
    status.PENDING_WARNING: "a match; some keys of the query are not supported",
    status.CANCEL: "C-CANCEL was received; what was not yet written is not sent",
    status.OUT_OF_RESOURCES: "a limit of matches, headers, time or size; the comment says which",
    status.IDENTIFIER_DOES_NOT_MATCH_SOP_CLASS: "the identifier breaks a rule; the comment and "
    "Offending Element say which",
    status.UNABLE_TO_PROCESS: "the query failed; the node's log says why",
    status.MISTYPED_ARGUMENT: "no identifier",
    status.RESOURCE_LIMITATION: "more operations under way than were negotiated",
    **_UNRECOGNIZED,
}
_RETRIEVALS = {
    status.SUCCESS: "every object was sent and accepted",
    status.PENDING: "progress (retrieve.pending_interval)",
    status.CANCEL: "C-CANCEL was received; nothing new is sent",
    status.SUBOPERATIONS_WITH_FAILURES: "some objects were not sent, or not accepted",
    status.OUT_OF_RESOURCES_FOR_MATCHES: "the index cannot be asked, or the identifier is too "
    "large",
    status.OUT_OF_RESOURCES_FOR_SUBOPERATIONS: "no object was sent, or the destination was not "
    "reached",
    status.IDENTIFIER_DOES_NOT_MATCH_SOP_CLASS: "the identifier breaks a rule",
    status.UNABLE_TO_PROCESS: "the retrieve failed; the node's log says why",
    status.MISTYPED_ARGUMENT: "no identifier",
    **_UNRECOGNIZED,
}

SENT: Mapping[Service, Mapping[int, str]] = {
    Service.VERIFICATION: {status.SUCCESS: "the node works", **_UNRECOGNIZED},
    Service.STORAGE: {
        **{code: _DISPOSITIONS[name] for name, code in reversed(STATUS_BY_DISPOSITION.items())},
        status.DATA_SET_DOES_NOT_MATCH_SOP_CLASS_WARNING: "kept; of another SOP class than its "
        "presentation context",
        status.MISTYPED_ARGUMENT: "no data set",
        status.NOT_AUTHORIZED: "the peer may not store here",
        **_UNRECOGNIZED,
    },
    Service.QUERY: _QUERIES,
    Service.WORKLIST: _QUERIES,
    Service.GET: _RETRIEVALS,
    Service.MOVE: {
        **_RETRIEVALS,
        status.MOVE_DESTINATION_UNKNOWN: "the AE title is none of the configured peers",
        status.NOT_AUTHORIZED: "the peer may not send there (move_destinations)",
    },
    Service.STORAGE_COMMITMENT: {
        status.SUCCESS: "the transaction is kept, and will be reported on",
        status.PROCESSING_FAILURE: "the transaction cannot be kept; try again",
        status.NO_SUCH_SOP_INSTANCE: "not the well-known instance of the Push Model",
        status.NO_SUCH_ACTION: "the action type is not 1",
        status.INVALID_ARGUMENT_VALUE: "no usable Action Information",
        status.DUPLICATE_TRANSACTION_UID: "the Transaction UID stands for another request",
        status.RESOURCE_LIMITATION: "more instances than are taken ([commitment])",
        **_UNRECOGNIZED,
    },
    Service.PROCEDURE_STEP: {
        status.SUCCESS: "the step is kept as told",
        status.OPTIONAL_ATTRIBUTES_NOT_SUPPORTED: "N-GET: some attributes are not there",
        status.INVALID_ATTRIBUTE_VALUE: "a value cannot be, or changes what may not change",
        status.PROCESSING_FAILURE: "the step has ended, or cannot be kept",
        status.DUPLICATE_SOP_INSTANCE: "N-CREATE: there is such a step",
        status.NO_SUCH_SOP_INSTANCE: "there is no such step",
        status.INVALID_SOP_INSTANCE: "the SOP Instance UID is none",
        status.MISSING_ATTRIBUTE: "an attribute of type 1 is missing",
        status.MISSING_ATTRIBUTE_VALUE: "an attribute of type 1 is empty",
        status.RESOURCE_LIMITATION: "the attributes are too large",
        **_UNRECOGNIZED,
    },
}
"""By service class, every status that a response of ours may have."""

HEEDED: Mapping[str, str] = {
    "success": "the next object or request follows",
    "warning": "counted as done; storage and commitment tell it, and the file is not deleted",
    "failure": "told with its meaning; A7xx is tried again, anything else is final",
    "cancel": "the request has ended",
    "pending": "the wait begins anew",
}
"""What our users of services make of a status, by its category."""


def service_statuses() -> tuple[ServiceStatuses, ...]:
    """The tables of section 7.3."""
    return tuple(
        ServiceStatuses(
            service=service.value,
            role="SCP",
            codes=tuple(_code(service, code, why) for code, why in sorted(codes.items())),
        )
        for service, codes in SENT.items()
    )


def _code(service: Service, code: int, behaviour: str) -> StatusCode:
    known = describe(code, service)
    return StatusCode(
        first=code,
        last=code,
        category=known.category.value,
        meaning=known.name,
        behaviour=behaviour,
    )
