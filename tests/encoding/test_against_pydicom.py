"""The scanner and the decoder held beside pydicom on every file that comes with pydicom."""

import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileDataset
from pydicom.filereader import data_element_generator

from bench.scanner import WANTED
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, transfer_syntax
from isocenter.encoding.deflate import check_inflated_size, inflate_header
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.limits import ScanLimits
from isocenter.encoding.part10 import locate_dataset
from isocenter.encoding.scanner import Scan, scan
from tests.encoding.synthetic import bundled_files

LIMITS = ScanLimits(max_value_length=1 << 24)

# What pydicom reads (some of it as a data set without elements) and Isocenter refuses.
REFUSED = {
    "FileInfo.txt": "text",
    "README": "text",
    "README.txt": "text",
    "crayons.icc": "a colour profile",
    "rtplan.dump": "text",
    "rtstruct.dump": "text",
    "test1.json": "text",
    "test_PN.json": "text",
    "zipMR.gz": "compressed",
    "no_meta.dcm": "a stray byte stands before its data set; pydicom finds one odd element",
    "MR_truncated.dcm": "cut off inside its pixel data",
    "rtplan_truncated.dcm": "cut off inside a sequence",
    "empty_charset_LEI.dcm": "names no SOP class and instance",
    "meta_missing_tsyntax.dcm": "names no SOP class and instance",
    "nested_priv_SQ.dcm": "names no SOP class and instance",
}


def read_by_pydicom(file: bytes) -> FileDataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dcmread(BytesIO(file), force=True)


def raw_values(data: bytes, implicit: bool, little: bool) -> dict[int, bytes]:
    """The raw values of the wanted tags by pydicom's own generator."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: Iterator[object] = iter(
            list(data_element_generator(BytesIO(data), implicit, little))
        )
    return {
        int(element.tag): bytes(element.value or b"")
        for element in found
        if isinstance(element, RawDataElement) and element.tag in WANTED
    }


def read_by_scanner(file: bytes) -> tuple[Scan, bytes]:
    """The scan, and the data set (inflated) that it is of."""
    meta, offset = locate_dataset(file)
    syntax, data = transfer_syntax(meta.transfer_syntax_uid), file[offset:]
    if syntax.deflated:
        syntax, data = EXPLICIT_VR_LITTLE_ENDIAN, inflate_header(file, start=offset)
        assert check_inflated_size(file, start=offset) == len(data)
    return scan(data, syntax, WANTED, limits=LIMITS), data


@pytest.mark.parametrize("path", bundled_files(), ids=lambda path: path.name)
def test_values_are_those_of_pydicom_byte_for_byte(path: Path) -> None:
    file = path.read_bytes()
    if path.name in REFUSED:
        with pytest.raises(EncodingError):
            read_by_scanner(file)
        return
    ours, data = read_by_scanner(file)
    by_pydicom = read_by_pydicom(file)
    assert set(ours.values) == {tag for tag in WANTED if tag in by_pydicom}
    assert ours.values == raw_values(data, ours.syntax.implicit_vr, ours.syntax.little_endian)
    assert ours.position == len(data)


def test_most_files_are_read_and_only_known_ones_are_refused() -> None:
    names = [path.name for path in bundled_files()]
    refused = [name for name in names if name in REFUSED]
    assert len(names) - len(refused) > 150
    assert set(refused) == set(REFUSED)


@pytest.mark.parametrize("path", bundled_files(), ids=lambda path: path.name)
def test_file_meta_is_that_of_pydicom(path: Path) -> None:
    file = path.read_bytes()
    try:
        meta, _ = locate_dataset(file)
    except EncodingError:
        return
    theirs = read_by_pydicom(file)
    expected = {
        "sop_class_uid": theirs.file_meta.get("MediaStorageSOPClassUID") or theirs.SOPClassUID,
        "sop_instance_uid": theirs.file_meta.get("MediaStorageSOPInstanceUID")
        or theirs.SOPInstanceUID,
        "source_ae": theirs.file_meta.get("SourceApplicationEntityTitle", ""),
        "implementation_class_uid": theirs.file_meta.get("ImplementationClassUID", ""),
        "implementation_version_name": theirs.file_meta.get("ImplementationVersionName", ""),
    }
    assert {name: getattr(meta, name) for name in expected} == expected
    if "TransferSyntaxUID" in theirs.file_meta:
        assert meta.transfer_syntax_uid == theirs.file_meta.TransferSyntaxUID
