"""C-STORE sub-operations over one association: instance by instance from a shared work list."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isocenter.services.retrieve_terms import BrokenOff
from isocenter.services.store_contexts import Instance, StoreContexts
from isocenter.services.sub_operations import (
    Ahead,
    Piece,
    Unsent,
    read_pieces,
)
from isocenter.services.work_list import Share, WorkList
from isocenter.upperlayer.errors import UpperLayerError

if TYPE_CHECKING:
    import asyncio

    from isocenter.dimse.message import Response
    from isocenter.dimse.messages import CStoreRQ
    from isocenter.services.outgoing import Outgoing

MOST_OUTSTANDING = 8
"""C-STOREs that are sent ahead of their responses, where the peer's window allows more."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What the lanes of one retrieve have in common."""

    make_request: Callable[[Instance, int], CStoreRQ]
    progressed: Callable[[], None]
    cancelled: Callable[[], bool]
    threads: Executor
    response_timeout: float


class Lane:
    """Sends what it draws from a work list over one association.

    `window` is how many C-STOREs may be without a response (PS3.7 D.3.3.3).
    """

    def __init__(
        self,
        errand: Errand,
        work: WorkList,
        outgoing: Outgoing,
        contexts: StoreContexts,
        window: int = 1,
    ) -> None:
        self._errand = errand
        self._work = work
        self._outgoing = outgoing
        self._contexts = contexts
        self._window = max(1, min(window, MOST_OUTSTANDING))
        self._awaited: deque[tuple[Instance, asyncio.Future[Response | None]]] = deque()
        self._broken = ""
        self.answered = 0

    async def run(self, share: Share) -> None:
        """Send until nothing is at hand, or the retrieve is cancelled.

        Raises UpperLayerError or BrokenOff where the association can carry nothing more. Whatever
        the end, each instance that was drawn has been counted or has gone back to the work list.
        """
        self._share = share
        pieces = read_pieces(share, self._objection, self._contexts.conversion_for)
        self._ahead = Ahead(pieces, self._errand.threads)
        try:
            await self._send_all()
        except (UpperLayerError, BrokenOff) as error:
            self._broken = str(error)
            raise
        finally:
            self._ahead.close(share.close)
            share.give_up()

    def _objection(self, instance: Instance) -> str:
        return self._broken or self._contexts.objection(instance)

    async def _send_all(self) -> None:
        errand = self._errand
        while not errand.cancelled() and (item := await self._ahead.take()) is not None:
            if isinstance(item, Unsent):
                self._count_unsent(item)
            else:
                await self._send(item)
                while len(self._awaited) >= self._window:
                    await self._judge_oldest()
            errand.progressed()
        while self._awaited:
            await self._judge_oldest()
            errand.progressed()

    async def _send(self, first: Piece) -> None:
        instance = first.instance
        pieces = [first]

        async def take() -> tuple[bytes | memoryview, bool]:
            piece = pieces.pop() if pieces else await self._ahead.take()
            if isinstance(piece, Piece):
                return piece.data, piece.is_last
            why = piece.why if piece else "The archive ended an instance too early"
            self._settle(instance).fail(instance, why, again=False)
            raise BrokenOff(why)

        outgoing = self._outgoing
        request = self._errand.make_request(instance, outgoing.next_message_id())
        context_id = self._contexts.context_for(instance)
        try:
            answer = await outgoing.send_store(context_id, request, take)
        except UpperLayerError as error:
            self._settle(instance).fail(instance, str(error))
            raise
        self._awaited.append((instance, answer))

    async def _judge_oldest(self) -> None:
        instance, answer = self._awaited.popleft()
        try:
            response = await self._outgoing.stored(answer, timeout=self._errand.response_timeout)
        except UpperLayerError as error:
            self._settle(instance).fail(instance, str(error))
            raise
        self.answered += 1
        self._settle(instance).judge(instance, response.status, response.error_comment or "")

    def _count_unsent(self, unsent: Unsent) -> None:
        for uid in unsent.uids:
            self._share.take_out(uid)
        self._work.counts.fail(unsent.uids, unsent.why)
        self._work.settle(len(unsent.uids))

    def _settle(self, instance: Instance) -> WorkList:
        self._share.take_out(instance.sop_instance_uid)
        return self._work
