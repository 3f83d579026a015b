"""DICOM files, PS3.10 chapter 7: preamble, prefix and File Meta Information before a data set."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from struct import Struct

from isocenter.dictionary.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
    transfer_syntax,
)
from isocenter.dictionary.uids import is_valid_uid
from isocenter.encoding.deflate import inflate_header
from isocenter.encoding.errors import (
    EncodingError,
    LimitExceeded,
    MalformedDataSet,
    NotPart10,
    TruncatedDataSet,
)
from isocenter.encoding.forms import Buffer, form_of, has_explicit_vr, has_known_vr
from isocenter.encoding.scanner import scan

IMPLEMENTATION_CLASS_UID = "2.25.38621122814019422678520352763689352204"
IMPLEMENTATION_VERSION_NAME = "ISOCENTER_0_1"

PREAMBLE_LENGTH = 128
PREFIX = b"DICM"
_META_START = PREAMBLE_LENGTH + len(PREFIX)

MAX_META_ELEMENTS = 256
"""Elements that one group 0000 or 0002 may have; PS3.10 7.1 names fifteen."""

_SOP_CLASS_UID = 0x00080016
_SOP_INSTANCE_UID = 0x00080018
_SOP_UIDS = frozenset({_SOP_CLASS_UID, _SOP_INSTANCE_UID})

# Both groups are little endian whatever the data set is (PS3.10 7.1, PS3.7 6.3.1).
_EXPLICIT = form_of(EXPLICIT_VR_LITTLE_ENDIAN)


@dataclass(frozen=True, slots=True)
class FileMeta:
    """The File Meta Information that Isocenter reads and writes (PS3.10 Table 7.1-1).

    Read from a file, an element that it lacks is "".
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    source_ae: str = ""
    receiving_ae: str = ""
    implementation_class_uid: str = IMPLEMENTATION_CLASS_UID
    implementation_version_name: str = IMPLEMENTATION_VERSION_NAME


_MEDIA_STORAGE_SOP_CLASS_UID = 0x00020002
_MEDIA_STORAGE_SOP_INSTANCE_UID = 0x00020003
_TRANSFER_SYNTAX_UID = 0x00020010
_IMPLEMENTATION_CLASS_UID = 0x00020012
_IMPLEMENTATION_VERSION_NAME = 0x00020013
_SOURCE_AE_TITLE = 0x00020016
_RECEIVING_AE_TITLE = 0x00020018

_SHORT_HEADER = Struct("<HH2sH")
_GROUP_LENGTH = Struct("<HH2sHI")
_VERSION = Struct("<HH2sHI2s").pack(0x0002, 0x0001, b"OB", 0, 2, b"\x00\x01")


def encode_file_meta(meta: FileMeta) -> bytes:
    """Preamble, prefix and File Meta Information for `meta`: all that stands before a data set.

    Raises:
        MalformedDataSet: a UID that no file can hold.
    """
    try:
        head = _encode_sop_class(meta.sop_class_uid)
        instance = _encode(_MEDIA_STORAGE_SOP_INSTANCE_UID, b"UI", meta.sop_instance_uid)
        tail = _encode_origin(
            meta.transfer_syntax_uid,
            meta.implementation_class_uid,
            meta.implementation_version_name,
            meta.source_ae,
            meta.receiving_ae,
        )
    except UnicodeEncodeError:
        raise MalformedDataSet("A UID of the file meta is not plain ASCII") from None
    length = len(head) + len(instance) + len(tail)
    group_length = _GROUP_LENGTH.pack(0x0002, 0x0000, b"UL", 4, length)
    return b"".join((bytes(PREAMBLE_LENGTH), PREFIX, group_length, head, instance, tail))


# Thousands of instances of one association differ in their instance UID alone.
@lru_cache(maxsize=512)
def _encode_sop_class(uid: str) -> bytes:
    return _VERSION + _encode(_MEDIA_STORAGE_SOP_CLASS_UID, b"UI", uid)


