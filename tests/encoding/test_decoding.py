"""Compressed pixel data to uncompressed: the same pixels, rightly described, or a clear no."""

import sys
import zlib
from struct import pack

import imagecodecs
import numpy as np
import pytest

from isocenter.encoding.errors import (
    EncodingError,
    LimitExceeded,
    MalformedDataSet,
    UndecodablePixelData,
)
from tests.encoding.images import (
    DEFLATED_FRAMES,
    ENCAPSULATED,
    EXPLICIT,
    HTJ2K,
    IMPLICIT,
    JPEG,
    JPEG_2000,
    JPEG_LOSSLESS,
    JPEG_LS,
    RLE,
    Image,
    convert,
    htj2k,
    jpeg_2000,
    jpeg_lossless,
    jpeg_ls,
    noise,
    rle,
)
from tests.encoding.synthetic import element, item, undefined_sequence

CODECS = [
    pytest.param(JPEG_LOSSLESS, jpeg_lossless, id="JPEG Lossless"),
    pytest.param(JPEG_LS, jpeg_ls, id="JPEG-LS"),
    pytest.param(JPEG_2000, jpeg_2000, id="JPEG 2000"),
    pytest.param(HTJ2K, htj2k, id="HTJ2K"),
]


@pytest.mark.parametrize(("syntax", "encode"), CODECS)
def test_grey_comes_back_bit_for_bit(syntax: str, encode):
    image, pixels = Image(rows=20, columns=30), noise(20, 30)
    assert convert(image.compressed(encode(pixels)), syntax) == image.plain(pixels.tobytes())


@pytest.mark.parametrize(("syntax", "encode"), CODECS)
def test_colours_come_back_by_pixel(syntax: str, encode):
    image = Image(20, 30, samples=3, photometric="RGB", planar=0, allocated=8, stored=8)
    pixels = noise(20, 30, 3, high=256, dtype="u1")
    assert convert(image.compressed(encode(pixels)), syntax) == image.plain(pixels.tobytes())


@pytest.mark.parametrize(("syntax", "encode"), CODECS)
def test_every_frame_of_many_comes_back(syntax: str, encode):
    image, pixels = Image(rows=8, columns=8, frames=7), noise(7, 8, 8)
    frames = [encode(frame) for frame in pixels]
    assert convert(image.compressed(*frames), syntax) == image.plain(pixels.tobytes())


@pytest.mark.parametrize(("syntax", "encode"), CODECS[2:])
def test_signed_samples_keep_their_sign(syntax: str, encode):
    image = Image(rows=9, columns=7, signed=True)
    pixels = noise(9, 7, low=-3000, high=3000, dtype="<i2")
    assert convert(image.compressed(encode(pixels)), syntax) == image.plain(pixels.tobytes())


@pytest.mark.parametrize(
    ("syntax", "encode"),
    [(JPEG_LOSSLESS, jpeg_lossless), (JPEG_2000, jpeg_2000)],
    ids=["JPEG Lossless", "JPEG 2000"],
)
def test_a_sign_that_the_codestream_does_not_know_is_extended(syntax: str, encode):
    image = Image(rows=9, columns=7, stored=12, signed=True)
    pixels = noise(9, 7, low=-2048, high=2048, dtype="<i2")
    frame = encode((pixels & 0xFFF).astype("<u2"), 12)
    assert convert(image.compressed(frame), syntax) == image.plain(pixels.tobytes())


def test_a_sign_that_the_data_set_does_not_know_is_cut_off():
    image = Image(rows=9, columns=7, stored=12)
    pixels = noise(9, 7, low=-2048, high=2048, dtype="<i2")
    expected = (pixels & 0xFFF).astype("<u2").tobytes()
    assert convert(image.compressed(jpeg_2000(pixels, 12)), JPEG_2000) == image.plain(expected)


def test_eight_bits_fill_wider_cells():
    image, pixels = Image(rows=4, columns=4, stored=8), noise(4, 4, high=256, dtype="u1")
    plain = image.plain(pixels.astype("<u2").tobytes())
    assert convert(image.compressed(jpeg_ls(pixels)), JPEG_LS) == plain


def test_a_high_bit_beyond_what_is_coded_comes_down():
    image, pixels = Image(rows=4, columns=4, stored=8, high_bit=15), noise(4, 4, high=256)
    frame = jpeg_ls(pixels.astype("u1"))
    plain = image.plain(pixels.tobytes(), high_bit=7)
    assert convert(image.compressed(frame), JPEG_LS) == plain


def test_an_odd_number_of_bytes_is_padded():
    image = Image(rows=3, columns=3, allocated=8, stored=8)
    pixels = noise(3, 3, high=256, dtype="u1")
    converted = convert(image.compressed(jpeg_ls(pixels)), JPEG_LS)
    assert converted.endswith(pack("<I", 10) + pixels.tobytes() + b"\0")


