"""One deletion's folder in `trash/`: which records it is about, and their bytes once taken out."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from isocenter.archive.layout import QUARANTINE, TRASH
from isocenter.archive.packs import sync_folder

_NOTES = "records-*.jsonl"
_TAKEN_OUT = "taken-out"


class DeletedRecord(NamedTuple):
    """An instance and where it lay; the fields mean what they mean in `IndexEntry`."""

    sop_instance_uid: str
    pack: str
    offset: int
    length: int
    digest: int
    series_instance_uid: str
    study_instance_uid: str


class Trash:
    """The folder of one deletion; made with its first note."""

    def __init__(self, archive: Path, name: str) -> None:
        self.path = archive / TRASH / name
        self.quarantine = self.path / QUARANTINE

    def records(self) -> list[DeletedRecord]:
        """Everything that was noted. Raises OSError."""
        return list(self._read())

    def note(self, records: Iterable[DeletedRecord]) -> None:
        """Note further records, durably: from now on they are deleted. Raises OSError."""
        top = self.path.parent
        for folder in (top, self.path):
            folder.mkdir(exist_ok=True)
            sync_folder(folder.parent)
        count = len(list(self.path.glob(_NOTES)))
        target = self.path / f"records-{count:03}.jsonl"
        draft = target.with_suffix(".part")
        with draft.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(record) + "\n" for record in records)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(target)
        sync_folder(self.path)

    def drop_notes(self) -> None:
        """Have the notes never read again: one that is half overwritten cannot be."""
        for note in self.path.glob(_NOTES):
            note.rename(note.with_suffix(".dropped"))

    def keep_patients(self, patients: Mapping[str, str]) -> None:
        """Keep whose studies they are, for the audit trail, until the folder is erased."""
        known = self.patients() | dict(patients)
        with (self.path / "patients.json").open("w", encoding="utf-8") as file:
            json.dump(known, file)

    def patients(self) -> dict[str, str]:
        """Patient IDs by Study Instance UID, as far as they are known."""
        try:
            kept: dict[str, str] = json.loads((self.path / "patients.json").read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return kept

    @property
    def is_taken_out(self) -> bool:
        """Whether no pack holds any of the records any more."""
        return (self.path / _TAKEN_OUT).exists()

    def note_taken_out(self) -> None:
        """Note durably that no pack holds any of the records any more. Raises OSError."""
        (self.path / _TAKEN_OUT).touch()
        sync_folder(self.path)

    def pack(self, pack: str) -> Path:
        """Where the records of a pack lie once they are taken out of it."""
        return self.path / pack.rpartition("/")[2]

    def files(self) -> list[Path]:
        """Every file in the folder, the notes last: until they go, everything else is known."""
        found = [path for path in self.path.rglob("*") if path.is_file()]
        return sorted(found, key=lambda path: (path.parent == self.path, path.name))

    def _read(self) -> Iterator[DeletedRecord]:
        for note in sorted(self.path.glob(_NOTES)):
            with note.open(encoding="utf-8") as file:
                for line in file:
                    yield DeletedRecord(*json.loads(line))
