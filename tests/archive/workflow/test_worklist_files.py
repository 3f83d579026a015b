"""Worklist items from files."""

import json
import zlib
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from isocenter.archive.workflow import worklist_files as module
from isocenter.archive.workflow.worklist_files import (
    read_data_sets,
    read_worklist_file,
    worklist_files,
)
from isocenter.archive.workflow.worklist_item import InvalidWorklistItem, complete_items
from isocenter.encoding.dicom_json import to_json
from isocenter.encoding.errors import EncodingError
from tests.archive.workflow.items import item


def as_pydicom() -> Dataset:
    data_set = Dataset.from_json(to_json(item(PatientName="Müller^Jürgen")))
    data_set.SpecificCharacterSet = "ISO_IR 100"
    return data_set


def written(syntax: str, *, bare: bool = False) -> bytes:
    """The item as pydicom writes it, with File Meta Information or without."""
    data_set = as_pydicom()
    buffer = BytesIO()
    if bare:
        little = syntax != ExplicitVRBigEndian
        pydicom.filewriter.dcmwrite(
            buffer,
            data_set,
            implicit_vr=syntax == ImplicitVRLittleEndian,
            little_endian=little,
            enforce_file_format=False,
        )
        return buffer.getvalue()
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = syntax
    data_set.file_meta.MediaStorageSOPClassUID = "1.2.276.0.7230010.3.1.0.1"
    data_set.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    pydicom.dcmwrite(buffer, data_set, enforce_file_format=True)
    return buffer.getvalue()


SYNTAXES = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_file_with_meta_header_is_read_in_any_transfer_syntax(syntax: str):
    (data_set,) = read_data_sets(written(syntax))
    (found,) = complete_items(data_set)
    assert found.patient_name == "Müller^Jürgen"
    assert found.scheduled_station_ae_title == "CT1"


@pytest.mark.parametrize("syntax", SYNTAXES[:2])
def test_a_bare_data_set_is_read(syntax: str):
    (data_set,) = read_data_sets(written(syntax, bare=True))
    assert complete_items(data_set)[0].patient_name == "Müller^Jürgen"


def test_json_holds_one_item_or_many():
    one = to_json(item(PatientName="Müller^Jürgen"))
    two = [one, to_json(item())]
    assert len(read_data_sets(json.dumps(one).encode())) == 1
    first, second = read_data_sets(json.dumps(two).encode())
    assert complete_items(first)[0].patient_name == "Müller^Jürgen"
    assert complete_items(second)[0].patient_name == "DOE^JANE"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"notes",
        b"{",
        b"[1]",
        b'{"00100010": 1}',
        b"\0" * 128 + b"DICM",
        written(ExplicitVRLittleEndian)[:-3],
        written(ExplicitVRLittleEndian, bare=True)[:-3],
    ],
)
def test_other_content_is_refused_in_one_sentence(content: bytes):
    with pytest.raises(EncodingError):
        read_data_sets(content)


def test_compressed_images_are_not_taken_for_items():
    content = written(ExplicitVRLittleEndian).replace(
        str(ExplicitVRLittleEndian).encode() + b"\0", str(JPEG2000).encode()[:20]
    )
    with pytest.raises(EncodingError):
        read_data_sets(content)


def test_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "LARGEST_FILE", 100)
    monkeypatch.setattr(module, "MOST_DATA_SETS", 2)
    path = tmp_path / "big.json"
    path.write_bytes(b"[" + b" " * 100)
    with pytest.raises(EncodingError, match="larger"):
        read_worklist_file(path)
    with pytest.raises(EncodingError, match="more than 2"):
        read_data_sets(b"[{},{},{}]")


def test_a_deflate_bomb_is_refused():
    plain = written(DeflatedExplicitVRLittleEndian)
    start = plain.index(b"DICM")
    length = int.from_bytes(plain[start + 12 : start + 16], "little")
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    stream = bomb.compress(bytes(200 * 2**20)) + bomb.flush()
    with pytest.raises(EncodingError):
        read_data_sets(plain[: start + 16 + length] + stream)


def test_folders_are_searched_for_worklist_files(tmp_path: Path):
    for name in ("b.wl", "a.json", "deep/c.dcm", "lockfile", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = worklist_files([tmp_path, tmp_path / "notes.txt"])
    names = [path.relative_to(tmp_path).as_posix() for path in found]
    assert names == ["a.json", "b.wl", "deep/c.dcm", "notes.txt"]


_WRITTEN = written(ExplicitVRLittleEndian, bare=True)


@given(st.integers(0, len(_WRITTEN) - 1), st.binary(min_size=1, max_size=4))
def test_a_damaged_file_is_an_item_or_a_refusal(position: int, damage: bytes):
    damaged = _WRITTEN[:position] + damage + _WRITTEN[position + len(damage) :]
    try:
        for data_set in read_data_sets(damaged):
            for found in complete_items(data_set):
                to_json(found.data_set)
    except (EncodingError, InvalidWorklistItem):
        pass
