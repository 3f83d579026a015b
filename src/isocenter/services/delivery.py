"""Delivering a work list to the destination of a C-MOVE: several associations, bounded patience.

The first association shows whether the destination is there; then others join it. One that is lost
is opened anew, after a pause that grows with each failure in a row. A destination that cannot be
reached, or takes nothing and breaks off again and again, is given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING

import structlog

from isocenter.services.retrieve_terms import BrokenOff
from isocenter.services.store_contexts import StoreContexts
from isocenter.services.store_lane import Errand, Lane
from isocenter.services.work_list import Share, WorkList, pause_after
from isocenter.upperlayer.errors import (
    AssociateTimeout,
    AssociationRejectedError,
    ConnectTimeout,
    UpperLayerError,
)
from isocenter.upperlayer.reasons import RejectResult

if TYPE_CHECKING:
    from isocenter.services.destination import Address, DestinationAssociation, Destinations
    from isocenter.services.sub_operations import Selected

CANCEL_PATIENCE = 3.0
"""Seconds after a C-CANCEL in which what is under way may be finished."""

log = structlog.get_logger(__name__)


class Delivery:
    """Sends the instances of one work list to one destination."""

    def __init__(
        self,
        destinations: Destinations,
        address: Address,
        errand: Errand,
        work: WorkList,
        selected: Selected,
        kinds: Collection[tuple[str, str]],
        *,
        associations: int,
        attempts: int,
        retry_delay: float,
    ) -> None:
        self._destinations = destinations
        self._address = address
        self._errand = errand
        self._work = work
        self._selected = selected
        self._kinds = tuple(kinds)
        self._associations = associations
        self._attempts = attempts
        self._retry_delay = retry_delay
        self._tasks: set[asyncio.Task[None]] = set()
        self._sending: set[asyncio.Task[None]] = set()
        self._unopened = 0  # failures in a row to open an association
        self._fruitless = 0  # associations in a row that were lost before any answer

    async def run(self) -> None:
        """Until everything is settled, or nothing more can be sent, or `cancel`."""
        self._begin()
        try:
            while self._tasks:
                done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                self._tasks -= done
                for task in done:
                    if not task.cancelled():
                        task.result()
                if self._work.finished:  # nobody is needed who is about to join
                    self._end_idle()
        finally:
            self._break_off()

    def cancel(self) -> None:
        """Finish what is under way, within `CANCEL_PATIENCE`; nothing else is waited for."""
        self._work.stop()
        self._end_idle()
        asyncio.get_running_loop().call_later(CANCEL_PATIENCE, self._break_off)

    def _begin(self) -> None:
        self._tasks.add(asyncio.get_running_loop().create_task(self._serve()))

    def _end_idle(self) -> None:
        for task in self._tasks - self._sending:
            task.cancel()

    def _break_off(self) -> None:
        for task in self._tasks:
            task.cancel()

    # One association after the other

    async def _serve(self) -> None:
        while await self._work.available():
            try:
                association = await self._destinations.open(self._address, self._kinds)
            except UpperLayerError as error:
                if sum(not task.done() for task in self._tasks) > 1:  # the others will do
                    log.info("did not open a further association", why=str(error))
                    return
                await self._unreachable(error)
                continue
            self._unopened = 0
            await self._use(association)

    async def _use(self, association: DestinationAssociation) -> None:
        task = asyncio.current_task()
        assert task is not None
        lane = Lane(
            self._errand,
            self._work,
            association.outgoing,
            StoreContexts(association.contexts),
            association.window,
        )
        self._sending.add(task)
        while len(self._tasks) < min(self._associations, self._work.counts.remaining):
            self._begin()
        try:
            while await self._work.available():
                await lane.run(Share(self._work, self._selected.reader()))
        except (UpperLayerError, BrokenOff) as error:
            association.give_up(str(error))
            self._sending.discard(task)
            await self._lost(error, fruitless=not lane.answered)
        except BaseException:
            association.abort()
            raise
        else:
            association.release()
        finally:
            self._sending.discard(task)

    async def _unreachable(self, error: UpperLayerError) -> None:
        self._unopened += 1
        if self._unopened >= self._attempts or _is_final(error):
            self._work.lose(str(error))
        else:
            await self._pause(self._unopened, error)

    async def _lost(self, error: UpperLayerError | BrokenOff, *, fruitless: bool) -> None:
        if isinstance(error, BrokenOff):
            return  # for a reason of ours
        self._fruitless = self._fruitless + 1 if fruitless else 0
        if self._fruitless >= 2 * self._attempts:
            self._work.lose(str(error))
        else:
            await self._pause(max(1, self._fruitless), error)

    async def _pause(self, failures: int, error: UpperLayerError) -> None:
        seconds = pause_after(failures, self._retry_delay)
        log.info(
            "will associate with a destination again",
            called_ae=self._address.ae_title,
            why=str(error),
            retry_in=seconds,
        )
        await asyncio.sleep(seconds)


def _is_final(error: UpperLayerError) -> bool:
    """Whether asking again is in vain, or has been waited for long enough."""
    if isinstance(error, AssociationRejectedError):
        return error.result == RejectResult.REJECTED_PERMANENT
    return isinstance(error, (AssociateTimeout, ConnectTimeout))
