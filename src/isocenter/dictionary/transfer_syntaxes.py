"""The transfer syntaxes of PS3.6 Annex A, and what PS3.5 chapter 10 and Annex A say of each."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from isocenter.dictionary._uid_table import UIDS


class TransferSyntax(NamedTuple):
    """How a data set becomes bytes.

    `encapsulated` says that Pixel Data is a sequence of fragments (PS3.5 A.4), `deflated` that
    the whole data set is one RFC 1951 stream (PS3.5 A.5).
    """

    uid: str
    name: str
    implicit_vr: bool
    little_endian: bool
    deflated: bool
    encapsulated: bool


_IMPLICIT_VR = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.20"})
_BIG_ENDIAN = frozenset({"1.2.840.10008.1.2.2"})
_DEFLATED = frozenset(
    {
        "1.2.840.10008.1.2.1.99",
        "1.2.840.10008.1.2.4.95",
        "1.2.840.10008.1.2.4.205",
    }
)
# JPIP referenced syntaxes hold a URL in place of Pixel Data, and the two of PS3.5 A.6 (MIME, XML)
# never described a data set's pixels: neither kind has fragments.
_NATIVE = (
    _IMPLICIT_VR
    | _BIG_ENDIAN
    | _DEFLATED
    | {
        "1.2.840.10008.1.2.1",
        "1.2.840.10008.1.2.4.94",
        "1.2.840.10008.1.2.4.204",
        "1.2.840.10008.1.2.6.1",
        "1.2.840.10008.1.2.6.2",
    }
)


def _describe(uid: str, name: str) -> TransferSyntax:
    return TransferSyntax(
        uid,
        name,
        implicit_vr=uid in _IMPLICIT_VR,
        little_endian=uid not in _BIG_ENDIAN,
        deflated=uid in _DEFLATED,
        encapsulated=uid not in _NATIVE,
    )


TRANSFER_SYNTAXES: Mapping[str, TransferSyntax] = MappingProxyType(
    {uid: _describe(uid, facts[0]) for uid, facts in UIDS.items() if facts[1] == "Transfer Syntax"}
)
"""Every transfer syntax of PS3.6, retired ones too, by UID."""

IMPLICIT_VR_LITTLE_ENDIAN = TRANSFER_SYNTAXES["1.2.840.10008.1.2"]
EXPLICIT_VR_LITTLE_ENDIAN = TRANSFER_SYNTAXES["1.2.840.10008.1.2.1"]
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN = TRANSFER_SYNTAXES["1.2.840.10008.1.2.1.99"]
EXPLICIT_VR_BIG_ENDIAN = TRANSFER_SYNTAXES["1.2.840.10008.1.2.2"]


def transfer_syntax(uid: str) -> TransferSyntax:
    """The transfer syntax that `uid` names.

    One that is not in PS3.6 is taken for explicit VR little endian with encapsulated pixel data:
    PS3.5 A.4 gives every compressed syntax that form, and private ones follow it.
    """
    known = TRANSFER_SYNTAXES.get(uid)
    return known if known is not None else _describe(uid, uid)


def find_transfer_syntax(text: str) -> TransferSyntax | None:
    """The transfer syntax that a person means by `text`: its UID, its name or its keyword.

    Case, spaces and punctuation do not matter in names: "jpeg-ls lossless" is "JPEGLSLossless".
    """
    text = text.strip()
    return TRANSFER_SYNTAXES.get(text) or TRANSFER_SYNTAXES.get(_by_name().get(_bare(text), ""))


def transfer_syntax_keyword(uid: str) -> str:
    """The keyword of PS3.6, "ExplicitVRLittleEndian"; `uid` itself where there is none."""
    facts = UIDS.get(uid)
    return (facts[2] if facts else "") or uid


@cache
def _by_name() -> Mapping[str, str]:
    names: dict[str, str] = {}
    for uid in TRANSFER_SYNTAXES:
        name, _, keyword, _ = UIDS[uid]
        for spelling in (name, name.partition(" (")[0], keyword):
            if spelling:
                names.setdefault(_bare(spelling), uid)
    return names


def _bare(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()
