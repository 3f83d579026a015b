"""Records that are deleted and yet still in a pack: no reader of packs may bring them back."""

from functools import cached_property
from pathlib import Path

from isocenter.archive.deletion.trash import DeletedRecord, Trash
from isocenter.archive.index.interface import WritableIndex
from isocenter.archive.index.removal import RecordPlace
from isocenter.archive.layout import TRASH

AT_ONCE = 2000
"""Records removed from the index in one transaction."""


class PendingRemovals:
    """The records of all deletions that are not taken out of the packs; read when first asked for.

    A pair of a pack's path and an offset in it says whether it is one of them.
    """

    def __init__(self, archive: Path, *, but: str = "") -> None:
        self._archive = archive
        self._but = but

    def __contains__(self, place: tuple[str, int]) -> bool:
        return place in self._places

    def apply(self, index: WritableIndex, timeout: float) -> None:
        """Take them out of the index, where a crash has kept that from being done."""
        remove_from_index(index, self._records, timeout)

    @cached_property
    def _records(self) -> list[DeletedRecord]:
        folder = self._archive / TRASH
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        trashes = [Trash(self._archive, name) for name in sorted(names) if name != self._but]
        return [one for trash in trashes if not trash.is_taken_out for one in trash.records()]

    @cached_property
    def _places(self) -> frozenset[tuple[str, int]]:
        return frozenset((record.pack, record.offset) for record in self._records)


def remove_from_index(index: WritableIndex, records: list[DeletedRecord], timeout: float) -> None:
    """Take records out of the index, durably, and nothing that was stored anew under their UIDs."""
    for start in range(0, len(records), AT_ONCE):
        some = records[start : start + AT_ONCE]
        places = [RecordPlace(one.sop_instance_uid, one.pack, one.offset) for one in some]
        index.delete_records(places, timeout)
