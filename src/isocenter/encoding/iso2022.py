"""Code extensions: switching between graphic sets inside one value (PS3.5 6.1.2.5, ISO/IEC 2022).

Bytes below 0x80 are read with the set in G0, the others with the set in G1; an escape sequence
puts another set in its place, and each delimiter brings back those of the attribute's value 1.
Python's codecs know the sets but not this machinery, so it stands here.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

ESCAPE = 0x1B

_LOW_RUN = re.compile(rb"[\x00-\x1a\x1c-\x7f]+")
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
# Two-byte sets in G0 use the delimiters' codes themselves; only controls can end such a run.
_TWO_BYTE_RUN = re.compile(rb"[\x20-\x7f]+")
_ESCAPE_SEQUENCE = re.compile(rb"\x1b[\x20-\x2f]*[\x30-\x7e]?")


class GraphicSet(NamedTuple):
    """One set of PS3.3 Tables C.12-3 and C.12-4."""

    escape: bytes
    codec: str
    in_g1: bool
    two_byte_g0: bool = False

    def decode(self, run: bytes) -> str:
        if self.two_byte_g0:
            return (self.escape + run).decode(self.codec, "replace")
        return run.decode(self.codec, "replace")

    def encode(self, character: str) -> bytes | None:
        """The bytes of one character without escape sequences, None if it is not in this set."""
        try:
            code = character.encode(self.codec)
        except UnicodeEncodeError:
            return None
        if self.two_byte_g0:
            return code[len(self.escape) :][:2] if code.startswith(self.escape) else None
        if self.in_g1:
            # The codecs also know ASCII, and Shift JIS the kanji, which G1 does not hold.
            kana = self.codec != "shift_jis" or len(code) == 1
            return code if kana and min(code) >= 0x80 else None
        return code


ASCII = GraphicSet(b"\x1b(B", "ascii", in_g1=False)
JIS_X_0201_ROMAJI = GraphicSet(b"\x1b(J", "ascii", in_g1=False)
JIS_X_0201_KATAKANA = GraphicSet(b"\x1b)I", "shift_jis", in_g1=True)
JIS_X_0208 = GraphicSet(b"\x1b$B", "iso2022_jp", in_g1=False, two_byte_g0=True)
JIS_X_0212 = GraphicSet(b"\x1b$(D", "iso2022_jp_1", in_g1=False, two_byte_g0=True)
KS_X_1001 = GraphicSet(b"\x1b$)C", "euc_kr", in_g1=True)
GB_2312 = GraphicSet(b"\x1b$)A", "gb2312", in_g1=True)


def _right_half(final: str, codec: str) -> GraphicSet:
    return GraphicSet(b"\x1b-" + final.encode(), codec, in_g1=True)


class Repertoire(NamedTuple):
    """What one defined term brings: its sets, and which it puts in place as value 1."""

    g0: GraphicSet
    g1: GraphicSet | None
    sets: tuple[GraphicSet, ...]


def _single(right_half: GraphicSet, g0: GraphicSet = ASCII) -> Repertoire:
    return Repertoire(g0, right_half, (g0, right_half))


REPERTOIRES: dict[int, Repertoire] = {
    6: Repertoire(ASCII, None, (ASCII,)),
    13: _single(JIS_X_0201_KATAKANA, JIS_X_0201_ROMAJI),
    58: _single(GB_2312),
    87: Repertoire(ASCII, None, (ASCII, JIS_X_0208)),
    100: _single(_right_half("A", "iso8859_1")),
    101: _single(_right_half("B", "iso8859_2")),
    109: _single(_right_half("C", "iso8859_3")),
    110: _single(_right_half("D", "iso8859_4")),
    126: _single(_right_half("F", "iso8859_7")),
    127: _single(_right_half("G", "iso8859_6")),
    138: _single(_right_half("H", "iso8859_8")),
    144: _single(_right_half("L", "iso8859_5")),
    148: _single(_right_half("M", "iso8859_9")),
    149: _single(KS_X_1001),
    159: Repertoire(ASCII, None, (ASCII, JIS_X_0212)),
    166: _single(_right_half("T", "tis_620")),
    203: _single(_right_half("b", "iso8859_15")),
}
"""By ISO registration number, which is what the defined terms of PS3.3 C.12.1.1.2 end in."""

_BY_ESCAPE = {
    graphic_set.escape: graphic_set
    for repertoire in REPERTOIRES.values()
    for graphic_set in repertoire.sets
}


def decode_extended(value: bytes, initial: Repertoire, delimiters: bytes) -> str:
    """The text of `value`; what no set explains becomes U+FFFD."""
    return "".join(_decode_runs(value, initial, delimiters))


def _decode_runs(value: bytes, initial: Repertoire, delimiters: bytes) -> Iterator[str]:
    g0, g1 = initial.g0, initial.g1
    position, size = 0, len(value)
    while position < size:
        byte = value[position]
        if byte == ESCAPE:
            run = _match(_ESCAPE_SEQUENCE, value, position)
            chosen = _BY_ESCAPE.get(run)
            if chosen is None:
                yield "\N{REPLACEMENT CHARACTER}"
            elif chosen.in_g1:
                g1 = chosen
            else:
                g0 = chosen
        elif byte >= 0x80:
            run = _match(_HIGH_RUN, value, position)
            yield g1.decode(run) if g1 else run.decode("ascii", "replace")
        elif g0.two_byte_g0 and byte >= 0x20:
            run = _match(_TWO_BYTE_RUN, value, position)
            yield g0.decode(run)
        else:
            run = _match(_LOW_RUN, value, position)
            yield run.decode("ascii")
            if not run.isalnum() and any(delimiter in run for delimiter in delimiters):
                g0, g1 = initial.g0, initial.g1
        position += len(run)


def _match(pattern: re.Pattern[bytes], value: bytes, position: int) -> bytes:
    match = pattern.match(value, position)
    return match[0] if match else value[position : position + 1]


def encode_extended(
    text: str, initial: Repertoire, others: tuple[Repertoire, ...], delimiters: bytes
) -> bytes:
    """The bytes of `text`, with an escape sequence wherever it leaves the sets of value 1.

    Raises:
        UnicodeEncodeError: a character is in none of the sets.
    """
    available = tuple(s for repertoire in (initial, *others) for s in repertoire.sets)
    g0: GraphicSet = initial.g0
    g1: GraphicSet | None = initial.g1
    encoded = bytearray()
    for index, character in enumerate(text):
        if character.isascii():
            if g0.two_byte_g0:
                g0 = initial.g0
                encoded += g0.escape
            encoded += character.encode("ascii")
            if ord(character) in delimiters:
                g0, g1 = initial.g0, initial.g1
            continue
        chosen, code = _choose(character, (g0, g1, *available))
        if chosen is None:
            raise UnicodeEncodeError(
                "iso2022", text, index, index + 1, "not in the declared character sets"
            )
        if chosen.in_g1 and chosen != g1:
            g1 = chosen
            encoded += chosen.escape
        elif not chosen.in_g1 and chosen != g0:
            g0 = chosen
            encoded += chosen.escape
        encoded += code
    if g0.two_byte_g0:
        encoded += initial.g0.escape
    return bytes(encoded)


def _choose(
    character: str, candidates: tuple[GraphicSet | None, ...]
) -> tuple[GraphicSet | None, bytes]:
    for candidate in candidates:
        code = candidate.encode(character) if candidate is not None else None
        if candidate is not None and code is not None:
            return candidate, code
    return None, b""
