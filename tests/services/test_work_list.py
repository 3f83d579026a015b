"""What is still to be sent: drawn by several, given back, tried again within bounds."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest

from isocenter.services.sub_operations import SubOperations
from isocenter.services.work_list import LONGEST_PAUSE, WAITING, Share, WorkList, pause_after

BUSY = 0xA700


class FakeInstance(NamedTuple):
    sop_instance_uid: str
    sop_class_uid: str = "1.2.840.10008.5.1.4.1.1.2"
    transfer_syntax_uid: str = "1.2.840.10008.1.2.1"
    dataset_length: int = 10
    study: int = 1


class FakeReader:
    def read(self, instance, start: int, size: int) -> bytes:
        return bytes(size)

    def read_at_once(self, instance, start: int, size: int) -> memoryview | None:
        return None

    def convert(self, instance, transfer_syntax_uid: str):
        raise AssertionError("nothing needs to be converted")

    def close(self) -> None:
        pass


def work_of(count: int, batch: int = 2, **options) -> WorkList:
    """A work list of instances "0", "1" ..., which the index tells `batch` at a time."""

    def batches() -> Iterator[Sequence[FakeInstance]]:
        for start in range(0, count, batch):
            yield [FakeInstance(str(n)) for n in range(start, min(start + batch, count))]

    return WorkList(batches(), SubOperations(count), **options)


def draw_all(work: WorkList) -> list[FakeInstance]:
    return list(iter(work.draw, None))


def test_only_what_is_known_is_at_hand():
    async def course() -> None:
        work = work_of(3)
        assert work.at_hand() is None
        assert work.draw() == FakeInstance("0")
        assert work.at_hand() == FakeInstance("1")
        assert work.at_hand() is None
        assert [one.sop_instance_uid for one in draw_all(work)] == ["2"]

    asyncio.run(course())


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_what_fails_is_tried_so_often(attempts: int):
    async def course() -> WorkList:
        work = work_of(3, attempts=attempts)
        tried = 0
        while await work.available():
            while (instance := work.draw()) is not None:
                tried += 1
                work.judge(instance, BUSY, "full")
        assert tried == 3 * attempts
        return work

    counts = asyncio.run(course()).counts
    assert (counts.failed, counts.remaining) == (3, 0)
    assert sorted(counts.failed_uids) == ["0", "1", "2"]
    assert counts.reason == "A700H Refused: out of resources: full"


def test_other_refusals_are_final():
    async def course() -> WorkList:
        work = work_of(2, attempts=5)
        for instance, code in zip(draw_all(work), (0xC000, 0x0000), strict=True):
            work.judge(instance, code, "")
        assert not await work.available()
        return work

    counts = asyncio.run(course()).counts
    assert (counts.failed, counts.completed) == (1, 1)


def test_no_more_than_so_many_wait_for_another_attempt():
    async def course() -> WorkList:
        work = work_of(WAITING + 10, attempts=2, pause=60.0)
        for instance in draw_all(work):
            work.fail(instance, "lost")
        return work

    assert asyncio.run(course()).counts.failed == 10


def test_who_waits_hears_of_what_another_one_gives_back():
    async def course() -> None:
        work = work_of(1, attempts=2)
        share = Share(work, FakeReader())
        assert share.draw() is not None
        assert work.draw() is None
        waiting = asyncio.create_task(work.available())
        await asyncio.sleep(0)
        assert not waiting.done()
        share.give_up()
        assert await waiting
        assert work.draw() == FakeInstance("0")

    asyncio.run(course())


def test_what_is_drawn_after_the_end_goes_back():
    async def course() -> None:
        work = work_of(1)
        share = Share(work, FakeReader())
        share.give_up()
        assert share.draw() is None
        assert await work.available()
        await asyncio.sleep(0)
        assert work.draw() == FakeInstance("0")

    asyncio.run(course())


def test_who_waits_hears_that_all_is_lost():
    async def course() -> None:
        work = work_of(4, attempts=3, pause=60.0)
        first, second, *_ = draw_all(work)
        work.fail(first, "lost")
        waiting = asyncio.create_task(work.available())
        await asyncio.sleep(0)
        work.put_back(second)
        work.lose("gone")
        assert not await waiting
        assert sorted(work.draw_rest()) == ["0", "1"]  # also what was to be tried again
        assert work.draw_rest() == []

    asyncio.run(course())


def test_who_waits_for_the_next_attempt_hears_that_it_will_not_be():
    async def course() -> WorkList:
        work = work_of(1, attempts=2, pause=60.0)
        for instance in draw_all(work):
            work.fail(instance, "lost")
        waiting = asyncio.create_task(work.available())
        await asyncio.sleep(0)
        work.stop()
        assert not await waiting
        return work

    counts = asyncio.run(course()).counts
    assert (counts.remaining, counts.failed) == (1, 0)


def test_pauses_grow_within_reason():
    pauses = [pause_after(failures, 1.0) for failures in (1, 2, 3, 4, 1000)]
    assert pauses == [1.0, 2.0, 4.0, 8.0, LONGEST_PAUSE]
