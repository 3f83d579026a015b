"""What a retrieve still has to send, shared by the associations over which it goes.

Each association draws instances one at a time, so that a fast one sends more than a slow one. What
an association could not deliver goes back and is drawn again, after a pause, by whichever is next;
each instance a bounded number of times.
"""

from __future__ import annotations

import asyncio
import heapq
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import count, islice

from isocenter.dimse.status import is_out_of_resources
from isocenter.services.store_contexts import Instance
from isocenter.services.sub_operations import (
    REFUSED_TOGETHER,
    Reader,
    SubOperations,
)

WAITING = 256
"""Instances that may wait for another attempt; beyond that a failure is final."""

LONGEST_PAUSE = 30.0


class WorkList:
    """The instances of a retrieve that are not settled yet.

    Each is sent `attempts` times at most; `pause` in seconds is the time before the second attempt
    and doubles with each further one. Instances are drawn on any thread; all else is for the
    loop's.
    """

    def __init__(
        self,
        batches: Iterator[Sequence[Instance]],
        counts: SubOperations,
        *,
        attempts: int = 1,
        pause: float = 0.0,
    ) -> None:
        self.counts = counts
        self.lost = ""  # why nothing more can be sent
        self._batches = batches
        self._attempts = attempts
        self._pause = pause
        self._batch: deque[Instance] = deque()
        self._exhausted = False
        self._stopped = False
        self._lock = threading.Lock()  # held for moments only
        self._drawing = threading.Lock()  # held while the index is asked
        self._failures: dict[str, int] = {}
        self._again: list[tuple[float, int, Instance]] = []
        self._numbers = count()
        self._under_way = 0
        self._changed = asyncio.Event()

    def lose(self, why: str) -> None:
        """Nothing more can be sent: those who wait for work hear it, and what is left fails."""
        self.lost = self.lost or why
        self._changed.set()

    def stop(self) -> None:
        """Nothing more is to be sent: those who wait for work hear it; nothing fails."""
        self._stopped = True
        self._changed.set()

    @property
    def finished(self) -> bool:
        """Whether nothing is left that could be sent."""
        left = self._batch or self._again or self._under_way or not self._exhausted
        return bool(self.lost) or not left

    async def available(self) -> bool:
        """Wait until there is something to draw; False once there is nothing left, or all lost."""
        while not (self.lost or self._stopped):
            if self._batch or not self._exhausted:
                return True
            if self.finished:
                return False
            wait = max(0.0, self._again[0][0] - time.monotonic()) if self._again else None
            if wait == 0.0:
                return True
            self._changed.clear()
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                return not (self.lost or self._stopped)
        return False

    # What an association does with an instance that it has drawn

    def settle(self, drawn: int = 1) -> None:
        """Instances that were drawn have been counted."""
        with self._lock:
            self._under_way -= drawn
        self._changed.set()

    def put_back(self, instance: Instance) -> None:
        """It was not sent; whoever draws next may send it."""
        with self._lock:
            self._batch.appendleft(instance)
        self.settle()

    def fail(self, instance: Instance, why: str, *, again: bool = True) -> None:
        """It could not be delivered: have it tried again, or count it as failed."""
        if not (again and self._try_again(instance)):
            self._failures.pop(instance.sop_instance_uid, None)
            self.counts.fail([instance.sop_instance_uid], why)
        self.settle()

    def judge(self, instance: Instance, code: int, comment: str) -> None:
        """The receiver answered with the status `code`; A7xx is asked again later."""
        uid = instance.sop_instance_uid
        if not (is_out_of_resources(code) and self._try_again(instance)):
            self._failures.pop(uid, None)
            self.counts.judge(instance, code, comment)
        self.settle()

    def _try_again(self, instance: Instance) -> bool:
        uid = instance.sop_instance_uid
        failures = self._failures.get(uid, 0) + 1
        if failures >= self._attempts or len(self._again) >= WAITING:
            return False
        self._failures[uid] = failures
        due = time.monotonic() + pause_after(failures, self._pause)
        with self._lock:
            heapq.heappush(self._again, (due, next(self._numbers), instance))
        return True

    def draw_rest(self) -> list[str]:
        """What is left of a lost retrieve, a group at a time; empty at the end. May block."""
        rest = islice(iter(self.draw, None), REFUSED_TOGETHER)
        return [instance.sop_instance_uid for instance in rest]

    # Drawing

    def at_hand(self) -> Instance | None:
        """The next instance that is known and due."""
        with self._lock:
            instance = None
            if self._again and (self.lost or self._again[0][0] <= time.monotonic()):
                instance = heapq.heappop(self._again)[2]
            elif self._batch:
                instance = self._batch.popleft()
            if instance is not None:
                self._under_way += 1
            return instance

    def draw(self) -> Instance | None:
        """The next instance that is due, looked up in the index if need be."""
        with self._drawing:
            while (instance := self.at_hand()) is None and not self._exhausted:
                batch = next(self._batches, None)
                with self._lock:
                    self._batch.extend(batch or ())
                self._exhausted = batch is None
            return instance


def pause_after(failures: int, pause: float) -> float:
    """Seconds to wait after so many failures: doubled each time, within reason."""
    return float(min(LONGEST_PAUSE, pause * 2 ** min(failures - 1, 16)))


class Share:
    """What one association draws from a work list, and the reader that it reads it with."""

    def __init__(self, work: WorkList, reader: Reader) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._ended = False
        self._drawn: dict[str, Instance] = {}
        self.read = reader.read
        self.read_at_once = reader.read_at_once
        self.convert = reader.convert
        self.close = reader.close

    def at_hand(self) -> Instance | None:
        """The next instance, if the index need not be asked."""
        return self._remember(self._work.at_hand())

    def draw(self) -> Instance | None:
        """The next instance; None if there is none for now."""
        return self._remember(self._work.draw())

    def take_out(self, uid: str) -> None:
        """What became of an instance is known."""
        with self._lock:
            self._drawn.pop(uid, None)

    def give_up(self) -> None:
        """Put back what was drawn and not taken out, also if it is being drawn just now."""
        with self._lock:
            self._ended = True
            drawn, self._drawn = self._drawn, {}
        for instance in reversed(drawn.values()):
            self._work.put_back(instance)

    def _remember(self, instance: Instance | None) -> Instance | None:
        if instance is None:
            return None
        with self._lock:
            if not self._ended:
                self._drawn[instance.sop_instance_uid] = instance
                return instance
        self._loop.call_soon_threadsafe(self._work.put_back, instance)
        return None
