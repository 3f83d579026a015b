"""DICOM files: written for others to read, and read however others write them."""

import shutil
import subprocess
import zlib
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.filewriter import write_file_meta_info

from isocenter.dictionary.uids import is_valid_uid
from isocenter.encoding.errors import (
    EncodingError,
    LimitExceeded,
    MalformedDataSet,
    NotPart10,
    TruncatedDataSet,
)
from isocenter.encoding.part10 import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    FileMeta,
    encode_file_meta,
    locate_dataset,
    read_file_meta,
)
from tests.encoding.synthetic import bundled_file, element, small_data_set

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
METAS = [
    FileMeta(CT, "1.2.3.4", EXPLICIT),
    FileMeta(CT, "1.2.3.44", EXPLICIT, source_ae="SCANNER", receiving_ae="ISOCENTER"),
    FileMeta(CT, "2.25." + "9" * 59, IMPLICIT, "AE", "SIXTEEN_CHARS_AE"),
    FileMeta(CT, "1.2", EXPLICIT, implementation_version_name=""),
]


def meta_element(element_number: int, vr: str, value: bytes) -> bytes:
    return element(0x00020000 | element_number, vr, value)


def file_with(*elements: bytes) -> bytes:
    return bytes(128) + b"DICM" + b"".join(elements)


TRANSFER_SYNTAX = meta_element(0x10, "UI", EXPLICIT.encode() + b"\0")


@pytest.mark.parametrize("meta", METAS)
def test_what_is_written_is_read_back(meta: FileMeta) -> None:
    encoded = encode_file_meta(meta)
    assert read_file_meta(encoded + small_data_set()) == (meta, len(encoded))
    assert locate_dataset(encoded + small_data_set()) == (meta, len(encoded))


@pytest.mark.parametrize("meta", METAS)
def test_pydicom_reads_and_would_write_the_same_bytes(meta: FileMeta) -> None:
    encoded = encode_file_meta(meta)
    implicit = meta.transfer_syntax_uid == IMPLICIT
    theirs = dcmread(BytesIO(encoded + small_data_set(implicit=implicit))).file_meta
    assert theirs.MediaStorageSOPClassUID == meta.sop_class_uid
    assert theirs.MediaStorageSOPInstanceUID == meta.sop_instance_uid
    assert theirs.TransferSyntaxUID == meta.transfer_syntax_uid
    assert theirs.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert theirs.get("SourceApplicationEntityTitle", "") == meta.source_ae
    assert theirs.get("ReceivingApplicationEntityTitle", "") == meta.receiving_ae
    if not meta.implementation_version_name:
        return  # pydicom puts its own name there
    written = BytesIO()
    write_file_meta_info(written, theirs)
    assert encoded == bytes(128) + b"DICM" + written.getvalue()


@pytest.mark.interop
@pytest.mark.skipif(shutil.which("dcmdump") is None, reason="DCMTK is not installed")
@pytest.mark.parametrize("meta", METAS)
def test_dcmdump_accepts_what_is_written(meta: FileMeta, tmp_path: Path) -> None:
    path = tmp_path / "file.dcm"
    implicit = meta.transfer_syntax_uid == IMPLICIT
    path.write_bytes(encode_file_meta(meta) + small_data_set(implicit=implicit))
    dump = subprocess.run(
        ["dcmdump", "-Un", str(path)], capture_output=True, text=True, timeout=20, check=False
    )
    assert dump.returncode == 0
    assert "E:" not in dump.stderr
    assert f"[{meta.sop_instance_uid}]" in dump.stdout


def test_our_own_identification_is_what_the_standard_allows() -> None:
    assert is_valid_uid(IMPLEMENTATION_CLASS_UID)
    assert 1 <= len(IMPLEMENTATION_VERSION_NAME) <= 16


@pytest.mark.parametrize("change", [{"sop_instance_uid": "1.2.é"}, {"source_ae": "A" * 70_000}])
def test_a_meta_that_no_file_can_hold_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(MalformedDataSet):
        encode_file_meta(replace(METAS[0], **change))


def test_an_ae_title_in_other_letters_costs_no_object() -> None:
    meta, _ = read_file_meta(encode_file_meta(replace(METAS[0], source_ae="名")))
    assert meta.source_ae == "?"


