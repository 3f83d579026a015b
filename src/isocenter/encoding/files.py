"""Which files can be sent: paths to instances, by their File Meta Information alone (PS3.10 7.1).

To look at a file, only its first kilobytes are read. What cannot be sent is reported beside the
rest, with the reason in one clause.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fnmatch import fnmatch
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import NamedTuple

from isocenter.dictionary.sop_classes import is_other_service
from isocenter.dictionary.transfer_syntaxes import transfer_syntax
from isocenter.dictionary.uids import is_valid_uid, uid_name
from isocenter.encoding.deflate import inflate_header
from isocenter.encoding.errors import EncodingError, NotPart10
from isocenter.encoding.limits import ScanLimits
from isocenter.encoding.part10 import FileMeta, locate_dataset
from isocenter.encoding.scanner import scan

_HEAD_LENGTH = 16 * 1024
_DEFLATED_HEAD = ScanLimits(max_inflated_header=64 * 1024)
_SOP_CLASS_UID, _SOP_INSTANCE_UID = 0x00080016, 0x00080018
_SOP_UIDS = frozenset({_SOP_CLASS_UID, _SOP_INSTANCE_UID})
# Below this, reading a file costs less than mapping it and taking its page faults.
_MAPPED_FROM = 1 << 20  # bytes

_DICOMDIR = "1.2.840.10008.1.3.10"  # Media Storage Directory Storage, PS3.3 F


class StorableFile(NamedTuple):
    """A DICOM file that holds a composite instance; offset and size of the file are in bytes."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    dataset_offset: int
    size: int
    source_ae: str = ""

    @property
    def dataset_length(self) -> int:
        """Bytes that C-STORE sends."""
        return self.size - self.dataset_offset


class RefusedFile(NamedTuple):
    """A path that cannot be sent, and why."""

    path: Path
    reason: str


def collect_files(
    paths: Iterable[Path | str], *, recurse: bool = True, pattern: str | None = None
) -> Iterator[StorableFile | RefusedFile]:
    """Look at files, and at the files in directories, in a stable order.

    `recurse` descends into subdirectories; symbolic links to directories are not followed.
    `pattern` (as in fnmatch, say "*.dcm") selects by name inside directories; a file that is named
    itself is always looked at. Never raises for what it finds.
    """
    for path in map(Path, paths):
        if path.is_dir():
            yield from _collect_directory(path, recurse, pattern)
        else:
            yield inspect_file(path)


def _collect_directory(
    directory: Path, recurse: bool, pattern: str | None
) -> Iterator[StorableFile | RefusedFile]:
    unreadable: list[OSError] = []
    for folder, subfolders, names in os.walk(directory, onerror=unreadable.append):
        subfolders[:] = sorted(subfolders) if recurse else []
        for name in sorted(names):
            if pattern is None or fnmatch(name, pattern):
                yield inspect_file(Path(folder, name))
    for error in unreadable:
        yield RefusedFile(Path(error.filename), _system_reason(error))


def inspect_file(path: Path) -> StorableFile | RefusedFile:
    """Read the beginning of one file."""
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):  # opening a FIFO would wait for its writer
            return RefusedFile(path, "not a regular file")
        meta, offset = _locate(path, facts.st_size)
    except OSError as error:
        return RefusedFile(path, _system_reason(error))
    except NotPart10:
        return RefusedFile(path, "not a DICOM file")
    except EncodingError as error:
        return RefusedFile(path, f"damaged DICOM file: {error}")
    reason = _unsendable(meta, facts.st_size - offset)
    if reason is not None:
        return RefusedFile(path, reason)
    return StorableFile(
        path,
        meta.sop_class_uid,
        meta.sop_instance_uid,
        meta.transfer_syntax_uid,
        offset,
        facts.st_size,
        meta.source_ae,
    )


def read_data_set(file: StorableFile) -> bytes | memoryview:
    """The bytes that C-STORE sends; of large files, a view of the file mapped into memory.

    Raises OSError where the file is gone or is not the one that was inspected.
    """
    descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if os.fstat(descriptor).st_size != file.size:
            raise OSError("the file has changed since it was looked at")
        if file.size < _MAPPED_FROM:
            return os.pread(descriptor, file.dataset_length, file.dataset_offset)
        # The mapping ends with its last view: closing it earlier would pull the bytes away.
        return memoryview(mmap(descriptor, 0, access=ACCESS_READ))[file.dataset_offset :]
    finally:
        os.close(descriptor)


def _locate(path: Path, size: int) -> tuple[FileMeta, int]:
    with path.open("rb", buffering=0) as file:
        head = file.read(_HEAD_LENGTH)
        try:
            meta, offset = locate_dataset(head)
            return _named_by_data_set(meta, head[offset:]), offset
        except EncodingError:
            if size <= _HEAD_LENGTH:
                raise
        # Rarely, private file meta or a long first element hides what is looked for.
        with mmap(file.fileno(), 0, access=ACCESS_READ) as whole:
            return locate_dataset(whole)


def _named_by_data_set(meta: FileMeta, data_set: bytes) -> FileMeta:
    """`meta` with the SOP class and instance that the data set gives itself.

    The two should agree (PS3.10 7.1). Where tools have changed one and not the other, the data
    set is what will be stored and asked for.
    """
    syntax = transfer_syntax(meta.transfer_syntax_uid)
    try:
        if syntax.deflated:
            data_set = inflate_header(data_set, _DEFLATED_HEAD)
            syntax = syntax._replace(deflated=False)
        found = scan(data_set, syntax, _SOP_UIDS, final=False).values
    except EncodingError:  # whoever receives the object will say so
        return meta
    own = {tag: value.decode("latin-1").rstrip(" \0") for tag, value in found.items()}
    return replace(
        meta,
        sop_class_uid=own.get(_SOP_CLASS_UID) or meta.sop_class_uid,
        sop_instance_uid=own.get(_SOP_INSTANCE_UID) or meta.sop_instance_uid,
    )


def _unsendable(meta: FileMeta, dataset_length: int) -> str | None:
    """Why C-STORE cannot carry the object; None if it can."""
    if meta.sop_class_uid == _DICOMDIR:
        return "a DICOMDIR, which lives on media only"
    if is_other_service(meta.sop_class_uid):
        return f"not a storage SOP class: {uid_name(meta.sop_class_uid)}"
    for name, uid in (
        ("SOP Class UID", meta.sop_class_uid),
        ("SOP Instance UID", meta.sop_instance_uid),
        ("Transfer Syntax UID", meta.transfer_syntax_uid),
    ):
        if not is_valid_uid(uid):
            return f"no valid {name}"
    return None if dataset_length > 0 else "no data set behind the file meta"


def _system_reason(error: OSError) -> str:
    return (error.strerror or "unreadable").lower()
