"""Which SOP Instance UIDs are taken: being written, written but not yet in the index, indexed."""

from isocenter.archive.index.interface import ArchiveIndex
from isocenter.archive.receiving import Task


class Claims:
    """The ingest thread's view of what is known; `forget` may come from any thread."""

    def __init__(self, index: ArchiveIndex) -> None:
        self._index = index
        self._writing: dict[str, list[Task]] = {}
        self._stored: dict[str, int] = {}

    def is_known(self, sop_instance_uid: str) -> bool:
        """Whether something under this UID is stored or on its way."""
        return sop_instance_uid in self._writing or self.digest_of(sop_instance_uid) is not None

    def digest_of(self, sop_instance_uid: str) -> int | None:
        """Return the digest of what is stored under this UID."""
        # This order matters: an entry leaves `_stored` only after the index shows it.
        digest = self._stored.get(sop_instance_uid)
        if digest is not None:
            return digest
        location = self._index.locate(sop_instance_uid)
        return None if location is None else location.digest

    def begin(self, sop_instance_uid: str) -> None:
        """An instance is being written under this UID."""
        self._writing[sop_instance_uid] = []

    def wait_for(self, sop_instance_uid: str, task: Task) -> bool:
        """Keep `task` for when the writing under this UID has ended; False if none goes on."""
        if (tasks := self._writing.get(sop_instance_uid)) is None:
            return False
        tasks.append(task)
        return True

    def stored(self, sop_instance_uid: str, digest: int) -> list[Task]:
        """The writing ended well; return the tasks that waited for it."""
        self._stored[sop_instance_uid] = digest
        return self._writing.pop(sop_instance_uid, [])

    def abandoned(self, sop_instance_uid: str) -> list[Task]:
        """The writing ended with nothing; return the tasks that waited for it."""
        return self._writing.pop(sop_instance_uid, [])

    def forget(self, sop_instance_uid: str) -> None:
        """The index shows the instance now, or it was lost: ask the index from here on."""
        self._stored.pop(sop_instance_uid, None)
