"""pydicom's own test files, those that its package holds: real objects from many makers.

Some share a SOP Instance UID though they differ (one image in nine transfer syntaxes), so they
come in waves within which every UID is unique: one archive can take one wave.
"""

import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pydicom
from pydicom.filereader import _read_file_meta_info, read_preamble

_DATA = Path(pydicom.__file__).parent / "data"


@dataclass(frozen=True)
class StorableFile:
    """A file that holds one instance: it has a SOP class and a SOP instance UID of its own."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str

    @property
    def name(self) -> str:
        return self.path.relative_to(_DATA).as_posix()

    def data_set(self) -> bytes:
        """The bytes after the file meta information, where pydicom's reader locates them."""
        return data_set_of(self.path)


def data_set_of(path: Path) -> bytes:
    """The data set of a Part 10 file, or of a file without meta information, as it stands."""
    with path.open("rb") as file:
        read_preamble(file, force=True)
        _read_file_meta_info(file)
        return file.read()


def read_header(path: Path) -> pydicom.FileDataset:
    """The elements before the pixels, of any file at all; pydicom's doubts are kept quiet."""
    with warnings.catch_warnings(action="ignore"):
        return pydicom.dcmread(path, force=True, stop_before_pixels=True)


@cache
def storable_files() -> tuple[StorableFile, ...]:
    """Every file in pydicom's package that is a storable instance."""
    candidates = sorted(
        path
        for folder in ("test_files", "charset_files")
        for path in (_DATA / folder).rglob("*")
        if path.is_file() and path.suffix not in {".py", ".txt", ".json"}
    )
    return tuple(file for path in candidates if (file := _storable(path)))


def waves() -> list[list[StorableFile]]:
    """The storable files, parted so that a SOP Instance UID comes up once in each wave."""
    parted: list[dict[str, StorableFile]] = []
    for file in storable_files():
        for wave in parted:
            if file.sop_instance_uid not in wave:
                wave[file.sop_instance_uid] = file
                break
        else:
            parted.append({file.sop_instance_uid: file})
    return [list(wave.values()) for wave in parted]


def bundled(name: str) -> Path:
    """One of pydicom's test files by its name: `CT_small.dcm`."""
    return _DATA / "test_files" / name


def _storable(path: Path) -> StorableFile | None:
    dataset = read_header(path)
    sop_class, sop_instance = dataset.get("SOPClassUID"), dataset.get("SOPInstanceUID")
    if not sop_class or not sop_instance:
        return None
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
    return StorableFile(path, str(sop_class), str(sop_instance), syntax)
