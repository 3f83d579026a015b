"""The File Meta Information of a file, judged (PS3.10 7.1), and where its data set begins."""

from __future__ import annotations

from typing import NamedTuple

from isocenter.dictionary.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TRANSFER_SYNTAXES,
    TransferSyntax,
    transfer_syntax,
)
from isocenter.encoding.forms import Buffer, form_of, has_explicit_vr, has_known_vr
from isocenter.encoding.part10 import MAX_META_ELEMENTS, PREAMBLE_LENGTH, PREFIX
from isocenter.encoding.value_rules import check_text
from isocenter.objects.findings import Findings, name_of

_SOP_CLASS, _SOP_INSTANCE = 0x00020002, 0x00020003
_TRANSFER_SYNTAX = 0x00020010

_REQUIRED = (
    *(0x00020000, 0x00020001, _SOP_CLASS, _SOP_INSTANCE, _TRANSFER_SYNTAX),
    0x00020012,  # Implementation Class UID
)
_TEXT_VRS = {
    _SOP_CLASS: "UI",
    _SOP_INSTANCE: "UI",
    _TRANSFER_SYNTAX: "UI",
    0x00020012: "UI",
    0x00020013: "SH",
    0x00020016: "AE",
}
_LONGEST_KEPT = 1024

_EXPLICIT = form_of(EXPLICIT_VR_LITTLE_ENDIAN)


class MetaFacts(NamedTuple):
    """What stands before a data set; UIDs are "" where they are not said."""

    sop_class_uid: str
    sop_instance_uid: str
    syntax: TransferSyntax
    data_set: int
    """Where the data set begins."""


def read_meta(buffer: Buffer, findings: Findings) -> MetaFacts | None:
    """Judge what stands before the data set; None for bytes that are no DICOM file."""
    prefixed = bytes(buffer[PREAMBLE_LENGTH : PREAMBLE_LENGTH + 4]) == PREFIX
    start = PREAMBLE_LENGTH + len(PREFIX) if prefixed else 0
    values, position = _group(buffer, start)
    if not prefixed:
        if not values and not _looks_like_data_set(buffer):
            findings.add("not-dicom", "This is no DICOM file, and no bare data set either.")
            return None
        findings.add("preamble-missing", "The file begins without a preamble and the prefix DICM.")
    if values or prefixed:
        _judge(values, position - start, findings)
    stated = _text(values, _TRANSFER_SYNTAX)
    syntax = transfer_syntax(stated) if stated else _guess(buffer, position)
    return MetaFacts(_text(values, _SOP_CLASS), _text(values, _SOP_INSTANCE), syntax, position)


def _group(buffer: Buffer, start: int) -> tuple[dict[int, bytes], int]:
    """The elements of group 0002, and where they end; what is cut off ends them too."""
    values: dict[int, bytes] = {}
    position, size = start, len(buffer)
    for _ in range(MAX_META_ELEMENTS):
        if position + 12 > size or bytes(buffer[position : position + 2]) != b"\x02\x00":
            break
        word, vr, length = _EXPLICIT.header.unpack_from(buffer, position)
        value = position + 8
        if vr in _EXPLICIT.long_vrs:
            (length,) = _EXPLICIT.length.unpack_from(buffer, value)
            value += 4
        elif not has_explicit_vr(buffer, position):
            length = _EXPLICIT.tag_and_length.unpack_from(buffer, position)[1]
        if value + length > size:
            break
        tag = _EXPLICIT.word(word)
        values[tag] = bytes(buffer[value : value + min(length, _LONGEST_KEPT)])
        position = value + length
        # A deflated stream may begin with any byte, those of a group 0002 tag among them.
        if _is_stated_end(values, position - start) and _deflated(values):
            break
    return values, position


def _is_stated_end(values: dict[int, bytes], length: int) -> bool:
    stated = values.get(0x00020000, b"")
    return len(stated) == 4 and length == 12 + int.from_bytes(stated, "little")


def _deflated(values: dict[int, bytes]) -> bool:
    return transfer_syntax(_text(values, _TRANSFER_SYNTAX)).deflated


def _judge(values: dict[int, bytes], length: int, findings: Findings) -> None:
    for tag in _REQUIRED:
        if not values.get(tag):
            name = name_of(tag)
            findings.add(
                "meta-missing",
                f"{name} is missing, which is of type 1 in the File Meta Information.",
                path=(name,),
                tag=tag,
            )
    stated = values.get(0x00020000, b"")
    if len(stated) == 4 and not _is_stated_end(values, length):
        findings.add(
            "meta-value",
            f"{name_of(0x00020000)} says {int.from_bytes(stated, 'little')} bytes where "
            f"{length - 12} follow.",
            path=(name_of(0x00020000),),
            tag=0x00020000,
        )
    for tag, vr in _TEXT_VRS.items():
        for problem in check_text(vr, _text(values, tag)):
            name = name_of(tag)
            findings.add("meta-value", f"{name} {problem.clause}.", path=(name,), tag=tag)
    syntax = _text(values, _TRANSFER_SYNTAX)
    if syntax and syntax not in TRANSFER_SYNTAXES:
        findings.add(
            "transfer-syntax-unknown",
            "The transfer syntax is not registered in PS3.6; the data set is read as explicit VR "
            "little endian.",
            path=(name_of(_TRANSFER_SYNTAX),),
            tag=_TRANSFER_SYNTAX,
        )


def _text(values: dict[int, bytes], tag: int) -> str:
    return values.get(tag, b"").decode("ascii", "replace").rstrip(" \0")


def _looks_like_data_set(buffer: Buffer) -> bool:
    """Whether the first element is of a low group and stays within the file."""
    if len(buffer) < 8:
        return False
    group = int.from_bytes(bytes(buffer[0:2]), "little")
    swapped = int.from_bytes(bytes(buffer[0:2]), "big")
    if has_known_vr(buffer, 0):
        return min(group, swapped) <= 0x0028
    length = int.from_bytes(bytes(buffer[4:8]), "little")
    return group in (0x0002, 0x0004, 0x0008) and 8 + length <= len(buffer)


def _guess(buffer: Buffer, position: int) -> TransferSyntax:
    if not has_known_vr(buffer, position):
        return IMPLICIT_VR_LITTLE_ENDIAN
    group = int.from_bytes(bytes(buffer[position : position + 2]), "little")
    return EXPLICIT_VR_BIG_ENDIAN if group >= 0x0400 else EXPLICIT_VR_LITTLE_ENDIAN