# Lossy JPEG: what is written must be what Photometric Interpretation says


def gradient() -> np.ndarray:
    red = np.add.outer(np.arange(32), np.arange(48)).astype("u1") * 2
    return np.stack([red, 255 - red, np.full_like(red, 90)], axis=-1)


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL", "YBR_FULL_422"])
@pytest.mark.parametrize("options", [{}, {"subsampling": "420"}, {"outcolorspace": "RGB"}])
def test_lossy_colours_become_rgb_whatever_they_were_called(photometric: str, options: dict):
    image = Image(32, 48, samples=3, photometric=photometric, planar=0, allocated=8, stored=8)
    frame = imagecodecs.jpeg8_encode(gradient(), 98, **options)
    converted = convert(image.compressed(frame), JPEG)
    assert converted.startswith(image.plain(b"", photometric="RGB")[:-12])
    pixels = np.frombuffer(converted[-32 * 48 * 3 :], "u1").reshape(32, 48, 3)
    assert np.abs(pixels.astype(int) - gradient()).max() < 16


def without_markers(frame: bytes) -> bytes:
    """A JPEG stream without JFIF's and Adobe's word on its colours."""
    out, position = frame[:2], 2
    while frame[position + 1] != 0xDA:
        length = 2 + int.from_bytes(frame[position + 2 : position + 4])
        if frame[position + 1] not in (0xE0, 0xEE):
            out += frame[position : position + length]
        position += length
    return out + frame[position:]


@pytest.mark.parametrize(("photometric", "space"), [("RGB", "RGB"), ("YBR_FULL", "YCBCR")])
def test_where_a_jpeg_stream_is_silent_the_data_set_says_its_colours(photometric, space):
    image = Image(32, 48, samples=3, photometric=photometric, planar=0, allocated=8, stored=8)
    frame = imagecodecs.jpeg8_encode(gradient(), 98, outcolorspace=space, subsampling="444")
    frame = without_markers(frame)  # and without telling names, in the headers of frame and scan
    frame = frame.replace(b"R\x11\0G\x11\0B\x11", b"\1\x11\0\2\x11\0\3\x11")
    frame = frame.replace(b"R\0G\0B", b"\1\0\2\0\3")
    converted = convert(image.compressed(frame), JPEG)
    pixels = np.frombuffer(converted[-32 * 48 * 3 :], "u1").reshape(32, 48, 3)
    assert np.abs(pixels.astype(int) - gradient()).max() < 16


def test_planes_are_declared_gone_where_a_codec_interleaves():
    image = Image(4, 4, samples=3, photometric="RGB", planar=1, allocated=8, stored=8)
    pixels = noise(4, 4, 3, high=256, dtype="u1")
    expected = image.plain(pixels.tobytes(), planar=0)
    assert convert(image.compressed(jpeg_ls(pixels)), JPEG_LS) == expected


@pytest.mark.parametrize("photometric", ["YBR_RCT", "YBR_ICT"])
def test_component_transformations_end_with_the_codestream(photometric: str):
    image = Image(8, 8, samples=3, photometric=photometric, planar=0, allocated=8, stored=8)
    pixels = noise(8, 8, 3, high=256, dtype="u1")
    expected = image.plain(pixels.tobytes(), photometric="RGB")
    assert convert(image.compressed(jpeg_2000(pixels)), JPEG_2000) == expected


def test_a_codestream_within_jp2_boxes_is_found():
    image, pixels = Image(rows=8, columns=8), noise(8, 8)
    frame = bytes(imagecodecs.jpeg2k_encode(pixels, codecformat="jp2"))
    assert convert(image.compressed(frame), JPEG_2000) == image.plain(pixels.tobytes())


# RLE and frames that are not images in themselves


@pytest.mark.parametrize("planar", [0, 1])
def test_rle_planes_go_where_planar_configuration_says(planar: int):
    image = Image(2, 2, samples=3, photometric="RGB", planar=planar, allocated=16)
    by_sample = noise(3, 4)
    planes = [half for plane in by_sample for half in (plane >> 8, plane & 0xFF)]
    frame = rle(*(plane.astype("u1").tobytes() for plane in planes))
    expected = by_sample if planar else by_sample.T
    assert convert(image.compressed(frame), RLE) == image.plain(expected.tobytes())


def test_rle_runs_and_literals_and_nothing():
    image = Image(rows=1, columns=9, allocated=8, stored=8)
    segment = b"\x02abc" + b"\x80" + b"\xfc" + b"z" + b"\x00!"  # 3 literals, nothing, 5 z, 1 !
    frame = pack("<16I", 1, 64, *([0] * 14)) + segment
    assert convert(image.compressed(frame), RLE) == image.plain(b"abczzzzz!")


