"""A bounded memory of ids that were used lately."""

from typing import Generic, TypeVar

Key = TypeVar("Key")


class RecentIds(Generic[Key]):
    """Maps keys to ids and forgets those not asked for among the last `size` or more.

    Two generations instead of a linked list: a hit in the young one, the usual case, costs one
    dictionary look-up and reorders nothing.
    """

    __slots__ = ("_old", "_size", "_young")

    def __init__(self, size: int) -> None:
        self._size = size
        self._young: dict[Key, int] = {}
        self._old: dict[Key, int] = {}

    def get(self, key: Key) -> int | None:
        """Return the id of `key`, None when it is not remembered."""
        found = self._young.get(key)
        if found is None and (found := self._old.get(key)) is not None:
            self.put(key, found)
        return found

    def put(self, key: Key, value: int) -> None:
        """Remember that `key` has the id `value`."""
        if len(self._young) >= self._size:
            self._old, self._young = self._young, {}
        self._young[key] = value

    def clear(self) -> None:
        """Forget everything."""
        self._young = {}
        self._old = {}