@lru_cache(maxsize=512)
def _encode_origin(
    transfer_syntax_uid: str, class_uid: str, version_name: str, source: str, receiving: str
) -> bytes:
    elements = [
        _encode(_TRANSFER_SYNTAX_UID, b"UI", transfer_syntax_uid),
        _encode(_IMPLEMENTATION_CLASS_UID, b"UI", class_uid),
    ]
    for tag, vr, text in (
        (_IMPLEMENTATION_VERSION_NAME, b"SH", version_name),
        (_SOURCE_AE_TITLE, b"AE", source),
        (_RECEIVING_AE_TITLE, b"AE", receiving),
    ):
        if text:  # optional, so not worth an object: peers with other letters in a title exist
            elements.append(_encode(tag, vr, text.encode("ascii", "replace").decode("ascii")))
    return b"".join(elements)


def _encode(tag: int, vr: bytes, text: str) -> bytes:
    value = text.encode("ascii")
    if len(value) % 2:
        value += b"\0" if vr == b"UI" else b" "
    if len(value) > 0xFFFE:
        raise MalformedDataSet("A value of the file meta is longer than its VR allows")
    return _SHORT_HEADER.pack(tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def check_beginning(data_set: Buffer) -> None:
    """See that a data set that is not deflated can stand behind File Meta Information.

    One that begins with elements of group 0002, or with a command set, which readers pass over,
    would change there: its identity and transfer syntax would be whatever its sender wrote.
    Neither belongs in a data set (PS3.10 7.1, PS3.7 6.3). Raises MalformedDataSet.
    """
    if bytes(data_set[:2]) in (b"\x00\x00", b"\x02\x00"):
        raise MalformedDataSet("The data set begins with elements of group 0000 or 0002", 0)


def read_file_meta(buffer: Buffer) -> tuple[FileMeta, int]:
    """The File Meta Information of a DICOM file, and where its data set starts.

    The group length, missing or wrong in many files, is not needed: the group ends where
    another one starts.

    Raises:
        NotPart10: the preamble and its prefix are missing.
        MalformedDataSet: there is no Transfer Syntax UID to read the data set with.
        TruncatedDataSet: the buffer ends within the File Meta Information.
        LimitExceeded: the group has absurdly many elements.
    """
    if not _has_prefix(buffer):
        raise NotPart10("This is no DICOM file: no DICM stands after its first 128 bytes")
    values, position = _read_meta_group(buffer, _META_START)
    meta = _file_meta(values)
    if not meta.transfer_syntax_uid:
        raise MalformedDataSet("The file meta names no transfer syntax", position)
    return meta, position


def locate_dataset(buffer: Buffer) -> tuple[FileMeta, int]:
    """What `read_file_meta` says, or what can be told of a data set without one.

    A file without preamble, File Meta Information or transfer syntax is accepted where its
    first bytes read as a data set that names its SOP class and instance; the missing facts are
    filled in from there. The buffer may be the beginning of a longer file.

    Raises:
        NotPart10: there is no prefix, and the bytes do not identify a DICOM object.
        MalformedDataSet: there is one, but no SOP class and instance are named.
        TruncatedDataSet, LimitExceeded: as for `read_file_meta`.
    """
    if _has_prefix(buffer):
        return _locate(buffer, _META_START)
    try:
        return _locate(buffer, 0)
    except EncodingError as error:
        raise NotPart10("This is no DICOM file, and no bare data set either") from error


def _locate(buffer: Buffer, start: int) -> tuple[FileMeta, int]:
    values, position = _read_meta_group(buffer, start)
    meta = _file_meta(values)
    if not transfer_syntax(meta.transfer_syntax_uid).deflated:
        position = _skip_command_group(buffer, position)
    if not meta.transfer_syntax_uid:
        meta = replace(meta, transfer_syntax_uid=_guess_transfer_syntax(buffer, position).uid)
    if meta.sop_class_uid and meta.sop_instance_uid:
        return meta, position
    return _identify(buffer, position, meta), position


def _has_prefix(buffer: Buffer) -> bool:
    return bytes(buffer[PREAMBLE_LENGTH:_META_START]) == PREFIX


def _file_meta(values: dict[int, bytes]) -> FileMeta:
    def text(tag: int) -> str:
        return values.get(tag, b"").decode("ascii", "replace").strip(" \0")

    return FileMeta(
        sop_class_uid=text(_MEDIA_STORAGE_SOP_CLASS_UID),
        sop_instance_uid=text(_MEDIA_STORAGE_SOP_INSTANCE_UID),
        transfer_syntax_uid=text(_TRANSFER_SYNTAX_UID),
        source_ae=text(_SOURCE_AE_TITLE),
        receiving_ae=text(_RECEIVING_AE_TITLE),
        implementation_class_uid=text(_IMPLEMENTATION_CLASS_UID),
        implementation_version_name=text(_IMPLEMENTATION_VERSION_NAME),
    )


def _read_meta_group(buffer: Buffer, start: int) -> tuple[dict[int, bytes], int]:
    values: dict[int, bytes] = {}
    position = start
    for tag, value, end in _group_elements(buffer, start, 0x0002):
        if end - value <= 0xFFFF:  # longer ones are private information (0002,0102)
            values[tag] = bytes(buffer[value:end])
        position = end
        # A deflated stream may begin with any byte, those of a group 0002 tag among them.
        if _is_stated_end(values, start, position) and _is_deflated(values):
            break
    return values, position


def _is_stated_end(values: dict[int, bytes], start: int, position: int) -> bool:
    stated = values.get(0x00020000, b"")
    return len(stated) == 4 and position == start + 12 + int.from_bytes(stated, "little")


def _is_deflated(values: dict[int, bytes]) -> bool:
    return transfer_syntax(_file_meta(values).transfer_syntax_uid).deflated


def _skip_command_group(buffer: Buffer, position: int) -> int:
    """Past a command set that someone stored before the data set (PS3.7 6.3)."""
    for _tag, _value, end in _group_elements(buffer, position, 0x0000):
        position = end
    return position


def _group_elements(buffer: Buffer, position: int, group: int) -> Iterator[tuple[int, int, int]]:
    """Tag, start and end of the value of each element of `group`, from `position` on."""
    size = len(buffer)
    for _ in range(MAX_META_ELEMENTS):
        if bytes(buffer[position : position + 2]) != group.to_bytes(2, "little"):
            return
        if position + 8 > size:
            raise TruncatedDataSet("The file ends within its first elements", position)
        word, vr, length = _EXPLICIT.header.unpack_from(buffer, position)
        value = position + 8
        if vr in _EXPLICIT.long_vrs:
            value += 4
            length = int.from_bytes(bytes(buffer[position + 8 : value]), "little")
        elif not has_explicit_vr(buffer, position):
            length = _EXPLICIT.tag_and_length.unpack_from(buffer, position)[1]
        if value + length > size:
            raise TruncatedDataSet("The file ends within its first elements", position)
        yield _EXPLICIT.word(word), value, value + length
        position = value + length
    raise LimitExceeded("The file meta has more elements than any file needs", position)


def _guess_transfer_syntax(buffer: Buffer, position: int) -> TransferSyntax:
    """The uncompressed transfer syntax that the first element looks like.

    A data set starts with a low group, so its number has its zero byte first in big endian and
    second in little endian.
    """
    if not has_known_vr(buffer, position):
        return IMPLICIT_VR_LITTLE_ENDIAN
    group = int.from_bytes(bytes(buffer[position : position + 2]), "little")
    return EXPLICIT_VR_BIG_ENDIAN if group >= 0x0400 else EXPLICIT_VR_LITTLE_ENDIAN


def _identify(buffer: Buffer, position: int, meta: FileMeta) -> FileMeta:
    """`meta` with the SOP class and instance that the data set itself names (PS3.3 C.12.1)."""
    syntax = transfer_syntax(meta.transfer_syntax_uid)
    try:
        if syntax.deflated:
            inflated = inflate_header(buffer, start=position)
            values = scan(inflated, EXPLICIT_VR_LITTLE_ENDIAN, _SOP_UIDS, final=False).values
        else:
            values = scan(buffer, syntax, _SOP_UIDS, start=position, final=False).values
    except EncodingError:
        values = {}
    sop_class, sop_instance = (
        values.get(tag, b"").decode("ascii", "replace").strip(" \0")
        for tag in (_SOP_CLASS_UID, _SOP_INSTANCE_UID)
    )
    sop_class, sop_instance = meta.sop_class_uid or sop_class, meta.sop_instance_uid or sop_instance
    if not (is_valid_uid(sop_class) and is_valid_uid(sop_instance)):
        raise MalformedDataSet("The file names no SOP class and SOP instance", position)
    return replace(meta, sop_class_uid=sop_class, sop_instance_uid=sop_instance)
