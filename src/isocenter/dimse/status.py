"""Status codes with their meaning (PS3.7 Annex C and the service classes of PS3.4)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from isocenter.dimse.status_tables import BY_SERVICE, GENERAL, UNNAMED, Category, Service

__all__ = ["Category", "Service", "Status", "describe"]

SUCCESS = 0x0000
OPTIONAL_ATTRIBUTES_NOT_SUPPORTED = 0x0001
INVALID_ATTRIBUTE_VALUE = 0x0106
PROCESSING_FAILURE = 0x0110
DUPLICATE_SOP_INSTANCE = 0x0111
NO_SUCH_SOP_INSTANCE = 0x0112
NO_SUCH_EVENT_TYPE = 0x0113
INVALID_ARGUMENT_VALUE = 0x0115
INVALID_SOP_INSTANCE = 0x0117
NO_SUCH_SOP_CLASS = 0x0118
CLASS_INSTANCE_CONFLICT = 0x0119
MISSING_ATTRIBUTE = 0x0120
MISSING_ATTRIBUTE_VALUE = 0x0121
SOP_CLASS_NOT_SUPPORTED = 0x0122
NO_SUCH_ACTION = 0x0123
NOT_AUTHORIZED = 0x0124
DUPLICATE_TRANSACTION_UID = 0x0131  # storage commitment
DUPLICATE_INVOCATION = 0x0210
UNRECOGNIZED_OPERATION = 0x0211
MISTYPED_ARGUMENT = 0x0212
RESOURCE_LIMITATION = 0x0213
OUT_OF_RESOURCES = 0xA700
OUT_OF_RESOURCES_FOR_MATCHES = 0xA701  # retrieve
OUT_OF_RESOURCES_FOR_SUBOPERATIONS = 0xA702  # retrieve
MOVE_DESTINATION_UNKNOWN = 0xA801
DATA_SET_DOES_NOT_MATCH_SOP_CLASS = 0xA900  # storage
IDENTIFIER_DOES_NOT_MATCH_SOP_CLASS = 0xA900  # query and retrieve
COERCION_OF_DATA_ELEMENTS = 0xB000  # storage
SUBOPERATIONS_WITH_FAILURES = 0xB000  # retrieve
ELEMENTS_DISCARDED = 0xB006
DATA_SET_DOES_NOT_MATCH_SOP_CLASS_WARNING = 0xB007
CANNOT_UNDERSTAND = 0xC000  # storage
UNABLE_TO_PROCESS = 0xC000  # query and retrieve
CANCEL = 0xFE00
PENDING = 0xFF00
PENDING_WARNING = 0xFF01


class Status(NamedTuple):
    """A status code with its category and name; reads as "A700H Refused: out of resources"."""

    code: int
    category: Category
    name: str

    def __str__(self) -> str:
        return f"{self.code:04X}H {self.name}"

    @property
    def is_success(self) -> bool:
        """Done, without reservations."""
        return self.category is Category.SUCCESS

    @property
    def is_warning(self) -> bool:
        """Done, but the peer has something to say about it."""
        return self.category is Category.WARNING

    @property
    def is_failure(self) -> bool:
        """Not done."""
        return self.category is Category.FAILURE

    @property
    def is_pending(self) -> bool:
        """More responses to the same request will come."""
        return self.category is Category.PENDING


@lru_cache(maxsize=1024)
def describe(code: int, service: Service | None = None) -> Status:
    """What a status code means to a service class; to PS3.7 alone where `service` is None."""
    own = BY_SERVICE[service] if service is not None else ()
    for first, last, category, name in (*own, *GENERAL, *UNNAMED):
        if first <= code <= last:
            return Status(code, category, name)
    raise ValueError(f"a status code is in 0..65535, not {code}")


def is_out_of_resources(code: int) -> bool:
    """A7xx: the peer may take the same instance later (PS3.4 B.2.3, C.4)."""
    return code >> 8 == 0xA7