@pytest.mark.parametrize("syntax", [ENCAPSULATED, DEFLATED_FRAMES])
@pytest.mark.parametrize("allocated", [1, 8, 16])
def test_frames_of_raw_pixels_follow_each_other_without_a_gap(syntax: str, allocated: int):
    image = Image(rows=3, columns=5, frames=3, allocated=allocated, stored=allocated)
    bits = noise(3, 15 * allocated, high=2, dtype="u1")
    frames = [np.packbits(frame, bitorder="little").tobytes() for frame in bits]
    if syntax == DEFLATED_FRAMES:
        frames = [zlib.compress(frame, wbits=-15) for frame in frames]
    expected = np.packbits(bits.reshape(-1), bitorder="little").tobytes()
    assert convert(image.compressed(*frames), syntax) == image.plain(expected)


# Which fragments make up a frame


def split(frame: bytes, size: int) -> list[bytes]:
    assert size % 2 == 0
    return [frame[start : start + size] for start in range(0, len(frame), size)]


def offsets(frames: list[list[bytes]]) -> list[int]:
    """Where the first fragment of each frame stands, counted from the first of all."""
    found, position = [], 0
    for fragments in frames:
        found.append(position)
        position += sum(8 + len(one) + len(one) % 2 for one in fragments)
    return found


def test_one_frame_may_lie_in_many_fragments():
    image, pixels = Image(rows=16, columns=16), noise(16, 16)
    compressed = image.compressed(*split(jpeg_ls(pixels), 100))
    assert convert(compressed, JPEG_LS) == image.plain(pixels.tobytes())


@pytest.mark.parametrize("table", ["basic", "extended", "none"])
def test_frames_in_many_fragments_are_told_apart(table: str):
    image, pixels = Image(rows=16, columns=16, frames=3), noise(3, 16, 16)
    frames = [split(jpeg_ls(frame), 100) for frame in pixels]
    at = offsets(frames)
    before = basic = b""
    if table == "extended":
        before = element(0x7FE00001, "OV", pack("<3Q", *at)) + element(0x7FE00002, "OV", bytes(24))
    elif table == "basic":
        basic = pack("<3I", *at)
    fragments = [fragment for frame in frames for fragment in frame]
    compressed = image.compressed(*fragments, table=basic, before=before)
    assert convert(compressed, JPEG_LS) == image.plain(pixels.tobytes())


def test_a_wrong_offset_table_is_not_believed():
    image, pixels = Image(rows=16, columns=16, frames=2), noise(2, 16, 16)
    fragments = [one for frame in pixels for one in split(jpeg_ls(frame), 100)]
    compressed = image.compressed(*fragments, table=pack("<2I", 0, 7))
    assert convert(compressed, JPEG_LS) == image.plain(pixels.tobytes())


# What lies around the pixels


def test_what_stands_around_the_pixels_stays_and_offset_tables_go():
    image, pixels = Image(rows=4, columns=4), noise(4, 4)
    text = element(0x00400275, "SQ", item(element(0x00400007, "LO", b"x ")))
    tables = element(0x7FE00001, "OV", bytes(8)) + element(0x7FE00002, "OV", bytes(8))
    padding = element(0xFFFCFFFC, "OB", b"\0\0")
    compressed = image.compressed(jpeg_ls(pixels), before=text + tables, after=padding)
    plain = image.plain(pixels.tobytes(), before=text, after=padding)
    assert convert(compressed, JPEG_LS) == plain


def test_an_icon_is_decompressed_with_its_own_description():
    icon, pixels = Image(rows=2, columns=2, allocated=8, stored=8), noise(4, 4)
    thumbnail = noise(2, 2, high=256, dtype="u1")
    image = Image(rows=4, columns=4)

    def with_icon(content: bytes) -> bytes:
        return element(0x00880200, "SQ", item(content))

    before = with_icon(icon.compressed(jpeg_ls(thumbnail)))
    compressed = image.compressed(jpeg_ls(pixels), before=before)
    plain = image.plain(pixels.tobytes(), before=with_icon(icon.plain(thumbnail.tobytes())))
    assert convert(compressed, JPEG_LS) == plain


def test_to_implicit_vr_only_the_headers_change():
    image, pixels = Image(rows=4, columns=4), noise(4, 4)
    plain = convert(image.plain(pixels.tobytes()), EXPLICIT, IMPLICIT)
    assert convert(image.compressed(jpeg_ls(pixels)), JPEG_LS, IMPLICIT) == plain
    assert plain.endswith(pack("<HHI", 0x7FE0, 0x0010, 32) + pixels.tobytes())


# What must fail, and say why


def bigger_than_said(pixels: np.ndarray) -> bytes:
    return jpeg_ls(np.tile(pixels, (2, 2)))


