"""Data sets written byte by byte, good ones and bad ones."""

from collections.abc import Iterable
from pathlib import Path
from struct import pack

import pydicom

UNDEFINED = 0xFFFFFFFF
LONG_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})


def element(
    tag: int,
    vr: str,
    value: bytes = b"",
    *,
    length: int | None = None,
    implicit: bool = False,
    big: bool = False,
) -> bytes:
    """One data element; `length` lies about the length of `value` if it is given."""
    order = ">" if big else "<"
    length = len(value) if length is None else length
    head = pack(order + "HH", tag >> 16, tag & 0xFFFF)
    if implicit:
        return head + pack(order + "I", length) + value
    if vr in LONG_VRS:
        return head + vr.encode() + pack(order + "HI", 0, length) + value
    return head + vr.encode("latin-1") + pack(order + "H", length) + value


def item(content: bytes, *, undefined: bool = False, big: bool = False) -> bytes:
    """An item of a sequence, or a fragment of encapsulated pixel data."""
    if undefined:
        end = element(0xFFFEE00D, "", implicit=True, big=big)
        return element(0xFFFEE000, "", content, length=UNDEFINED, implicit=True, big=big) + end
    return element(0xFFFEE000, "", content, implicit=True, big=big)


def undefined_sequence(
    tag: int, items: Iterable[bytes], *, vr: str = "SQ", implicit: bool = False, big: bool = False
) -> bytes:
    """A sequence, or encapsulated data, that ends with a Sequence Delimitation Item."""
    end = element(0xFFFEE0DD, "", implicit=True, big=big)
    content = b"".join(items)
    return element(tag, vr, content, length=UNDEFINED, implicit=implicit, big=big) + end


def nested(depth: int, *, implicit: bool = False) -> bytes:
    """Sequences of undefined length, one inside the other, `depth` deep, and properly closed."""
    opening = element(0x00081140, "SQ", length=UNDEFINED, implicit=implicit)
    opening += element(0xFFFEE000, "", length=UNDEFINED, implicit=True)
    closing = element(0xFFFEE00D, "", implicit=True) + element(0xFFFEE0DD, "", implicit=True)
    return opening * depth + closing * depth


def small_data_set(*, implicit: bool = False, big: bool = False) -> bytes:
    """Every kind of element that a scan meets, in less than 600 bytes."""
    form = {"implicit": implicit, "big": big}
    code = element(0x00080100, "SH", b"T-D1100 ", **form) + element(
        0x00080102, "SH", b"SRT ", **form
    )
    deep = undefined_sequence(0x00082218, [item(code, undefined=True, big=big)], **form)
    parts = [
        element(0x00080005, "CS", b"ISO_IR 100", **form),
        element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.2\0", **form),
        element(0x00080018, "UI", b"1.2.3.4\0", **form),
        element(0x00080050, "SH", b"", **form),
        element(0x00081032, "SQ", item(code, big=big), **form),
        undefined_sequence(
            0x00081140,
            [item(code + deep, undefined=True, big=big), item(code, big=big)],
            **form,
        ),
        element(0x00090010, "LO", b"ACME 1.0", **form),
        element(0x00091001, "UN", b"\xff\xfe\x00\xe0", **form),
        element(0x00100010, "PN", b"Doe^Jane", **form),
        element(0x00104000, "LT", b"odd", **form),
        element(0x00280010, "US", b"\x00\x02" if big else b"\x02\x00", **form),
        element(0x00420011, "OB", b"\x00" * 40, **form),
    ]
    if implicit:
        parts.append(element(0x7FE00010, "OW", b"\x01\x02" * 20, **form))
    else:
        frames = [item(b"", big=big), item(b"\xff\xd8\xff\xd9", big=big)]
        parts.append(undefined_sequence(0x7FE00010, frames, vr="OB", big=big))
    parts.append(element(0xFFFCFFFC, "OB", b"\0\0", **form))
    return b"".join(parts)


WANTED = frozenset(
    {0x00080005, 0x00080018, 0x00080050, 0x00081140, 0x00100010, 0x00104000, 0x00280010}
)


def bundled_files() -> list[Path]:
    """Every file that comes with pydicom itself; its functions might go and download more."""
    data = Path(pydicom.__file__).parent / "data"
    folders = [data / "test_files", data / "charset_files"]
    return sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())


def bundled_file(name: str) -> bytes:
    return next(path for path in bundled_files() if path.name == name).read_bytes()
