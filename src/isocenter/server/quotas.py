"""How many objects and bytes a peer may store in a minute.

A bucket for each peer fills steadily and holds a minute's worth. Bytes are known only when an
object has come, so the last one may overdraw; the peer then waits the longer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

MINUTE = 60.0
REMEMBERED = 4096
"""Peers whose buckets are kept; of more, the one that stored longest ago begins with a full one."""


class Bucket:
    """A peer's allowance of one kind; `per_minute` 0 is no limit."""

    __slots__ = ("_filled_at", "_level", "per_minute")

    def __init__(self, per_minute: int, now: float) -> None:
        self.per_minute = per_minute
        self._level = float(per_minute)
        self._filled_at = now

    def is_empty(self, now: float) -> bool:
        """Whether nothing is left at the moment `now`, in seconds."""
        if not self.per_minute:
            return False
        gained = (now - self._filled_at) * self.per_minute / MINUTE
        self._level = min(float(self.per_minute), self._level + gained)
        self._filled_at = now
        return self._level < 1

    def take(self, amount: int) -> None:
        """Use up some of it, also more than there is."""
        self._level -= amount


class Allowance:
    """What one peer may store."""

    __slots__ = ("_clock", "bytes", "objects")

    def __init__(
        self, objects_per_minute: int, bytes_per_minute: int, clock: Callable[[], float]
    ) -> None:
        now = clock()
        self._clock = clock
        self.objects = Bucket(objects_per_minute, now)
        self.bytes = Bucket(bytes_per_minute, now)

    def begin_object(self) -> bool:
        """Whether another object may come now; it is counted if so."""
        now = self._clock()
        if self.objects.is_empty(now) or self.bytes.is_empty(now):
            return False
        self.objects.take(1)
        return True

    def took(self, size: int) -> None:
        """An object of `size` bytes has come."""
        self.bytes.take(size)


class Quotas:
    """The allowances of all peers of a process, by AE title where it is known, else by host."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._allowances: OrderedDict[str, Allowance] = OrderedDict()

    def of(self, who: str, objects_per_minute: int, bytes_per_minute: int) -> Allowance | None:
        """The allowance of a peer; None where it has no limit. A changed limit begins anew."""
        if not (objects_per_minute or bytes_per_minute):
            return None
        known = self._allowances.get(who)
        if known is None or (known.objects.per_minute, known.bytes.per_minute) != (
            objects_per_minute,
            bytes_per_minute,
        ):
            known = self._allowances[who] = Allowance(
                objects_per_minute, bytes_per_minute, self._clock
            )
        self._allowances.move_to_end(who)
        while len(self._allowances) > REMEMBERED:
            self._allowances.popitem(last=False)
        return known
