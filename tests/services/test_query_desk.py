"""Which queries are open, which wait, and which give way."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from isocenter.services.fair_threads import FairThreads
from isocenter.services.query_desk import PATIENCE, QueryDesk


class Clock:
    """A time of the test's own; what is to come, comes with `advance`."""

    def __init__(self) -> None:
        self.now = 0.0
        self.due: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> object:
        self.due.append((self.now + delay, callback))
        return None

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while ready := [one for one in self.due if one[0] <= end]:
            for moment, callback in ready:
                self.due.remove((moment, callback))
                self.now = max(self.now, moment)
                callback()
        self.now = end


class Query:
    """Remembers what it was told."""

    def __init__(self, desk: QueryDesk, name: str) -> None:
        self.desk, self.host, self.name = desk, name[0], name
        self.told: list[str] = []

    def start(self) -> None:
        self.told.append("start")

    def give_way(self) -> None:
        self.told.append("give way")
        self.desk.ended(self)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(clock: Clock) -> QueryDesk:
    """Two queries at one time."""
    threads: Any = ThreadPoolExecutor(1)
    return QueryDesk(FairThreads(threads, 1), clock, open_at_once=2)


def begun(desk: QueryDesk, *names: str) -> list[Query]:
    queries = [Query(desk, name) for name in names]
    for query in queries:
        desk.begin(query)
    return queries


def started(queries: list[Query]) -> list[str]:
    return [query.name for query in queries if "start" in query.told]


def test_so_many_are_open_and_the_rest_waits(desk: QueryDesk):
    queries = begun(desk, "a1", "a2", "a3", "a4")
    assert started(queries) == ["a1", "a2"]
    desk.ended(queries[1])
    assert started(queries) == ["a1", "a2", "a3"]
    desk.ended(queries[1])  # told of again
    assert started(queries) == ["a1", "a2", "a3"]


def test_hosts_take_turns(desk: QueryDesk):
    queries = begun(desk, "a1", "a2", "a3", "a4", "b1")
    for query in queries[:2]:
        desk.ended(query)
    assert started(queries) == ["a1", "a2", "a3", "b1"]


def test_who_does_not_want_to_wait_any_more_is_not_started(desk: QueryDesk):
    queries = begun(desk, "a1", "a2", "a3", "a4")
    desk.ended(queries[2])
    desk.ended(queries[0])
    assert started(queries) == ["a1", "a2", "a4"]


def test_an_unread_query_gives_way_to_one_that_waits(desk: QueryDesk, clock: Clock):
    queries = begun(desk, "a1", "a2")
    for query in queries:
        desk.stopped_reading(query)
    clock.advance(10 * PATIENCE)
    assert queries[0].told == queries[1].told == ["start"]  # nobody waits
    late = begun(desk, "b1")
    clock.advance(PATIENCE)
    assert queries[0].told == ["start", "give way"]
    assert queries[1].told == ["start"]
    assert started(late) == ["b1"]


def test_a_moment_of_not_reading_costs_nothing(desk: QueryDesk, clock: Clock):
    first, _, third = begun(desk, "a1", "a2", "b1")
    for _ in range(20):
        desk.stopped_reading(first)
        clock.advance(PATIENCE * 0.8)
        desk.reads_again(first)
        clock.advance(PATIENCE * 0.1)
    assert first.told == ["start"]
    assert third.told == []
    assert len(clock.due) == 1  # it is looked at from time to time, once


def test_the_host_with_most_unread_queries_gives_way_first(clock: Clock):
    threads: Any = ThreadPoolExecutor(1)
    desk = QueryDesk(FairThreads(threads, 1), clock, open_at_once=4)
    queries = begun(desk, "b1", "a1", "a2", "a3")
    for query in queries:
        desk.stopped_reading(query)
    clock.advance(PATIENCE)
    begun(desk, "c1")
    clock.advance(PATIENCE)
    assert [query.name for query in queries if "give way" in query.told] == ["a1"]
