"""The layer of bytes: what is wrong with a file is told, and reading goes on where it can."""

import struct
import zlib

import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.limits import ScanLimits
from isocenter.objects.validator import validate_data_set, validate_file
from tests.objects.samples import ct, encode
from tests.support.corpus import bundled

CLEAN = encode(ct())


def found(content: bytes, **options: ScanLimits) -> set[str]:
    return {finding.check for finding in validate_file(content, **options).findings}


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def with_elements(*extra: bytes) -> bytes:
    """The clean object with elements put before its pixel data."""
    place = CLEAN.index(b"\xe0\x7f\x10\x00")
    return CLEAN[:place] + b"".join(extra) + CLEAN[place:]


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_every_uncompressed_syntax_is_read(syntax: str) -> None:
    assert found(encode(ct(), syntax)) == set()


def test_big_endian_numbers_are_read_as_such() -> None:
    report = validate_file(bundled("MR_small_bigendian.dcm").read_bytes())
    assert report.iod == "MR Image"
    assert not {"bits", "pixel-length", "enumerated-value"} & {one.check for one in report.findings}


@pytest.mark.parametrize("content", [b"", b"x", b"no DICOM at all, whatever its name", bytes(4096)])
def test_what_is_no_dicom_is_one_finding(content: bytes) -> None:
    assert found(content) == {"not-dicom"}


def test_a_bare_data_set_is_judged_without_its_file() -> None:
    bare = CLEAN[CLEAN.index(b"\x08\x00\x08\x00") :]
    assert found(bare) == {"preamble-missing"}
    assert validate_data_set(bare, EXPLICIT_VR_LITTLE_ENDIAN).findings == []


@pytest.mark.parametrize("cut", range(140, len(CLEAN), 41))
def test_a_truncated_file_is_told_and_nothing_is_called_missing_for_it(cut: int) -> None:
    checks = found(CLEAN[:cut])
    assert checks & {"truncated", "meta-missing", "meta-value"} or "type1-missing" in checks
    if "truncated" in checks:
        assert "type1-missing" not in checks


def test_elements_out_of_order_and_twice_are_told() -> None:
    assert "tag-order" in found(
        with_elements(
            element(0x00100010, b"PN", b"A^")[:0]
            + b"".join([element(0x00280301, b"US", b"\1\0"), element(0x00280300, b"CS", b"NO")])
        )
    )
    assert "tag-twice" in found(with_elements(*[element(0x00280300, b"CS", b"NO")] * 2))


def test_odd_lengths_group_lengths_and_unknown_vrs_are_told() -> None:
    assert "odd-length" in found(with_elements(element(0x00280300, b"CS", b"YES")))
    assert "group-length" in found(with_elements(element(0x00400000, b"UL", bytes(4))))
    assert "vr-unknown" in found(with_elements(element(0x00280300, b"QQ", b"NO")))
    assert "vr-differs" in found(with_elements(element(0x00280300, b"LO", b"NO")))


def test_private_elements_need_a_creator() -> None:
    private = element(0x00411001, b"LO", b"AB")
    assert "private-without-creator" in found(with_elements(private))
    assert found(with_elements(element(0x00410010, b"LO", b"ME"), private)) == set()


def test_implicit_bytes_under_an_explicit_syntax_are_told_and_read() -> None:
    content = encode(ct(), ImplicitVRLittleEndian)
    meta_end = content.index(b"\x08\x00\x08\x00")
    spliced = CLEAN[: CLEAN.index(b"\x08\x00\x08\x00")] + content[meta_end:]
    assert found(spliced) == {"wrong-form"}


def test_meta_information_is_held_against_the_data_set() -> None:
    data_set = ct()
    content = encode(data_set)
    other = content.replace(b"1.2.3.1.1.1\0", b"1.2.3.1.1.2\0", 1)
    assert found(other) == {"meta-mismatch"}


def test_nesting_and_counts_are_bounded() -> None:
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    sequence = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    deep = with_elements((sequence + item) * 5000)
    assert "too-large" in found(deep)
    many = with_elements(*[element(0x00280300, b"CS", b"NO")] * 1000)
    assert "too-large" in found(many, limits=ScanLimits(max_elements=500))


def test_a_deflate_bomb_is_not_inflated() -> None:
    deflated = encode(ct(), DeflatedExplicitVRLittleEndian)
    head = deflated[: deflated.index(DeflatedExplicitVRLittleEndian.encode()) + 22]
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = compressor.compress(bytes(64 << 20)) + compressor.flush()
    checks = found(head + bomb, limits=ScanLimits(max_inflated=1 << 20))
    assert "too-large" in checks


def test_a_lying_length_costs_nothing() -> None:
    lie = struct.pack("<HH2sHI", 0x0042, 0x0011, b"OB", 0, 0xFFFFFFF0)
    assert "truncated" in found(with_elements(lie))


def test_zeros_behind_a_data_set_are_told() -> None:
    assert found(CLEAN + bytes(512)) == {"trailing-bytes"}