GOOD = Image(rows=6, columns=5)
FRAME = jpeg_ls(noise(6, 5))


@pytest.mark.parametrize(
    ("data_set", "syntax", "why"),
    [
        (GOOD.compressed(FRAME[:-30]), JPEG_LS, "cut off"),
        (GOOD.compressed(b"no image at all!"), JPEG_LS, "not a JPEG stream"),
        (GOOD.compressed(b"no image at all!"), JPEG_2000, "not a JPEG 2000 codestream"),
        (GOOD.compressed(jpeg_2000(noise(6, 5))[:60]), JPEG_2000, "damaged"),
        (GOOD.compressed(bigger_than_said(noise(6, 5))), JPEG_LS, "Rows and Columns"),
        (GOOD.compressed(jpeg_2000(noise(6, 6))), JPEG_2000, "Rows and Columns"),
        (GOOD.compressed(jpeg_ls(noise(6, 5, 3))), JPEG_LS, "Samples per Pixel"),
        (Image(allocated=8, stored=8).compressed(FRAME), JPEG_LS, "Bits Allocated"),
        (GOOD.compressed(), JPEG_LS, "cannot be parted"),
        (Image(frames=2).compressed(FRAME), JPEG_LS, "cannot be parted into 2 frames"),
        (Image(rows=0).compressed(FRAME), JPEG_LS, "without pixels"),
        (Image(allocated=12, stored=12).compressed(FRAME), JPEG_LS, "cannot be those"),
        (GOOD.compressed(rle(bytes(30))), RLE, "1 segments where 2 are due"),
        (GOOD.compressed(rle(bytes(30), bytes(28))), RLE, "ends too early"),
        (GOOD.compressed(b"\2\0\0\0"), RLE, "shorter than its header"),
        (GOOD.compressed(bytes(58)), ENCAPSULATED, "has not the size"),
        (GOOD.compressed(zlib.compress(bytes(6000), wbits=-15)), DEFLATED_FRAMES, "not inflate"),
        (GOOD.compressed(b"\xff" * 8), DEFLATED_FRAMES, "not a deflate stream"),
        (GOOD.compressed(jpeg_2000(noise(6, 5))), HTJ2K, "damaged"),
    ],
)
def test_what_is_damaged_is_said_to_be(data_set: bytes, syntax: str, why: str):
    with pytest.raises(UndecodablePixelData, match=why):
        convert(data_set, syntax)


def test_a_cut_off_lossy_image_is_not_filled_up_with_grey():
    image = Image(32, 48, samples=3, photometric="RGB", planar=0, allocated=8, stored=8)
    frame = imagecodecs.jpeg8_encode(gradient(), 98)
    with pytest.raises(UndecodablePixelData, match="cut off"):
        convert(image.compressed(frame[:-60]), JPEG)


def test_a_damaged_htj2k_image_is_not_filled_up_with_what_was_in_memory(monkeypatch):
    frame = bytearray(htj2k(noise(64, 64)))
    frame[161] = 119
    ignored = []
    with monkeypatch.context() as patch:  # this is what the decoder does by itself
        patch.setattr(sys, "unraisablehook", ignored.append)
        assert imagecodecs.htj2k_decode(bytes(frame)).shape == (64, 64)
    assert ignored
    with pytest.raises(UndecodablePixelData, match="damaged"):
        convert(Image(64, 64).compressed(bytes(frame)), HTJ2K)


def test_an_image_beyond_the_maximum_is_refused_before_it_is_decoded():
    image = Image(rows=65535, columns=65535, frames=2**31 - 1)
    with pytest.raises(LimitExceeded, match="larger than what may be converted"):
        convert(image.compressed(FRAME), JPEG_LS)


def test_an_image_that_no_element_can_hold_is_refused():
    image = Image(rows=40000, columns=40000, frames=2)
    with pytest.raises(LimitExceeded, match="too large for a data element"):
        convert(image.compressed(FRAME, FRAME), JPEG_LS, maximum=1 << 40)


def test_compressed_pixels_in_an_uncompressed_data_set_are_refused():
    with pytest.raises(MalformedDataSet, match="Compressed pixel data"):
        convert(GOOD.compressed(FRAME), EXPLICIT, IMPLICIT)


@pytest.mark.parametrize("value", [b"x ", b"0 ", b"-3", b"99999999999 ", b"1\\2 "])
def test_a_number_of_frames_that_is_none_is_refused(value: bytes):
    data_set = GOOD.header().replace(
        element(0x00280010, "US", b"\6\0"),
        element(0x00280008, "IS", value) + element(0x00280010, "US", b"\6\0"),
    )
    pixels = undefined_sequence(0x7FE00010, [item(b""), item(FRAME)], vr="OB")
    with pytest.raises(EncodingError, match="Number of Frames"):
        convert(data_set + pixels, JPEG_LS)
