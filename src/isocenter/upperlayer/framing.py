"""Cuts the received byte stream into PDUs and PDVs (PS3.8 9.3.1, 9.3.5).

What it has to do: take bytes cut at any place, hand out parts of P-DATA-TF as soon as they are
there, collect the small association PDUs whole. Goals: the bytes of a PDV are never copied; what
is held is at most one association PDU (bounded by `AssociationLimits.association_pdu`, checked
before the first byte is kept) or six bytes of a split header. Worst case: a peer that sends byte
by byte costs one short call each, and the whole-PDU deadline ends it.

A violation raises `RemoteProtocolError`; the stream is then out of step and of no more use.
"""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

from isocenter.upperlayer.diagnosis import describe_unknown_pdu
from isocenter.upperlayer.errors import RemoteProtocolError
from isocenter.upperlayer.events import DataReceived, Event
from isocenter.upperlayer.pdu import PDU_HEADER, PDV_HEADER, PDUType
from isocenter.upperlayer.reasons import AbortReason

_P_DATA_TF = int(PDUType.P_DATA_TF)
_HEADER_LENGTH = 6  # of a PDU, and of a PDV with its message control header
_FIXED_LENGTH_PDUS = frozenset(
    {PDUType.ASSOCIATE_RJ, PDUType.RELEASE_RQ, PDUType.RELEASE_RP, PDUType.ABORT}
)
_ASSOCIATION_PDUS = frozenset({PDUType.ASSOCIATE_RQ, PDUType.ASSOCIATE_AC})


class WholePDU(NamedTuple):
    """A PDU other than P-DATA-TF, or a P-DATA-TF where none is awaited (its body left out)."""

    pdu_type: int
    body: bytearray


