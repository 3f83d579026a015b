"""What is in quarantine of a study, series or instance that is deleted: it goes the same way."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from isocenter.archive.archive import Archive
from isocenter.archive.deletion.selection import Target
from isocenter.archive.deletion.trash import Trash
from isocenter.archive.identity import SERIES_INSTANCE_UID, STUDY_INSTANCE_UID
from isocenter.archive.index import QuarantineEntry
from isocenter.archive.packs import sync_folder
from isocenter.archive.quarantine import Quarantine
from isocenter.archive.records import Record, read_entry
from isocenter.archive.tar import RecordHeader
from isocenter.encoding.errors import EncodingError

INDEX_SECONDS = 60.0


def quarantined(
    quarantine: Quarantine, target: Target, uids: Collection[str]
) -> Iterator[QuarantineEntry]:
    """What a deletion takes out of quarantine.

    That is what names the target in its own data set, and what came under one of `uids`, the SOP
    Instance UIDs of the deleted instances: by the standard it is the same object. Raises OSError.
    """
    wanted = frozenset(target.uids)
    for entry in quarantine.entries():
        if entry.sop_instance_uid in uids or _names(quarantine.root / entry.path, target, wanted):
            yield entry


def move_to_trash(archive: Archive, trash: Trash, target: Target, uids: Collection[str]) -> int:
    """Take objects out of quarantine; return how many of this deletion are out. Raises OSError."""
    for entry in list(quarantined(archive.quarantine, target, uids)):
        _move(archive.quarantine.root / entry.path, trash.quarantine / entry.path)
    moved = [entry.path for entry in _moved(trash)]
    if moved:
        archive.index.forget_quarantined(moved, INDEX_SECONDS)
    return len(moved)


def move_back(archive: Archive, trash: Trash) -> None:
    """Put objects back into quarantine. Raises OSError."""
    for entry in _moved(trash):
        _move(trash.quarantine / entry.path, archive.quarantine.root / entry.path)
        if not archive.index.is_quarantined(entry.sop_instance_uid, entry.digest):
            archive.index.record_quarantine(entry, INDEX_SECONDS)


def _moved(trash: Trash) -> list[QuarantineEntry]:
    if not trash.quarantine.is_dir():
        return []
    return list(Quarantine(trash.quarantine).entries())


def _names(path: Path, target: Target, wanted: frozenset[str]) -> bool:
    """Whether an object's own data set says that it belongs to the target."""
    if target.level == "IMAGE":
        return False  # its SOP Instance UID has been compared
    tag = STUDY_INSTANCE_UID if target.level == "STUDY" else SERIES_INSTANCE_UID
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            header = read_entry(
                file.fileno(), path.name, Record(0, RecordHeader("", size, 0, 0))
            ).header
    except (EncodingError, ValueError):  # nobody can say whose it is
        return False
    return header.get(tag, b"").decode("latin-1").strip(" \0") in wanted


def _move(source: Path, target: Path) -> None:
    """Move an object and its note, the object last: a note alone means nothing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for suffix in (".json", ".dcm"):
        source.with_suffix(suffix).rename(target.with_suffix(suffix))
    sync_folder(target.parent)
    sync_folder(source.parent)
