"""What both sides of Storage Commitment (PS3.4 Annex J) say to each other, and how it is encoded.

Both the request and the report name a transaction and lists of instances (PS3.4 Tables J.3-1 and
J.3-2); the report adds why an instance is not committed (PS3.3 C.14).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from isocenter.dictionary.transfer_syntaxes import TransferSyntax
from isocenter.dictionary.uids import is_valid_uid
from isocenter.encoding.elements import (
    Elements,
    RawElement,
    decode_elements,
    encode_elements,
    encode_item,
)
from isocenter.encoding.limits import ScanLimits
from isocenter.errors import IsocenterError

PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1.1"
"""The well-known instance that every N-ACTION and N-EVENT-REPORT is about (PS3.4 J.3.5)."""

REQUEST_COMMITMENT = 1
"""The only action type (PS3.4 Table J.3-1)."""

ALL_COMMITTED = 1
FAILURES_EXIST = 2
"""The event types (PS3.4 Table J.3-2)."""

BYTES_PER_INSTANCE = 512
"""What an item may take at most: two UIDs, a file-set ID and its UID, in any transfer syntax."""

_RETRIEVE_AE_TITLE = 0x00080054
_REFERENCED_SOP_CLASS_UID = 0x00081150
_REFERENCED_SOP_INSTANCE_UID = 0x00081155
_TRANSACTION_UID = 0x00081195
_FAILURE_REASON = 0x00081197
_FAILED_SOP_SEQUENCE = 0x00081198
_REFERENCED_SOP_SEQUENCE = 0x00081199

_ELEMENTS_PER_INSTANCE = 8
_OTHER_ELEMENTS = 1000
_MAX_DEPTH = 8


class FailureReason(IntEnum):
    """Why an instance is not committed (PS3.3 C.14)."""

    PROCESSING_FAILURE = 0x0110
    NO_SUCH_OBJECT_INSTANCE = 0x0112
    CLASS_INSTANCE_CONFLICT = 0x0119
    REFERENCED_SOP_CLASS_NOT_SUPPORTED = 0x0122
    DUPLICATE_TRANSACTION_UID = 0x0131
    RESOURCE_LIMITATION = 0x0213


_IN_WORDS: dict[int, str] = {
    FailureReason.PROCESSING_FAILURE: "processing failure",
    FailureReason.NO_SUCH_OBJECT_INSTANCE: "no such object instance",
    FailureReason.CLASS_INSTANCE_CONFLICT: "class/instance conflict",
    FailureReason.REFERENCED_SOP_CLASS_NOT_SUPPORTED: "referenced SOP class not supported",
    FailureReason.DUPLICATE_TRANSACTION_UID: "duplicate transaction UID",
    FailureReason.RESOURCE_LIMITATION: "resource limitation",
}


def describe_reason(reason: int) -> str:
    """A failure reason as "0112H no such object instance"."""
    return f"{reason:04X}H {_IN_WORDS.get(reason, 'a reason of its own')}"


class Reference(NamedTuple):
    """A SOP instance, by class and UID."""

    sop_class_uid: str
    sop_instance_uid: str


class InvalidRequest(IsocenterError):
    """An N-ACTION or N-EVENT-REPORT whose data set is not what PS3.4 J.3 asks for."""


class TooManyInstances(IsocenterError):
    """A request with more instances than are taken at once."""


@dataclass(frozen=True, slots=True)
class CommitmentReport:
    """What became of a transaction: each instance is in one of the two."""

    transaction_uid: str
    committed: Sequence[Reference] = ()
    failed: Mapping[Reference, int] = field(default_factory=dict)
    """The failure reason (PS3.3 C.14) of each instance that is not committed."""

    @property
    def event_type(self) -> int:
        """The event that tells this (PS3.4 Table J.3-2)."""
        return FAILURES_EXIST if self.failed else ALL_COMMITTED


def encode_request(
    transaction_uid: str, references: Iterable[Reference], syntax: TransferSyntax
) -> bytes:
    """The Action Information that asks for commitment (PS3.4 Table J.3-1)."""
    elements: Elements = {
        _TRANSACTION_UID: _uid(transaction_uid),
        _REFERENCED_SOP_SEQUENCE: _sequence(map(_item, references), syntax),
    }
    return encode_elements(elements, syntax)


def decode_request(
    data: bytes | bytearray, syntax: TransferSyntax, maximum: int
) -> tuple[str, list[Reference]]:
    """The transaction and its instances, each once. Storage media, where named, are passed over.

    Raises InvalidRequest, TooManyInstances beyond `maximum`, and EncodingError.
    """
    references: dict[Reference, None] = {}
    classes: dict[str, str] = {}  # a few classes, repeated in every item

    def take(tag: int, item: Elements) -> None:
        if tag == _REFERENCED_SOP_SEQUENCE:
            references[_reference(item, classes)] = None
            if len(references) > maximum:
                raise TooManyInstances(f"The request names more than {maximum} instances.")

    elements = decode_elements(data, syntax, _limits(maximum), on_item=take)
    transaction_uid = _transaction_of(elements)
    if not references:
        raise InvalidRequest("The request names no instance.")
    return transaction_uid, list(references)


def encode_report(report: CommitmentReport, syntax: TransferSyntax, *, retrieve_ae: str) -> bytes:
    """The Event Information that reports a result (PS3.4 Table J.3-2)."""
    elements: Elements = {
        _RETRIEVE_AE_TITLE: RawElement("AE", retrieve_ae.encode("ascii", "replace")),
        _TRANSACTION_UID: _uid(report.transaction_uid),
    }
    if report.committed:
        elements[_REFERENCED_SOP_SEQUENCE] = _sequence(map(_item, report.committed), syntax)
    if report.failed:
        short = struct.Struct("<H" if syntax.little_endian else ">H")
        failed = (
            _item(one) | {_FAILURE_REASON: RawElement("US", short.pack(reason))}
            for one, reason in report.failed.items()
        )
        elements[_FAILED_SOP_SEQUENCE] = _sequence(failed, syntax)
    return encode_elements(elements, syntax)


def decode_report(
    data: bytes | bytearray, syntax: TransferSyntax, maximum: int
) -> CommitmentReport:
    """What an N-EVENT-REPORT says. An instance in both lists counts as failed.

    Raises InvalidRequest and EncodingError.
    """
    classes: dict[str, str] = {}
    failed: dict[Reference, int] = {}
    named: dict[Reference, None] = {}

    def take(tag: int, item: Elements) -> None:
        if tag == _FAILED_SOP_SEQUENCE:
            failed[_reference(item, classes)] = _reason_of(item, syntax)
        elif tag == _REFERENCED_SOP_SEQUENCE:
            named[_reference(item, classes)] = None

    elements = decode_elements(data, syntax, _limits(maximum), on_item=take)
    committed = tuple(one for one in named if one not in failed)
    return CommitmentReport(_transaction_of(elements), committed, failed)


def _limits(maximum: int) -> ScanLimits:
    return ScanLimits(
        max_depth=_MAX_DEPTH, max_elements=maximum * _ELEMENTS_PER_INSTANCE + _OTHER_ELEMENTS
    )


def _uid(uid: str) -> RawElement:
    return RawElement("UI", uid.encode("ascii"))


def _item(reference: Reference) -> Elements:
    return {
        _REFERENCED_SOP_CLASS_UID: _uid(reference.sop_class_uid),
        _REFERENCED_SOP_INSTANCE_UID: _uid(reference.sop_instance_uid),
    }


def _sequence(items: Iterable[Elements], syntax: TransferSyntax) -> RawElement:
    """A sequence whose items are encoded one by one: there may be very many."""
    return RawElement("SQ", b"".join([encode_item(item, syntax) for item in items]))


def _transaction_of(elements: Elements) -> str:
    uid = _uid_of(elements, _TRANSACTION_UID)
    if uid is None:
        raise InvalidRequest("There is no valid Transaction UID (0008,1195).")
    return uid


def _reference(item: Elements, classes: dict[str, str]) -> Reference:
    sop_class = _uid_of(item, _REFERENCED_SOP_CLASS_UID)
    sop_instance = _uid_of(item, _REFERENCED_SOP_INSTANCE_UID)
    if sop_class is None or sop_instance is None:
        raise InvalidRequest("An item lacks a valid Referenced SOP Class or Instance UID.")
    return Reference(classes.setdefault(sop_class, sop_class), sop_instance)


def _reason_of(item: Elements, syntax: TransferSyntax) -> int:
    element = item.get(_FAILURE_REASON)
    if element is None or not isinstance(element.value, bytes) or len(element.value) < 2:
        return FailureReason.PROCESSING_FAILURE
    return int.from_bytes(element.value[:2], "little" if syntax.little_endian else "big")


def _uid_of(elements: Elements, tag: int) -> str | None:
    element = elements.get(tag)
    if element is None or not isinstance(element.value, bytes):
        return None
    uid = element.value.rstrip(b"\0 ").decode("ascii", "replace")
    return uid if is_valid_uid(uid) else None
