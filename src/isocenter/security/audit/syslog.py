"""Audit messages as syslog carries them: RFC 5424, framed by RFC 5425 (PS3.15 A.6)."""

from __future__ import annotations

import re
import time

PRIORITY = 85
"""Facility 10 (security), severity 5 (notice), as PS3.15 A.6 wants it."""

MESSAGE_ID = "DICOM+RFC3881"
LARGEST_SEQUENCE_ID = 2**31 - 1

_BOM = b"\xef\xbb\xbf"  # RFC 5424 6.4: so begins what is UTF-8
_NOT_PRINTABLE = re.compile(r"[^\x21-\x7e]")


def syslog_message(
    number: int, moment: float, xml: bytes, *, host: str, application: str, process: str
) -> bytes:
    """One SYSLOG-MSG; by its `number` in the trail a receiver knows gaps and repetitions.

    It stands in the sequenceId of RFC 5424 7.3.1, the one STRUCTURED-DATA that is used.
    """
    sequence_id = (number - 1) % LARGEST_SEQUENCE_ID + 1
    header = (
        f"<{PRIORITY}>1 {_timestamp(moment)} {_name(host, 255)} {_name(application, 48)} "
        f'{_name(process, 128)} {MESSAGE_ID} [meta sequenceId="{sequence_id}"] '
    )
    return header.encode("ascii") + _BOM + xml


def frame(message: bytes) -> bytes:
    """The message with its length in octets before it (RFC 5425 4.3)."""
    return str(len(message)).encode("ascii") + b" " + message


def _timestamp(moment: float) -> str:
    whole, milliseconds = divmod(round(moment * 1000), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{milliseconds:03d}Z"


def _name(text: str, longest: int) -> str:
    """A header field: printable ASCII without spaces, or "-" for none."""
    return _NOT_PRINTABLE.sub("_", text)[:longest] or "-"
