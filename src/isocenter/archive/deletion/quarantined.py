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
        if entry.sop_instance_uid in uids:
            yield entry
        elif target.level == "IMAGE":
            if entry.sop_instance_uid in wanted:
                yield entry
        elif _names(quarantine.root / entry.path, target, wanted):
            yield entry


def move_to_trash(archive: Archive, trash: Trash, target: Target, uids: Collection[str]) -> int:
    """Take objects out of quarantine; return how many of this deletion are out. Raises OSError."""
    for entry in list(quarantined(archive.quarantine, target, uids)):
        _move(archive.quarantine.root / entry.path, trash.quarantine / entry.path)
    moved = [entry.path for entry in _moved(trash)]
    for path in moved:
        _drop_note(archive.quarantine.root / path)
    if moved:
        archive.index.forget_quarantined(moved, INDEX_SECONDS)
    return len(moved)


def move_back(archive: Archive, trash: Trash) -> None:
    """Put objects back into quarantine. Raises OSError."""
    notes = trash.quarantine.glob("*/*.json")
    paths = [note.relative_to(trash.quarantine).with_suffix(".dcm").as_posix() for note in notes]
    for path in paths:
        _move(trash.quarantine / path, archive.quarantine.root / path)
    for entry in archive.quarantine.entries():
        if entry.path in paths and not archive.index.is_quarantined(
            entry.sop_instance_uid, entry.digest
        ):
            archive.index.record_quarantine(entry, INDEX_SECONDS)
    for path in paths:
        _drop_note(trash.quarantine / path)


def _moved(trash: Trash) -> list[QuarantineEntry]:
    if not trash.quarantine.is_dir():
        return []
    return list(Quarantine(trash.quarantine).entries())


def _names(path: Path, target: Target, wanted: frozenset[str]) -> bool:
    """Whether an object's own data set says that it belongs to the target."""
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
    """Move an object; its note is in both places before, and until `_drop_note`.

    A kill leaves one place with both of them, and a note alone means nothing.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.exists():
        new_note = target.with_suffix(".json")
        if not new_note.exists():
            new_note.hardlink_to(source.with_suffix(".json"))
        sync_folder(target.parent)
        source.rename(target)
        sync_folder(target.parent)
        sync_folder(source.parent)


def _drop_note(source: Path) -> None:
    """Take away the second name of a note whose object has moved."""
    source.with_suffix(".json").unlink(missing_ok=True)
    sync_folder(source.parent)