@pytest.mark.parametrize(
    "length", [None, b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x05\0\0\0", b"\x01\0"]
)
def test_the_group_length_may_be_missing_or_wrong(length: bytes | None) -> None:
    group_length = b"" if length is None else meta_element(0, "UL", length)
    head = file_with(
        group_length,
        meta_element(2, "UI", CT.encode() + b"\0"),
        meta_element(3, "UI", b"1.2.3 "),
        TRANSFER_SYNTAX,
    )
    meta, offset = read_file_meta(head + small_data_set())
    assert offset == len(head)
    assert (meta.sop_instance_uid, meta.transfer_syntax_uid) == ("1.2.3", EXPLICIT)
    assert meta.implementation_class_uid == ""


def test_a_meta_in_implicit_vr_is_read() -> None:
    head = file_with(element(0x00020010, "", EXPLICIT.encode() + b"\0", implicit=True))
    assert read_file_meta(head)[0].transfer_syntax_uid == EXPLICIT


def test_private_information_of_any_length_is_passed_over() -> None:
    head = file_with(TRANSFER_SYNTAX, meta_element(0x102, "OB", bytes(200_000)))
    assert read_file_meta(head + small_data_set())[1] == len(head)


def test_a_deflated_stream_is_not_taken_for_more_meta() -> None:
    deflated = meta_element(0x10, "UI", DEFLATED.encode())
    head = file_with(meta_element(0, "UL", len(deflated).to_bytes(4, "little")), deflated)
    assert read_file_meta(head + b"\x02\x00" + bytes(20))[1] == len(head)


@pytest.mark.parametrize("data", [b"", b"DICM", bytes(131), bytes(132), small_data_set()])
def test_without_the_prefix_it_is_no_file(data: bytes) -> None:
    with pytest.raises(NotPart10):
        read_file_meta(data)


def test_without_a_transfer_syntax_the_data_set_cannot_be_read() -> None:
    with pytest.raises(MalformedDataSet, match="transfer syntax"):
        read_file_meta(file_with(meta_element(2, "UI", b"1.2 ")) + small_data_set())


def test_a_meta_is_cut_off_wherever_it_ends_inside_an_element() -> None:
    encoded = encode_file_meta(METAS[1])
    refused = 0
    for cut in range(132, len(encoded)):
        try:
            _, offset = read_file_meta(encoded[:cut])
        except (TruncatedDataSet, MalformedDataSet):
            refused += 1
        else:
            assert offset >= cut - 1  # a single byte does not show its group
    assert refused > len(encoded) - 132 - 10


def test_a_meta_without_end_meets_the_limit() -> None:
    with pytest.raises(LimitExceeded):
        read_file_meta(file_with(TRANSFER_SYNTAX * 1000))


@pytest.mark.parametrize(
    ("implicit", "big", "syntax"),
    [
        (False, False, EXPLICIT),
        (True, False, "1.2.840.10008.1.2"),
        (False, True, "1.2.840.10008.1.2.2"),
    ],
)
def test_a_bare_data_set_tells_its_form_and_identity(
    implicit: bool, big: bool, syntax: str
) -> None:
    meta, offset = locate_dataset(small_data_set(implicit=implicit, big=big))
    assert (meta.sop_class_uid, meta.sop_instance_uid) == (CT, "1.2.3.4")
    assert (meta.transfer_syntax_uid, offset) == (syntax, 0)


def test_the_beginning_of_a_bare_data_set_is_enough() -> None:
    assert locate_dataset(small_data_set()[:100])[0].sop_instance_uid == "1.2.3.4"


def test_a_meta_without_a_preamble_is_read() -> None:
    encoded = encode_file_meta(METAS[0])[132:]
    assert locate_dataset(encoded + small_data_set()) == (METAS[0], len(encoded))


def test_a_missing_identity_is_read_from_the_data_set() -> None:
    meta, offset = locate_dataset(file_with(TRANSFER_SYNTAX) + small_data_set())
    assert (meta.sop_class_uid, meta.sop_instance_uid) == (CT, "1.2.3.4")
    assert offset == 132 + len(TRANSFER_SYNTAX)


def test_a_missing_identity_is_read_from_a_deflated_data_set() -> None:
    head = file_with(meta_element(0x10, "UI", DEFLATED.encode()))
    meta, _ = locate_dataset(head + zlib.compress(small_data_set())[2:-4])
    assert meta.sop_instance_uid == "1.2.3.4"


def test_a_deflated_stream_is_not_taken_for_a_command_set() -> None:
    data = small_data_set()[:256].ljust(256, b"\0")
    stored_block = b"\x00\x00\x01\xff\xfe" + data  # begins like a tag of group 0000
    head = file_with(meta_element(0x10, "UI", DEFLATED.encode()))
    meta, offset = locate_dataset(head + stored_block)
    assert (meta.sop_instance_uid, offset) == ("1.2.3.4", len(head))


def test_a_command_set_before_the_data_set_is_passed_over() -> None:
    command = element(0x00000000, "", bytes(4), implicit=True)
    command += element(0x00000100, "", b"\x01\0", implicit=True)
    head = encode_file_meta(METAS[0]) + command
    assert locate_dataset(head + small_data_set())[1] == len(head)


@pytest.mark.parametrize("data", [b"", b"\0" * 500, b"plain text, " * 50, bytes(range(256)) * 4])
def test_other_files_are_not_mistaken_for_dicom(data: bytes) -> None:
    with pytest.raises(NotPart10):
        locate_dataset(data)


@pytest.mark.parametrize(
    ("name", "syntax"),
    [
        ("ExplVR_BigEndNoMeta.dcm", "1.2.840.10008.1.2.2"),
        ("ExplVR_LitEndNoMeta.dcm", EXPLICIT),
        ("image_dfl.dcm", DEFLATED),
        ("rtplan.dcm", "1.2.840.10008.1.2"),
    ],
)
def test_real_files_without_meta_are_located(name: str, syntax: str) -> None:
    assert locate_dataset(bundled_file(name))[0].transfer_syntax_uid == syntax


def test_a_real_file_that_starts_with_a_stray_byte_is_refused() -> None:
    with pytest.raises(EncodingError):
        locate_dataset(bundled_file("no_meta.dcm"))
