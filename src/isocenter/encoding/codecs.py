"""Decoders for compressed pixel data: one table from transfer syntax to codec.

A codec gets one frame's bytes and gives the frame as it lies in an uncompressed data set (PS3.5
8.1.1, little endian), together with the few elements of the Image Pixel Module that decoding
changes. The codecs proper come from imagecodecs (libjpeg-turbo, CharLS, OpenJPEG, OpenJPH).
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from isocenter.encoding.codestreams import Codestream, read_jpeg, read_jpeg2000
from isocenter.encoding.errors import UndecodablePixelData
from isocenter.encoding.pixel_description import PixelDescription
from isocenter.encoding.rle import decode_rle

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_ROOT = "1.2.840.10008.1.2."


class Codec(NamedTuple):
    """How the frames of a transfer syntax are decoded.

    `describe` gives the description that holds after decoding, from the one before and the first
    frame. `decode` gives one frame; raises UndecodablePixelData, and MemoryError.
    """

    describe: Callable[[PixelDescription, bytes], PixelDescription]
    decode: Callable[[PixelDescription, bytes], bytes]


def _describe_jpeg(image: PixelDescription, frame: bytes) -> PixelDescription:
    """Lossy JPEG: YCbCr becomes RGB, as every IOD allows that without compression.

    What the stream says of its colours counts for more than what the data set says: encoders
    know, whoever wraps up their output often does not.
    """
    if image.samples_per_pixel > 1:
        image = replace(image, photometric_interpretation="RGB")
    return _describe_jpeg_lossless(image, frame)


def _decode_jpeg(image: PixelDescription, frame: bytes) -> bytes:
    stream = read_jpeg(frame)
    stream.check(image)
    ycc = image.photometric_interpretation.startswith("YBR")
    if stream.ycc is not None:
        ycc = stream.ycc
    return _cells(_jpeg(frame, stream, "YCBCR" if ycc else "RGB"), image, stream)


def _describe_jpeg_lossless(image: PixelDescription, frame: bytes) -> PixelDescription:
    return _by_pixel(image, read_jpeg(frame))


def _decode_jpeg_lossless(image: PixelDescription, frame: bytes) -> bytes:
    """Lossless JPEG knows no colours: samples stay what they are (PS3.5 8.2.1)."""
    stream = read_jpeg(frame)
    stream.check(image)
    return _cells(_jpeg(frame, stream, "RGB"), image, stream)


def _jpeg(frame: bytes, stream: Codestream, colors: str) -> Array:
    import imagecodecs

    if stream.components == 1:
        return _checked(imagecodecs.jpeg8_decode, frame)
    return _checked(imagecodecs.jpeg8_decode, frame, colorspace=colors, outcolorspace="RGB")


def _decode_jpeg_ls(image: PixelDescription, frame: bytes) -> bytes:
    import imagecodecs

    stream = read_jpeg(frame)
    stream.check(image)
    return _cells(_checked(imagecodecs.jpegls_decode, frame), image, stream)


def _describe_jpeg2000(image: PixelDescription, frame: bytes) -> PixelDescription:
    """Component transformations are part of the codestream, and undone with it (PS3.5 8.2.4)."""
    if image.photometric_interpretation in ("YBR_RCT", "YBR_ICT"):
        image = replace(image, photometric_interpretation="RGB")
    return _by_pixel(image, read_jpeg2000(frame))


def _decode_jpeg2000(image: PixelDescription, frame: bytes) -> bytes:
    import imagecodecs

    stream = read_jpeg2000(frame)
    stream.check(image)
    codestream = frame[stream.start :]
    return _cells(_checked(imagecodecs.jpeg2k_decode, codestream, numthreads=1), image, stream)


def _decode_htj2k(image: PixelDescription, frame: bytes) -> bytes:
    import imagecodecs

    stream = read_jpeg2000(frame)
    stream.check(image)
    with _nothing_ignored():
        decoded = _checked(imagecodecs.htj2k_decode, frame[stream.start :])
    return _cells(decoded, image, stream)


@contextmanager
def _nothing_ignored() -> Iterator[None]:
    """Make errors count that a decoder drops while it fills its result.

    imagecodecs does so with those of OpenJPH; what it then returns is in part whatever was in
    memory before, such as another patient's pixels.
    """
    ignored: list[object] = []
    hook, sys.unraisablehook = sys.unraisablehook, ignored.append
    try:
        yield
    finally:
        sys.unraisablehook = hook
    if ignored:
        raise UndecodablePixelData("A compressed frame is damaged")


def _describe_rle(image: PixelDescription, _frame: bytes) -> PixelDescription:
    """Samples are not converted, but all of them are there: nothing is subsampled any more."""
    if image.bits_allocated % 8:
        raise UndecodablePixelData("RLE frames of single bits cannot be decoded")
    return _not_subsampled(image)


def _decode_rle(image: PixelDescription, frame: bytes) -> bytes:
    cell = image.bits_allocated // 8
    samples = image.samples_per_pixel
    pixels = image.rows * image.columns
    planes = decode_rle(frame, cell * samples, pixels)
    decoded = bytearray(pixels * samples * cell)
    for number, plane in enumerate(planes):
        sample, byte = divmod(number, cell)
        low = cell - 1 - byte
        if image.planar_configuration:
            start = sample * pixels * cell
            decoded[start + low : start + pixels * cell : cell] = plane
        else:
            decoded[sample * cell + low :: samples * cell] = plane
    return bytes(decoded)


def _describe_raw(image: PixelDescription, _frame: bytes) -> PixelDescription:
    return image


def _decode_raw(image: PixelDescription, frame: bytes) -> bytes:
    """Encapsulated Uncompressed, PS3.5 A.4.11."""
    size = raw_frame_size(image)
    if not size <= len(frame) <= size + 1:
        raise UndecodablePixelData("A frame has not the size that its description says")
    return frame[:size]


def _decode_deflated(image: PixelDescription, frame: bytes) -> bytes:
    """Deflated Image Frame Compression: a frame is one RFC 1951 stream."""
    size = raw_frame_size(image)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(frame, size + 1)
    except zlib.error as error:
        raise UndecodablePixelData("A frame is not a deflate stream") from error
    if len(inflated) != size:
        raise UndecodablePixelData("A frame does not inflate to the size that is due")
    return inflated


def raw_frame_size(image: PixelDescription) -> int:
    """Bytes of one uncompressed frame by itself; YBR_FULL_422 keeps two samples for a pixel."""
    bits = image.frame_bits
    if image.photometric_interpretation == "YBR_FULL_422":
        bits = bits // 3 * 2
    return -(-bits // 8)


def _by_pixel(image: PixelDescription, stream: Codestream) -> PixelDescription:
    """What holds after every codec that knows samples: they lie side by side, in the low bits."""
    if image.bits_allocated == 1 or image.samples_per_pixel not in (1, 3):
        raise UndecodablePixelData("Compressed frames of this kind cannot be decoded")
    high_bit = image.bits_stored - 1 if image.high_bit >= stream.precision else image.high_bit
    return replace(_not_subsampled(image), planar_configuration=0, high_bit=high_bit)


def _not_subsampled(image: PixelDescription) -> PixelDescription:
    if image.photometric_interpretation == "YBR_FULL_422":
        return replace(image, photometric_interpretation="YBR_FULL")
    return image


def _checked(decode: Callable[..., Any], frame: bytes, **options: Any) -> Array:
    """What a foreign decoder makes of a frame, its many ways to fail turned into one."""
    try:
        decoded: Array = decode(frame, **options)
    except MemoryError:
        raise
    except Exception as error:
        raise UndecodablePixelData("A compressed frame is damaged") from error
    return decoded


def _cells(decoded: Array, image: PixelDescription, stream: Codestream) -> bytes:
    """Pixel cells of Bits Allocated, the sign where Pixel Representation wants it.

    JPEG and JPEG-LS know no signed samples, and some JPEG 2000 streams disagree with their data
    set: the bits are kept, the data set says what they mean.
    """
    import numpy as np

    shape: tuple[int, ...] = (image.rows, image.columns)
    if image.samples_per_pixel > 1:
        shape += (image.samples_per_pixel,)
    if decoded.shape != shape or decoded.dtype.kind not in "iu":
        raise UndecodablePixelData("A compressed frame decodes to something else than is due")
    size = image.bits_allocated // 8
    unsigned, signed = np.dtype(f"<u{size}"), np.dtype(f"<i{size}")
    cells = np.ascontiguousarray(decoded).astype(signed if image.signed else unsigned)
    unused = image.bits_allocated - stream.precision
    if unused and image.signed and not stream.signed:
        cells = np.right_shift(np.left_shift(cells, unused), unused)
    elif unused and stream.signed and not image.signed:
        cells &= unsigned.type((1 << stream.precision) - 1)
    return cells.tobytes()


_JPEG = Codec(_describe_jpeg, _decode_jpeg)
_JPEG_LOSSLESS = Codec(_describe_jpeg_lossless, _decode_jpeg_lossless)
_JPEG_LS = Codec(_describe_jpeg_lossless, _decode_jpeg_ls)
_JPEG_2000 = Codec(_describe_jpeg2000, _decode_jpeg2000)
_HTJ2K = Codec(_describe_jpeg2000, _decode_htj2k)

CODECS: Mapping[str, Codec] = MappingProxyType(
    {
        _ROOT + "4.50": _JPEG,  # Baseline
        _ROOT + "4.51": _JPEG,  # Extended
        _ROOT + "4.57": _JPEG_LOSSLESS,
        _ROOT + "4.70": _JPEG_LOSSLESS,  # first-order prediction
        _ROOT + "4.80": _JPEG_LS,
        _ROOT + "4.81": _JPEG_LS,  # near-lossless
        _ROOT + "4.90": _JPEG_2000,  # lossless only
        _ROOT + "4.91": _JPEG_2000,
        _ROOT + "4.201": _HTJ2K,  # lossless only
        _ROOT + "4.202": _HTJ2K,  # lossless only, RPCL
        _ROOT + "4.203": _HTJ2K,
        _ROOT + "5": Codec(_describe_rle, _decode_rle),
        _ROOT + "1.98": Codec(_describe_raw, _decode_raw),  # encapsulated uncompressed
        _ROOT + "8.1": Codec(_describe_raw, _decode_deflated),  # deflated image frames
    }
)
"""The transfer syntaxes whose pixel data can be decoded."""
