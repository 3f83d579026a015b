"""One association of a retrieve: how much may be without an answer, and what a loss leaves."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from isocenter.dimse.messages import CStoreRQ, CStoreRSP
from isocenter.services.store_contexts import StoreContexts
from isocenter.services.store_lane import MOST_OUTSTANDING, Errand, Lane
from isocenter.services.work_list import Share, WorkList
from isocenter.upperlayer.contexts import AcceptedContext
from isocenter.upperlayer.errors import ConnectionLostError
from tests.services.test_work_list import FakeInstance, FakeReader, work_of


class FakeOutgoing:
    """Counts what is unanswered; after `lost_after` instances the association is gone."""

    def __init__(self, lost_after: int = 1000) -> None:
        self.sent: list[str] = []
        self.unanswered = self.most = 0
        self._lost_after = lost_after
        self._message_id = 0

    def next_message_id(self) -> int:
        self._message_id += 1
        return self._message_id

    async def send_store(self, context_id: int, request: CStoreRQ, take) -> CStoreRQ:
        while not (await take())[1]:
            pass
        if len(self.sent) == self._lost_after:
            raise ConnectionLostError("The peer is gone.")
        self.sent.append(request.affected_sop_instance_uid)
        self.unanswered += 1
        self.most = max(self.most, self.unanswered)
        return request

    async def stored(self, answer: CStoreRQ, *, timeout: float) -> CStoreRSP:
        self.unanswered -= 1
        return CStoreRSP(message_id_being_responded_to=answer.message_id, status=0)


def request(instance: FakeInstance, message_id: int) -> CStoreRQ:
    return CStoreRQ(
        message_id=message_id,
        affected_sop_class_uid=instance.sop_class_uid,
        affected_sop_instance_uid=instance.sop_instance_uid,
    )


async def send(outgoing: FakeOutgoing, work: WorkList, window: int) -> None:
    one = FakeInstance("0")
    contexts = StoreContexts([AcceptedContext(1, one.sop_class_uid, one.transfer_syntax_uid)])
    with ThreadPoolExecutor(1) as threads:
        errand = Errand(request, lambda: None, lambda: False, threads, 10.0)
        lane = Lane(errand, work, outgoing, contexts, window)  # type: ignore[arg-type]
        await lane.run(Share(work, FakeReader()))


@pytest.mark.parametrize(("window", "most"), [(1, 1), (3, 3), (1000, MOST_OUTSTANDING)])
def test_a_window_bounds_what_is_unanswered(window: int, most: int):
    async def course() -> None:
        outgoing, work = FakeOutgoing(), work_of(20)
        await send(outgoing, work, window)
        assert (outgoing.most, outgoing.unanswered) == (most, 0)
        assert (work.counts.completed, work.counts.remaining) == (20, 0)

    asyncio.run(course())


def test_a_loss_costs_an_attempt_of_what_was_being_sent_only():
    async def course() -> None:
        work = work_of(5, attempts=1)
        with pytest.raises(ConnectionLostError):
            await send(FakeOutgoing(lost_after=2), work, window=1)
        assert (work.counts.completed, work.counts.failed, work.counts.remaining) == (2, 1, 2)
        again = FakeOutgoing()
        await send(again, work, window=1)
        assert sorted(again.sent) == ["3", "4"]
        assert work.finished

    asyncio.run(course())
