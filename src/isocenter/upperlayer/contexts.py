"""Presentation contexts as proposed and as answered (PS3.8 9.3.2.2, 9.3.3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from isocenter.upperlayer.items import (
    MAX_CONTEXT_ITEMS,
    Fields,
    ItemType,
    decode_uid,
    encode_item,
    encode_uid,
    iterate_items,
)


class AcceptedContext(NamedTuple):
    """What both sides agreed on: data sent under `context_id` mean these two syntaxes."""

    context_id: int
    abstract_syntax: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """Presentation context item of an A-ASSOCIATE-RQ (PS3.8 9.3.2.2)."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]

    def encode(self) -> bytes:
        """The item, sub-items included."""
        value = bytes((self.context_id, 0, 0, 0))
        value += encode_item(ItemType.ABSTRACT_SYNTAX, encode_uid(self.abstract_syntax))
        for uid in self.transfer_syntaxes:
            value += encode_item(ItemType.TRANSFER_SYNTAX, encode_uid(uid))
        return encode_item(ItemType.PRESENTATION_CONTEXT_RQ, value)

    @classmethod
    def decode(cls, value: memoryview) -> ProposedContext:
        """From the item's value; a missing abstract syntax is an empty one."""
        fields = Fields(value, "a presentation context item")
        context_id = fields.u8()
        fields.take(3)
        abstract_syntax = ""
        transfer_syntaxes = []
        where = f"presentation context {context_id}"
        for item_type, item in iterate_items(fields.rest(), MAX_CONTEXT_ITEMS, where):
            if item_type == ItemType.ABSTRACT_SYNTAX:
                abstract_syntax = decode_uid(item)
            elif item_type == ItemType.TRANSFER_SYNTAX:
                transfer_syntaxes.append(decode_uid(item))
        return cls(context_id, abstract_syntax, tuple(transfer_syntaxes))


class ContextAnswer(IntEnum):
    """Result/Reason of a presentation context in an A-ASSOCIATE-AC (PS3.8 Table 9-18)."""

    ACCEPTANCE = 0
    USER_REJECTION = 1
    NO_REASON = 2
    ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
    TRANSFER_SYNTAXES_NOT_SUPPORTED = 4


@dataclass(frozen=True, slots=True)
class ContextResult:
    """Presentation context item of an A-ASSOCIATE-AC (PS3.8 9.3.3.2).

    `result` is a `ContextAnswer`; `transfer_syntax` means something only with ACCEPTANCE.
    """

    context_id: int
    result: int
    transfer_syntax: str = ""

    def encode(self) -> bytes:
        """The item, its transfer syntax sub-item included."""
        value = bytes((self.context_id, 0, self.result, 0))
        value += encode_item(ItemType.TRANSFER_SYNTAX, encode_uid(self.transfer_syntax))
        return encode_item(ItemType.PRESENTATION_CONTEXT_AC, value)

    @classmethod
    def decode(cls, value: memoryview) -> ContextResult:
        """From the item's value; refusals without a transfer syntax sub-item are common."""
        fields = Fields(value, "a presentation context item")
        context_id = fields.u8()
        fields.take(1)
        result = fields.u8()
        fields.take(1)
        transfer_syntax = ""
        where = f"presentation context {context_id}"
        for item_type, item in iterate_items(fields.rest(), MAX_CONTEXT_ITEMS, where):
            if item_type == ItemType.TRANSFER_SYNTAX:
                transfer_syntax = decode_uid(item)
        return cls(context_id, result, transfer_syntax)
