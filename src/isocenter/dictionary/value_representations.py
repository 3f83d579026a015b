"""The value representations of PS3.5 Table 6.2-1: what each is called, holds and may be long."""

from typing import NamedTuple


class ValueRepresentation(NamedTuple):
    """One row of PS3.5 Table 6.2-1.

    `maximum` counts characters of one value in text VRs (of one component group in PN) and bytes
    of one value in binary VRs; None where only the length field is a limit. `fixed` says that no
    value is shorter either.
    """

    vr: str
    name: str
    kind: str
    """ "text", "number" (a number written as text), "binary" or "sequence"."""
    maximum: int | None
    fixed: bool
    repertoire: str
    """The characters, or the range of the numbers."""
    note: str


_ROWS = (
    ("AE", "Application Entity", "text", 16, False, "default repertoire without \\ and controls",
     "a title; spaces around it mean nothing, and spaces alone are no value"),
    ("AS", "Age String", "text", 4, True, "0-9 D W M Y", "three digits and a unit, as 018M"),
    ("AT", "Attribute Tag", "binary", 4, True, "two 16-bit numbers", "group, then element"),
    ("CS", "Code String", "text", 16, False, "A-Z 0-9 space _", "capital letters only"),
    ("DA", "Date", "text", 8, True, "0-9", "YYYYMMDD, a day that exists"),
    ("DS", "Decimal String", "number", 16, False, "0-9 + - E e .", "a decimal number"),
    ("DT", "Date Time", "text", 26, False, "0-9 + - .",
     "YYYYMMDDHHMMSS.FFFFFF&ZZXX, cut off at the end where less is known"),
    ("FD", "Floating Point Double", "binary", 8, True, "IEEE 754, 64 bits", ""),
    ("FL", "Floating Point Single", "binary", 4, True, "IEEE 754, 32 bits", ""),
    ("IS", "Integer String", "number", 12, False, "0-9 + -", "-2147483648 to 2147483647"),
    ("LO", "Long String", "text", 64, False, "character set without \\ and controls", ""),
    ("LT", "Long Text", "text", 10240, False, "character set", "one value; \\ is a character"),
    ("OB", "Other Byte", "binary", None, False, "bytes", "of even length"),
    ("OD", "Other Double", "binary", None, False, "64-bit numbers", "a multiple of 8 bytes"),
    ("OF", "Other Float", "binary", None, False, "32-bit numbers", "a multiple of 4 bytes"),
    ("OL", "Other Long", "binary", None, False, "32-bit words", "a multiple of 4 bytes"),
    ("OV", "Other 64-bit Very Long", "binary", None, False, "64-bit words",
     "a multiple of 8 bytes"),
    ("OW", "Other Word", "binary", None, False, "16-bit words", "a multiple of 2 bytes"),
    ("PN", "Person Name", "text", 64, False, "character set without \\ and controls",
     "family^given^middle^prefix^suffix; three groups (alphabetic=ideographic=phonetic)"),
    ("SH", "Short String", "text", 16, False, "character set without \\ and controls", ""),
    ("SL", "Signed Long", "binary", 4, True, "-2147483648 to 2147483647", ""),
    ("SQ", "Sequence of Items", "sequence", None, False, "data sets", ""),
    ("SS", "Signed Short", "binary", 2, True, "-32768 to 32767", ""),
    ("ST", "Short Text", "text", 1024, False, "character set", "one value; \\ is a character"),
    ("SV", "Signed 64-bit Very Long", "binary", 8, True, "-2^63 to 2^63-1", ""),
    ("TM", "Time", "text", 14, False, "0-9 .", "HHMMSS.FFFFFF, cut off where less is known"),
    ("UC", "Unlimited Characters", "text", None, False, "character set without \\ and controls",
     ""),
    ("UI", "Unique Identifier", "text", 64, False, "0-9 .",
     "numbers without leading zeros between single dots"),
    ("UL", "Unsigned Long", "binary", 4, True, "0 to 4294967295", ""),
    ("UN", "Unknown", "binary", None, False, "bytes", "what the writer did not know"),
    ("UR", "Universal Resource Identifier", "text", None, False, "RFC 3986",
     "one value without leading spaces"),
    ("US", "Unsigned Short", "binary", 2, True, "0 to 65535", ""),
    ("UT", "Unlimited Text", "text", None, False, "character set", "one value; \\ is a character"),
    ("UV", "Unsigned 64-bit Very Long", "binary", 8, True, "0 to 2^64-1", ""),
)  # fmt: skip

VALUE_REPRESENTATIONS: dict[str, ValueRepresentation] = {
    row[0]: ValueRepresentation(*row) for row in _ROWS
}
"""Every VR of PS3.5 6.2 by its two letters."""
