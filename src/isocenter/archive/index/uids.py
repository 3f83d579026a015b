"""UIDs as the index stores them: two characters in a byte, half the size of text.

A UID is most of an instance's row and all of its unique index, so halving it is worth more than
any other economy. The packed form keeps equality, which is all that UIDs are compared for.
"""

from binascii import unhexlify

MAX_UID_CHARACTERS = 128

# Digits stand for themselves, the dot is nibble a; every other character spoils the hex string.
_TO_HEX = bytes(
    byte if chr(byte) in "0123456789" else ord("a") if byte == ord(".") else ord("z")
    for byte in range(256)
)
_PADDING = b"f"
_AS_TEXT = b"\xff"  # no packed UID begins with two paddings


def pack_uid(uid: str) -> bytes:
    """Return the stored form of `uid`; one that breaks PS3.5 9.1 is kept as text, clipped."""
    try:
        digits = uid.encode("ascii").translate(_TO_HEX)
        return unhexlify(digits + _PADDING if len(digits) & 1 else digits)
    except ValueError:
        return _AS_TEXT + uid[:MAX_UID_CHARACTERS].encode("utf-8", "replace")


def unpack_uid(packed: bytes) -> str:
    """Return the UID that `pack_uid` packed."""
    if packed[:1] == _AS_TEXT:
        return packed[1:].decode("utf-8", "replace")
    return packed.hex().replace("a", ".").rstrip("f")
