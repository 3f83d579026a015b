"""Files on a disk, looked at before they are sent or imported: each is taken or refused."""

import atexit
import tempfile
from pathlib import Path

from fuzz.target import Target, Unacceptable
from fuzz.targets import part10
from isocenter.encoding.files import RefusedFile, StorableFile, inspect_file, read_data_set

_folder = tempfile.TemporaryDirectory(
    prefix="isocenter-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None
)
atexit.register(_folder.cleanup)
_PATH = Path(_folder.name, "file.dcm")
_LONGEST_REASON = 300  # characters


def one_input(data: bytes) -> None:
    _PATH.write_bytes(data)
    found = inspect_file(_PATH)
    if isinstance(found, StorableFile):
        assert read_data_set(found) == data[found.dataset_offset :]
        return
    assert isinstance(found, RefusedFile)
    if len(found.reason) > _LONGEST_REASON or not found.reason.isprintable():
        raise Unacceptable("the reason of a refusal is long, or holds control characters")


TARGET = Target("files to `inspect_file`", one_input, part10.seeds, part10.WORDS)
