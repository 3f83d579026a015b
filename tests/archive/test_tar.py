import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.archive.tar import (
    BLOCK,
    ZERO_BLOCK,
    PackDamaged,
    decode_header,
    encode_header,
    find_headers,
    padding,
)

UIDS = st.from_regex(r"[1-9][0-9]{0,8}(\.[1-9][0-9]{0,8}){1,5}", fullmatch=True)


@given(UIDS, UIDS, st.integers(0, 2**40), st.integers(0, 2**64 - 1), st.integers(0, 2**33 - 1))
def test_a_header_comes_back_as_it_was_written(series, instance, size, digest, received_at):
    header = encode_header(series, instance, size, digest, received_at)
    assert len(header) == BLOCK
    assert decode_header(header) == (f"{series}/{instance}.dcm", size, digest, received_at)


def test_the_longest_uids_fit_and_any_tar_reader_finds_the_file():
    series, instance = "1" * 64, "2" * 64
    content = b"DICM" * 100
    header = encode_header(series, instance, len(content), 7, 1_700_000_000)
    pack = header + content + bytes(padding(len(content))) + bytes(2 * BLOCK)
    with tarfile.open(fileobj=io.BytesIO(pack), mode="r:") as tar:
        (member,) = tar.getmembers()
        assert member.name == f"{series}/{instance}.dcm"
        assert member.mtime == 1_700_000_000
        assert tar.extractfile(member).read() == content


def test_a_file_beyond_eight_gigabytes_is_announced_in_a_form_that_tar_readers_know():
    header = encode_header("1.2", "1.3", 3 * 8**11, 0, 0)
    assert tarfile.TarInfo.frombuf(header, "ascii", "strict").size == 3 * 8**11


def test_a_block_of_zeros_is_no_record():
    assert decode_header(ZERO_BLOCK) is None


@given(st.integers(0, BLOCK - 1), st.integers(1, 255))
def test_a_changed_byte_never_passes_for_the_same_record(position, change):
    header = bytearray(encode_header("1.2.3", "1.2.3.4", 1000, 42, 1_700_000_000))
    header[position] ^= change
    try:
        decoded = decode_header(bytes(header))
    except PackDamaged:
        return
    # Only the spelling of the checksum itself can differ without meaning.
    assert 148 <= position < 156
    assert decoded == ("1.2.3/1.2.3.4.dcm", 1000, 42, 1_700_000_000)


@given(st.binary(min_size=BLOCK, max_size=BLOCK))
def test_bytes_that_are_no_header_are_damage(block):
    if block != ZERO_BLOCK:
        with pytest.raises(PackDamaged):
            decode_header(block)


@pytest.mark.parametrize(
    ("field", "stated"),
    [
        (slice(148, 156), b"0008999\0"),
        (slice(148, 156), b"+001234\0"),
        (slice(124, 136), b"-0000000512\0"),
        (slice(124, 136), b"0000_000_12\0"),
        (slice(136, 148), b"-4444444444\0"),
    ],
)
def test_a_number_that_is_not_octal_is_damage(field, stated):
    header = bytearray(encode_header("1.2.3", "1.2.3.4", 1000, 42, 1_700_000_000))
    header[field] = stated
    if field.start != 148:
        checksum = sum(header) - sum(header[148:156]) + 8 * 0x20
        header[148:156] = b"%06o\0 " % checksum
    with pytest.raises(PackDamaged):
        decode_header(bytes(header))


@given(st.lists(st.booleans()), st.integers(0, BLOCK - 1))
def test_headers_are_found_where_blocks_begin(blocks, cut):
    header = encode_header("1.2.3", "1.2.3.4", 1000, 42, 1_700_000_000)
    noise = header[1:] + b"x"
    piece = b"".join(header if whole else noise for whole in blocks) + header[:cut]
    found = [position for position, _ in find_headers(piece)]
    assert found == [n * BLOCK for n, whole in enumerate(blocks) if whole]


def test_a_record_without_a_digest_is_not_one_of_ours():
    foreign = tarfile.TarInfo("1.2/3.dcm").tobuf(tarfile.USTAR_FORMAT)
    with pytest.raises(PackDamaged, match="digest"):
        decode_header(foreign)
