"""The standard's names for why an association was refused or broken off.

`A-ASSOCIATE-RJ` carries result, source and reason (PS3.8 9.3.4); `A-ABORT` carries source and
reason (PS3.8 9.3.8). A reason means something only together with its source.
"""

from __future__ import annotations

from enum import IntEnum


class RejectResult(IntEnum):
    """`Result` of an A-ASSOCIATE-RJ (PS3.8 9.3.4)."""

    REJECTED_PERMANENT = 1
    REJECTED_TRANSIENT = 2


class RejectSource(IntEnum):
    """`Source` of an A-ASSOCIATE-RJ: who says no (PS3.8 9.3.4)."""

    SERVICE_USER = 1
    SERVICE_PROVIDER_ACSE = 2
    SERVICE_PROVIDER_PRESENTATION = 3


class UserRejectReason(IntEnum):
    """`Reason/Diag.` of an A-ASSOCIATE-RJ whose source is the service user."""

    NO_REASON_GIVEN = 1
    APPLICATION_CONTEXT_NAME_NOT_SUPPORTED = 2
    CALLING_AE_TITLE_NOT_RECOGNIZED = 3
    CALLED_AE_TITLE_NOT_RECOGNIZED = 7


class AcseRejectReason(IntEnum):
    """`Reason/Diag.` of an A-ASSOCIATE-RJ from the ACSE related service provider."""

    NO_REASON_GIVEN = 1
    PROTOCOL_VERSION_NOT_SUPPORTED = 2


class PresentationRejectReason(IntEnum):
    """`Reason/Diag.` of an A-ASSOCIATE-RJ from the presentation related service provider."""

    TEMPORARY_CONGESTION = 1
    LOCAL_LIMIT_EXCEEDED = 2


class AbortSource(IntEnum):
    """`Source` of an A-ABORT (PS3.8 9.3.8)."""

    SERVICE_USER = 0
    SERVICE_PROVIDER = 2


class AbortReason(IntEnum):
    """`Reason/Diag.` of an A-ABORT; significant only from the service provider (PS3.8 9.3.8)."""

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    UNRECOGNIZED_PDU_PARAMETER = 4
    UNEXPECTED_PDU_PARAMETER = 5
    INVALID_PDU_PARAMETER_VALUE = 6


_RESULT_NAMES = {1: "rejected permanently", 2: "rejected transiently"}

_REJECT_REASONS: dict[int, type[IntEnum]] = {
    RejectSource.SERVICE_USER: UserRejectReason,
    RejectSource.SERVICE_PROVIDER_ACSE: AcseRejectReason,
    RejectSource.SERVICE_PROVIDER_PRESENTATION: PresentationRejectReason,
}

_REJECT_SOURCE_NAMES = {
    1: "service user",
    2: "service provider, ACSE related",
    3: "service provider, presentation related",
}

_ABORT_SOURCE_NAMES = {0: "service user", 2: "service provider"}


def _reason_name(reasons: type[IntEnum] | None, reason: int) -> str:
    """The member's name in words, or the number where the standard reserves it."""
    try:
        member = reasons(reason) if reasons is not None else None
    except ValueError:
        member = None
    if member is None:
        return f"reserved reason {reason}"
    return member.name.lower().replace("_", " ").replace(" ae ", " AE ").replace("pdu", "PDU")


def describe_rejection(result: int, source: int, reason: int) -> str:
    """Put an A-ASSOCIATE-RJ in words: ``rejected permanently by the service user: ...``."""
    result_name = _RESULT_NAMES.get(result, f"rejected with reserved result {result}")
    source_name = _REJECT_SOURCE_NAMES.get(source, f"reserved source {source}")
    return f"{result_name} by the {source_name}: {reject_reason_name(source, reason)}"


def reject_reason_name(source: int, reason: int) -> str:
    """The reason of an A-ASSOCIATE-RJ in words, e.g. ``called AE title not recognized``."""
    return _reason_name(_REJECT_REASONS.get(source), reason)


def describe_abort(source: int, reason: int) -> str:
    """Put an A-ABORT in words; the reason is named only where it is significant."""
    source_name = _ABORT_SOURCE_NAMES.get(source, f"reserved source {source}")
    if source == AbortSource.SERVICE_USER:
        return f"aborted by the {source_name}"
    return f"aborted by the {source_name}: {_reason_name(AbortReason, reason)}"
