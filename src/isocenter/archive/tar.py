"""The record format of a pack: POSIX ustar headers, written last and carrying a digest.

A pack is an ordinary tar file of Part 10 files, so that `tar xf` gets every image back without
us. Two things are ours, and harmless to any tar reader:

* the header of a record is written *after* its data, because C-STORE does not announce a size:
  a header of zeros therefore marks a record that was never finished;
* the group name holds the xxh3-64 digest of the data set, so that a pack can be checked, and the
  index rebuilt, from the pack alone;
* where a record was deleted from a pack that others stay in, there is a *void*: a member called
  `deleted` that is nothing but zeros, so that everything behind it stays where it was.
"""

import string
from collections.abc import Iterator
from typing import NamedTuple

from isocenter.errors import IsocenterError

BLOCK = 512
ZERO_BLOCK = bytes(BLOCK)
END_OF_ARCHIVE = bytes(2 * BLOCK)

_MAGIC, _MAGIC_OFFSET = b"ustar\0", 257
_OWNER = b"isocenter"
_VOID = "deleted"
_DIGEST_PREFIX = "xxh3-"
_OCTAL_SIZE_LIMIT = 8**11
_OCTAL_DIGITS = b"01234567"
_HEX_DIGITS = frozenset(string.hexdigits.encode())


class PackDamaged(IsocenterError):
    """A pack holds something that is neither a record nor the end of the archive."""


class RecordHeader(NamedTuple):
    """One record: member name, `size` bytes of Part 10 file, data set digest, unix time."""

    name: str
    size: int
    digest: int
    received_at: int

    @property
    def is_void(self) -> bool:
        """Whether a record was deleted here."""
        return self.name == f"/{_VOID}"


def padding(size: int) -> int:
    """Return how many bytes fill a record of `size` bytes up to the next block."""
    return -size % BLOCK


def encode_header(
    series_instance_uid: str, sop_instance_uid: str, size: int, digest: int, received_at: int
) -> bytes:
    """Return the 512-byte ustar header of `<series>/<sop instance>.dcm`.

    Both UIDs have at most 64 characters, so they always fit ustar's prefix and name fields.
    """
    name = f"{sop_instance_uid}.dcm"
    return _encode(series_instance_uid, name, size, digest, received_at)


def encode_void(size: int) -> bytes:
    """Return the header of a deleted record that took `size` bytes."""
    return _encode("", _VOID, size, 0, 0)


def _encode(prefix: str, name: str, size: int, digest: int, received_at: int) -> bytes:
    if size < _OCTAL_SIZE_LIMIT:
        size_field = b"%011o\0" % size
    else:  # base-256, understood by GNU tar, BSD tar and Python's tarfile
        size_field = b"\x80" + size.to_bytes(11, "big")
    group = b"xxh3-%016x" % digest
    head = b"".join(
        (
            name.encode("ascii").ljust(100, b"\0"),
            b"0000644\0",  # mode
            b"0000000\0",  # uid
            b"0000000\0",  # gid
            size_field,
            b"%011o\0" % received_at,
        )
    )
    tail = b"".join(
        (
            b"0",  # a regular file
            bytes(100),
            b"ustar\x0000",
            _OWNER.ljust(32, b"\0"),
            group.ljust(32, b"\0"),
            bytes(16),
            prefix.encode("ascii").ljust(155, b"\0"),
            bytes(12),
        )
    )
    checksum = sum(head) + sum(tail) + 8 * 0x20
    return b"%b%06o\0 %b" % (head, checksum, tail)


def decode_header(block: bytes) -> RecordHeader | None:
    """Return the record that `block` announces, or None for a block of zeros.

    Raises PackDamaged when the block is neither.
    """
    if block == ZERO_BLOCK:
        return None
    if len(block) != BLOCK or not block.startswith(_MAGIC, _MAGIC_OFFSET):
        raise PackDamaged("A pack holds bytes where a record header should be.")
    actual = sum(block) - sum(block[148:156]) + 8 * 0x20
    try:
        if _octal(block[148:156]) != actual:
            raise PackDamaged("A record header in a pack does not match its own checksum.")
        return RecordHeader(
            name=f"{_text(block[345:500])}/{_text(block[0:100])}",
            size=_size(block[124:136]),
            digest=_digest(_text(block[297:329])),
            received_at=_octal(block[136:148]),
        )
    except ValueError:
        raise PackDamaged("A record header in a pack holds no number where one must be.") from None


def find_headers(piece: bytes) -> Iterator[tuple[int, RecordHeader]]:
    """Yield every block of `piece` that is a whole record header, and where it begins."""
    for position in range(0, len(piece), BLOCK):
        if not piece.startswith(_MAGIC, position + _MAGIC_OFFSET):
            continue
        try:
            header = decode_header(piece[position : position + BLOCK])
        except PackDamaged:
            continue
        if header is not None:
            yield position, header


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("ascii", "replace")


def _size(field: bytes) -> int:
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big")
    return _octal(field)


def _octal(field: bytes) -> int:
    digits = field.rstrip(b"\0 ")
    if digits.strip(_OCTAL_DIGITS):  # int() would take a sign and underscores, too
        raise ValueError
    return int(digits or b"0", 8)


def _digest(group: str) -> int:
    value = group.removeprefix(_DIGEST_PREFIX)
    if len(value) != 16 or not _HEX_DIGITS.issuperset(value.encode()):
        raise PackDamaged("A record in a pack carries no digest of its data set.")
    return int(value, 16)