class FrameReader:
    """Receives the stream of one association.

    `pdus_completed` only tells whether a PDU ended meanwhile; `whole_pdu` is taken by the reader's
    owner, which sets it back to None before it reads on.
    """

    __slots__ = (
        "_accepted_ids",
        "_accepting_data",
        "_association_limit",
        "_body",
        "_body_left",
        "_body_type",
        "_context_id",
        "_header",
        "_is_command",
        "_is_last",
        "_maximum_length",
        "_pdu_left",
        "_pdv_left",
        "_skip_left",
        "pdus_completed",
        "whole_pdu",
    )

    def __init__(self, association_limit: int) -> None:
        self._association_limit = association_limit
        self._maximum_length = 0xFFFFFFFF
        self._header = bytearray()  # of a split PDU or PDV header
        self._pdu_left = 0  # bytes of the P-DATA-TF behind the current PDV
        self._pdv_left = 0
        self._context_id = 0
        self._is_command = False
        self._is_last = False
        self._body_type = 0
        self._body_left = 0
        self._body = bytearray()
        self._skip_left = 0
        self._accepted_ids: Container[int] = ()
        self._accepting_data = False
        self.pdus_completed = 0
        self.whole_pdu: WholePDU | None = None

    def accept_data(self, context_ids: Container[int]) -> None:
        """From now on P-DATA-TF is awaited, on these presentation contexts."""
        self._accepted_ids = context_ids
        self._accepting_data = True

    def refuse_data(self) -> None:
        """P-DATA-TF is awaited no longer; of one that has begun, the rest is passed over."""
        self._accepting_data = False
        if self._pdu_left or self._pdv_left:
            # A split PDV header has not been taken off _pdu_left yet.
            self._skip_left = self._pdv_left + self._pdu_left - len(self._header)
            self._pdv_left = self._pdu_left = 0
            self._header = bytearray()

    def set_maximum_length(self, length: int) -> None:
        """What we advertised in the maximum length sub-item; 0 is no limit (PS3.8 D.1)."""
        self._maximum_length = length or 0xFFFFFFFF

    def inside_pdu(self) -> bool:
        """Whether a PDU has begun and not ended."""
        return bool(self._pdv_left or self._pdu_left or self._header or self._body_type)

    def read(self, data: memoryview, position: int, events: list[Event]) -> int:
        """Read `data` from `position` on, append a `DataReceived` for each piece of a PDV.

        Stops behind the first PDU that is not data, left in `whole_pdu`; returns the position
        reached. Raises `RemoteProtocolError`.
        """
        end = len(data)
        while position < end:
            left = self._pdv_left
            if left:
                stop = position + left
                if stop > end:
                    self._pdv_left = stop - end
                    events.append(
                        DataReceived(self._context_id, self._is_command, False, data[position:])
                    )
                    return end
                self._pdv_left = 0
                if not self._pdu_left:
                    self.pdus_completed += 1
                events.append(
                    DataReceived(
                        self._context_id, self._is_command, self._is_last, data[position:stop]
                    )
                )
                position = stop
            elif self._body_type or self._skip_left:
                position = self._read_body(data, position)
                if self.whole_pdu is not None:
                    return position
            elif self._header or end - position < _HEADER_LENGTH:
                position = self._read_split_header(data, position, events)
                if self.whole_pdu is not None:
                    return position
            elif self._pdu_left:
                length, context_id, control = PDV_HEADER.unpack_from(data, position)
                self._begin_pdv(length, context_id, control, events)
                position += _HEADER_LENGTH
            else:
                pdu_type, length = PDU_HEADER.unpack_from(data, position)
                self._begin_pdu(pdu_type, length, data, position)
                position += _HEADER_LENGTH
                if self.whole_pdu is not None:
                    return position
        return position

    def _read_split_header(self, data: memoryview, position: int, events: list[Event]) -> int:
        """Add to a header that did not arrive in one piece; act on it when it is complete."""
        header = self._header
        stop = min(len(data), position + _HEADER_LENGTH - len(header))
        header += data[position:stop]
        if len(header) == _HEADER_LENGTH:
            self._header = bytearray()
            if self._pdu_left:
                length, context_id, control = PDV_HEADER.unpack(header)
                self._begin_pdv(length, context_id, control, events)
            else:
                pdu_type, length = PDU_HEADER.unpack(header)
                self._begin_pdu(pdu_type, length, memoryview(header), 0)
        return stop

    def _begin_pdv(self, length: int, context_id: int, control: int, events: list[Event]) -> None:
        """Check one PDV header (PS3.8 9.3.5.1, Annex E.2) against its PDU and the contexts."""
        left = self._pdu_left - length - 4
        if length < 2 or left < 0:
            raise RemoteProtocolError(
                f"a PDV states {length} bytes where its P-DATA-TF has {self._pdu_left - 4} left"
            )
        if 0 < left < _HEADER_LENGTH:
            raise RemoteProtocolError(f"a P-DATA-TF ends with {left} bytes that are no PDV")
        if context_id not in self._accepted_ids:
            raise RemoteProtocolError(
                f"a PDV uses presentation context {context_id}, which was not accepted"
            )
        if control > 3:
            raise RemoteProtocolError(f"a PDV has the message control header {control:02X}H")
        self._pdu_left = left
        self._pdv_left = length - 2
        self._context_id = context_id
        self._is_command = control & 1 == 1
        self._is_last = control > 1
        if length == 2:
            if not left:
                self.pdus_completed += 1
            events.append(
                DataReceived(context_id, self._is_command, self._is_last, memoryview(b""))
            )

    def _begin_pdu(self, pdu_type: int, length: int, data: memoryview, position: int) -> None:
        """Decide by the header alone, at `position` of `data`, what becomes of a PDU."""
        if pdu_type == _P_DATA_TF:
            if not self._accepting_data:
                self._skip_left = length
                self.whole_pdu = WholePDU(pdu_type, bytearray())
            elif _HEADER_LENGTH <= length <= self._maximum_length:
                self._pdu_left = length
            else:
                raise RemoteProtocolError(
                    f"a P-DATA-TF states {length} bytes where {_HEADER_LENGTH} to "
                    f"{self._maximum_length} are allowed"
                )
            return
        if pdu_type not in _ASSOCIATION_PDUS and pdu_type not in _FIXED_LENGTH_PDUS:
            first_bytes = bytes(data[position : position + 8])
            raise RemoteProtocolError(
                describe_unknown_pdu(first_bytes), AbortReason.UNRECOGNIZED_PDU
            )
        self._check_body_length(pdu_type, length)
        self._body_type = pdu_type
        self._body_left = length

    def _check_body_length(self, pdu_type: int, length: int) -> None:
        """Refuse a length before any of its bytes are kept."""
        name = PDUType(pdu_type).name
        if pdu_type in _FIXED_LENGTH_PDUS:
            if length != 4:
                raise RemoteProtocolError(f"{name} states {length} bytes instead of 4")
        elif not 0 < length <= self._association_limit:
            raise RemoteProtocolError(
                f"{name} states {length} bytes where 1 to {self._association_limit} are allowed"
            )

    def _read_body(self, data: memoryview, position: int) -> int:
        """Collect an association PDU, or run past the body of data that nobody awaits."""
        if self._skip_left:
            taken = min(self._skip_left, len(data) - position)
            self._skip_left -= taken
            return position + taken
        stop = min(len(data), position + self._body_left)
        self._body += data[position:stop]
        self._body_left -= stop - position
        if not self._body_left:
            self.whole_pdu = WholePDU(self._body_type, self._body)
            self._body_type = 0
            self._body = bytearray()
            self.pdus_completed += 1
        return stop
