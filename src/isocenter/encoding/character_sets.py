"""Text and its bytes under Specific Character Set (0008,0005): PS3.5 6.1, PS3.3 C.12.1.1.2.

Nothing here raises on reading: a file that lies about its character set still has a name to
show. Nothing here loads pydicom either, which would cost the first accented name half a second.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from isocenter.encoding.iso2022 import (
    ESCAPE,
    REPERTOIRES,
    Repertoire,
    decode_extended,
    encode_extended,
)

UTF_8 = "ISO_IR 192"

CHARACTER_SET_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
"""The VRs that Specific Character Set speaks of; all other text is ASCII (PS3.5 6.1.2.3)."""

_WITHOUT_EXTENSIONS = {"GB18030": "gb18030", "GBK": "gbk", "ISO 2022 GBK": "gbk", "UTF-8": "utf_8"}
_ONLY_WITH_EXTENSIONS = frozenset({58, 87, 149, 159})
_REGISTRATION = re.compile(r"ISO[ _-]?(?:2022[ _-]?)?(?:IR)?[ _-]?([0-9]{1,3})")

_LINE_DELIMITERS = b"\t\n\f\r"
_DELIMITERS = {
    "LT": _LINE_DELIMITERS,
    "ST": _LINE_DELIMITERS,
    "UT": _LINE_DELIMITERS,
    "PN": _LINE_DELIMITERS + b"\\^=",
}
_VALUE_DELIMITERS = _LINE_DELIMITERS + b"\\"


class _CharacterSet(NamedTuple):
    """Specific Character Set, understood: one Python codec, or sets with code extensions."""

    codec: str | None
    initial: Repertoire = REPERTOIRES[6]
    others: tuple[Repertoire, ...] = ()


def decode_text(value: bytes, specific_character_set: bytes | str | None, vr: str) -> str:
    """The text of a value field of `vr`, without the padding at its end.

    Bytes that the character set does not explain become U+FFFD. Text beyond ASCII with no
    character set at all is taken for UTF-8 where it can be, and for Latin-1 otherwise.
    Several values stay one text, separated by backslashes.
    """
    if value.isascii() and ESCAPE not in value:
        return value.decode("ascii").rstrip(" \0")
    if vr not in CHARACTER_SET_VRS:
        return value.decode("ascii", "replace").rstrip(" \0")
    return _decode(value, _understand(specific_character_set), vr).rstrip(" \0")


def _decode(value: bytes, character_set: _CharacterSet | None, vr: str) -> str:
    if character_set is None:
        try:
            return value.decode("utf_8")
        except UnicodeDecodeError:
            return value.decode("latin_1")
    codec, initial, others = character_set
    if codec is None and ESCAPE not in value:
        # Some writers, pydicom with Chinese among them, leave out the escape sequence of the only
        # set that bytes beyond ASCII can be of.
        upper = next((each.g1 for each in (initial, *others) if each.g1 is not None), None)
        codec = None if upper is None else upper.codec
    if codec is not None:
        return value.decode(codec, "replace")
    return decode_extended(value, initial, _DELIMITERS.get(vr, _VALUE_DELIMITERS))


def encode_text(text: str, specific_character_set: str | None, vr: str) -> bytes:
    """The bytes of `text`, not padded.

    Raises:
        UnicodeEncodeError: the character set cannot carry the text.
    """
    if text.isascii() or vr not in CHARACTER_SET_VRS:
        return text.encode("ascii")
    character_set = _understand(specific_character_set)
    if character_set is None:
        return text.encode("ascii")
    if character_set.codec is not None:
        return text.encode(character_set.codec)
    delimiters = _DELIMITERS.get(vr, _VALUE_DELIMITERS)
    return encode_extended(text, character_set.initial, character_set.others, delimiters)


def defined_terms() -> list[str]:
    """The defined terms of Specific Character Set that are understood (PS3.3 C.12.1.1.2).

    Those of sets with more than a byte for a character exist with code extensions only.
    """
    single = [number for number in REPERTOIRES if number not in _ONLY_WITH_EXTENSIONS]
    return [
        *(f"ISO_IR {number}" for number in single),
        UTF_8,
        *("GB18030", "GBK"),
        *(f"ISO 2022 IR {number}" for number in REPERTOIRES),
    ]


def choose_character_set(texts: Iterable[str], requested: str | None) -> str | None:
    """The Specific Character Set to answer with.

    None where ASCII suffices, `requested` where it carries every text, UTF-8 otherwise.
    """
    beyond_ascii = [text for text in texts if not text.isascii()]
    if not beyond_ascii:
        return None
    try:
        for text in beyond_ascii:
            encode_text(text, requested, "PN")
    except UnicodeEncodeError:
        return UTF_8
    return requested


@lru_cache(maxsize=256)
def _understand(declared: bytes | str | None) -> _CharacterSet | None:
    """None where nothing is declared, or nothing that PS3.3 C.12.1.1.2 knows."""
    if isinstance(declared, bytes):
        declared = declared.decode("ascii", "replace")
    terms = [term.strip(" \0").upper() for term in (declared or "").split("\\")]
    if not any(terms):
        return None
    number = _registration(terms[0])
    codec = "utf_8" if number == 192 else _WITHOUT_EXTENSIONS.get(terms[0])
    if codec is not None:
        return _CharacterSet(codec)
    known = [REPERTOIRES.get(_registration(term) or 6) for term in terms]
    if known[0] is None or (terms[0] and number is None):
        return None
    return _CharacterSet(None, known[0], tuple(other for other in known[1:] if other))


def _registration(term: str) -> int | None:
    match = _REGISTRATION.fullmatch(term)
    return int(match[1]) if match else None
