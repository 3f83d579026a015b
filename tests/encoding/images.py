"""Images to decompress: data sets around frames that the tests compress themselves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from struct import pack

import imagecodecs
import numpy as np

from isocenter.encoding.transcoding import TARGETS, Conversion
from tests.encoding.synthetic import element, item, undefined_sequence

EXPLICIT, IMPLICIT = TARGETS
ROOT = "1.2.840.10008.1.2."
JPEG, JPEG_LOSSLESS, JPEG_LS = ROOT + "4.50", ROOT + "4.70", ROOT + "4.80"
JPEG_2000, HTJ2K, RLE = ROOT + "4.90", ROOT + "4.201", ROOT + "5"
ENCAPSULATED, DEFLATED_FRAMES = ROOT + "1.98", ROOT + "8.1"
MPEG = ROOT + "4.102"

MAXIMUM = 1 << 30


@dataclass(frozen=True)
class Image:
    """The Image Pixel Module; what is None is left out."""

    rows: int = 6
    columns: int = 5
    samples: int = 1
    photometric: str = "MONOCHROME2"
    planar: int | None = None
    frames: int | None = None
    allocated: int = 16
    stored: int = 16
    high_bit: int | None = None
    signed: bool = False

    def header(self) -> bytes:
        """The elements of group 0028, explicit VR little endian."""
        photometric = self.photometric.encode() + b" " * (len(self.photometric) % 2)
        parts = [us(0x00280002, self.samples), element(0x00280004, "CS", photometric)]
        if self.planar is not None:
            parts.append(us(0x00280006, self.planar))
        if self.frames is not None:
            text = str(self.frames).encode()
            parts.append(element(0x00280008, "IS", text + b" " * (len(text) % 2)))
        high_bit = self.stored - 1 if self.high_bit is None else self.high_bit
        parts += [
            us(0x00280010, self.rows),
            us(0x00280011, self.columns),
            us(0x00280100, self.allocated),
            us(0x00280101, self.stored),
            us(0x00280102, high_bit),
            us(0x00280103, int(self.signed)),
        ]
        return b"".join(parts)

    def compressed(
        self, *frames: bytes, table: bytes = b"", before: bytes = b"", after: bytes = b""
    ) -> bytes:
        """A data set with these fragments; `table` is the Basic Offset Table."""
        fragments = [item(table), *(item(frame + b"\0" * (len(frame) % 2)) for frame in frames)]
        pixels = undefined_sequence(0x7FE00010, fragments, vr="OB")
        return element(0x00080018, "UI", b"1.2.3\0") + self.header() + before + pixels + after

    def plain(self, pixels: bytes, *, before: bytes = b"", after: bytes = b"", **changed) -> bytes:
        """The same data set with uncompressed pixels, where `changed` of the header has."""
        vr = "OB" if self.allocated <= 8 else "OW"
        head = element(0x00080018, "UI", b"1.2.3\0") + replace(self, **changed).header()
        pixels += b"\0" * (len(pixels) % 2)
        return head + before + element(0x7FE00010, vr, pixels) + after


def us(tag: int, number: int) -> bytes:
    return element(tag, "US", pack("<H", number))


def convert(data_set: bytes, source: str, target: str = EXPLICIT, maximum: int = MAXIMUM) -> bytes:
    """The whole of a conversion, which must be as long as it said."""
    conversion = Conversion(data_set, source, target, maximum)
    converted = b"".join(map(bytes, conversion))
    assert len(converted) == conversion.length
    return converted


def noise(*shape: int, low: int = 0, high: int = 1 << 16, dtype: str = "<u2") -> np.ndarray:
    """Pixels that no codec can guess."""
    return np.random.default_rng(4711).integers(low, high, shape).astype(dtype)


def rle(*planes: bytes) -> bytes:
    """An RLE frame of literal runs only, PS3.5 Annex G."""
    segments = []
    for plane in planes:
        runs = [plane[start : start + 128] for start in range(0, len(plane), 128)]
        segment = b"".join(bytes([len(run) - 1]) + run for run in runs)
        segments.append(segment + b"\0" * (len(segment) % 2))
    offsets = [64]
    for segment in segments:
        offsets.append(offsets[-1] + len(segment))
    header = [len(planes), *offsets[: len(planes)]]
    return pack("<16I", *header, *([0] * (16 - len(header)))) + b"".join(segments)


def jpeg_ls(pixels: np.ndarray) -> bytes:
    return bytes(imagecodecs.jpegls_encode(pixels))


def jpeg_lossless(pixels: np.ndarray, bits: int | None = None) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(pixels, lossless=True, bitspersample=bits))


def jpeg_2000(pixels: np.ndarray, bits: int | None = None) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", bitspersample=bits))


def htj2k(pixels: np.ndarray) -> bytes:
    return bytes(imagecodecs.htj2k_encode(pixels, reversible=True))
