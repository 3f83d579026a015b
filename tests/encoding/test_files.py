"""Which files can be sent, and why the others cannot."""

import os
import shutil
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError

from isocenter.encoding.files import RefusedFile, StorableFile, collect_files, inspect_file
from isocenter.encoding.part10 import FileMeta, encode_file_meta
from tests.services.scu.instances import CT, EXPLICIT, data_set_bytes, write_instance

PYDICOM_FILES = Path(pydicom.__file__).parent / "data" / "test_files"


def refusal(path: Path) -> str:
    result = inspect_file(path)
    assert isinstance(result, RefusedFile)
    assert result.path == path
    return result.reason


def names(*arguments: object, **options: object) -> list[str]:
    return [item.path.name for item in collect_files(*arguments, **options)]  # type: ignore[arg-type]


def test_a_file_is_known_by_its_file_meta(tmp_path: Path) -> None:
    file = write_instance(tmp_path / "a", 7, pixels=100)
    assert (file.sop_class_uid, file.sop_instance_uid) == (CT, "1.2.3.7")
    assert file.transfer_syntax_uid == EXPLICIT
    assert file.size == file.path.stat().st_size
    assert file.dataset_length == len(data_set_bytes(file))
    assert data_set_bytes(file).startswith(b"\x08\x00\x16\x00UI")


def test_a_file_without_preamble_and_meta_is_known_by_its_data_set(tmp_path: Path) -> None:
    file = write_instance(tmp_path / "a", 7)
    bare = tmp_path / "bare"
    bare.write_bytes(data_set_bytes(file))
    found = inspect_file(bare)
    assert isinstance(found, StorableFile)
    assert found.dataset_offset == 0
    assert found[1:4] == file[1:4]


def test_private_file_meta_of_any_size_does_not_hide_the_data_set(tmp_path: Path) -> None:
    file = write_instance(tmp_path / "a", 7)
    private = b"\x02\x00\x02\x01OB\x00\x00" + (100_000).to_bytes(4, "little") + bytes(100_000)
    content = file.path.read_bytes()
    offset = file.dataset_offset
    file.path.write_bytes(content[:offset] + private + content[offset:])
    found = inspect_file(file.path)
    assert isinstance(found, StorableFile)
    assert found.dataset_offset == offset + len(private)


@pytest.mark.parametrize("content", [b"", b"hello", bytes(200), os.urandom(40_000)])
def test_what_is_not_dicom_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    assert refusal(path) in ("not a DICOM file", "damaged DICOM file")


@pytest.mark.parametrize(
    ("sop_class", "instance", "data_set", "reason"),
    [
        ("1.2.840.10008.1.1", "1.2.3", b"\x08\x00", "not a storage SOP class: Verification"),
        (CT, "1.2.3/../x", b"\x08\x00", "no valid SOP Instance UID"),
        ("not.a.uid", "1.2.3", b"\x08\x00", "no valid SOP Class UID"),
        (CT, "1.2.3", b"", "no data set"),
        ("1.2.840.10008.1.3.10", "1.2.3", b"\x08\x00", "a DICOMDIR"),
    ],
)
def test_an_object_that_c_store_cannot_carry_is_refused(
    tmp_path: Path, sop_class: str, instance: str, data_set: bytes, reason: str
) -> None:
    path = tmp_path / "x"
    path.write_bytes(encode_file_meta(FileMeta(sop_class, instance, EXPLICIT)) + data_set)
    assert reason in refusal(path)


def test_a_cut_file_meta_is_refused(tmp_path: Path) -> None:
    file = write_instance(tmp_path / "a", 7)
    file.path.write_bytes(file.path.read_bytes()[:150])
    assert "damaged DICOM file" in refusal(file.path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere") == "no such file or directory"


def test_a_fifo_is_refused_without_waiting_for_its_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert refusal(tmp_path / "fifo") == "not a regular file"


def test_directories_are_searched_in_a_stable_order(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        write_instance(tmp_path / name, 1)
    (tmp_path / "deeper").mkdir()
    write_instance(tmp_path / "deeper" / "d", 1)
    assert names([tmp_path]) == ["a", "b", "c", "d"]
    assert names([tmp_path], recurse=False) == ["a", "b", "c"]


def test_a_pattern_selects_in_directories_but_not_among_named_files(tmp_path: Path) -> None:
    for name in ("a.dcm", "b.txt"):
        write_instance(tmp_path / name, 1)
    assert names([tmp_path], pattern="*.dcm") == ["a.dcm"]
    assert names([str(tmp_path / "b.txt")], pattern="*.dcm") == ["b.txt"]


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    write_instance(tmp_path / "a", 1)
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert names([tmp_path]) == ["a"]


def as_text(data_set: Dataset, keyword: str) -> str:
    """A UID, also from a file that says its VR is UN; the meta information's if there is none."""
    if keyword not in data_set:
        return str(data_set.file_meta[f"MediaStorage{keyword}"].value)
    value = data_set[keyword].value
    return value.decode().rstrip("\0") if isinstance(value, bytes) else str(value)


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_pydicoms_own_files_are_seen_as_pydicom_sees_them(tmp_path: Path) -> None:
    checked = 0
    for item in collect_files([PYDICOM_FILES]):
        if isinstance(item, RefusedFile):
            continue
        try:
            seen = dcmread(item.path, specific_tags=["SOPClassUID", "SOPInstanceUID"])
        except InvalidDicomError:  # without preamble: for pydicom a matter of `force`
            continue
        meta = seen.file_meta
        # Some of these files say one thing in the meta information and another in the data set.
        assert item.sop_class_uid == as_text(seen, "SOPClassUID")
        assert item.sop_instance_uid == as_text(seen, "SOPInstanceUID")
        assert item.transfer_syntax_uid == meta.get("TransferSyntaxUID", item.transfer_syntax_uid)
        checked += 1
    assert checked > 100


def test_a_directory_that_vanishes_while_it_is_searched_is_harmless(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_instance(tmp_path / name / f"{name}.dcm", 1)
    found = collect_files([tmp_path])
    assert next(found).path.name == "a.dcm"
    shutil.rmtree(tmp_path / "b")
    assert [type(item) for item in found] == [RefusedFile]
