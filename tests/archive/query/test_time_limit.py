"""A search may work for so long; the clock is the test's."""

import pytest

from isocenter.archive.index import Index
from isocenter.archive.query import Rules, patterns, watch
from isocenter.archive.query.errors import SearchTookTooLong
from isocenter.archive.retrieve import select_instances
from isocenter.security.access import ALL_STUDIES
from tests.archive.index.entries import an_entry, store, tag
from tests.archive.query.test_scope_against_an_oracle import COMMENTS, Headers
from tests.support.identifiers import find_texts

UID, NAME = tag("StudyInstanceUID"), tag("PatientName")
FUZZY = Rules(fuzzy_names=True)


class Clock:
    """Stands still unless it is moved."""

    def __init__(self, *, step: float = 0) -> None:
        self.now = 0.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
def archive(index: Index) -> Index:
    """Four patients, a study each."""
    store(
        index,
        *(
            an_entry(n, study=f"1.{n}", series=f"1.{n}.1", PatientID=f"P{n}", PatientName="A^B")
            for n in range(1, 5)
        ),
    )
    return index


@pytest.fixture(autouse=True)
def look_up_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_STEPS_AT_ONCE", 1)


def test_a_search_that_finds_nothing_ends_when_its_time_is_up(
    archive: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, compared = Clock(), []

    def resembles(_key: str, names: str) -> bool:
        compared.append(names)
        clock.now += 4
        return False

    monkeypatch.setattr(patterns, "resembles_search_text", resembles)
    keys = {UID: "", NAME: "nobody"}
    search = find_texts(archive, "STUDY", "STUDY", keys, rules=FUZZY, time_limit=7.5, clock=clock)
    assert list(search) == []
    assert search.matches.stopped == "after 7.5 s of search"
    assert len(compared) == 2
    monkeypatch.undo()
    found = find_texts(archive, "STUDY", "STUDY", keys | {NAME: "A B"}, rules=FUZZY)
    assert len(list(found)) == 4, "its connection is like new"


def test_the_waits_of_whoever_asks_do_not_count(archive: Index) -> None:
    clock = Clock()
    search = find_texts(archive, "STUDY", "STUDY", {UID: ""}, time_limit=1, clock=clock)
    for _ in range(4):
        next(search)
        clock.now += 1000
    assert list(search) == []
    assert search.matches.stopped == ""


def test_time_that_was_used_is_not_given_again(archive: Index) -> None:
    clock = Clock()

    class Slow(Headers):
        def read(self, *arguments: object):
            clock.now += 0.4
            return super().read(*arguments)

    keys = {UID: "", COMMENTS: ""}
    search = find_texts(archive, "STUDY", "STUDY", keys, headers=Slow(), time_limit=1, clock=clock)
    assert len(list(search)) == 3
    assert search.matches.stopped == "after 1 s of search"


def test_a_search_without_a_limit_never_asks_for_the_time(archive: Index) -> None:
    def clock() -> float:
        raise AssertionError

    assert len(list(find_texts(archive, "STUDY", "STUDY", {UID: ""}, clock=clock))) == 4


def test_what_is_given_up_gives_no_reason(archive: Index) -> None:
    search = find_texts(archive, "STUDY", "STUDY", {UID: ""}, time_limit=1, clock=Clock(step=2))
    search.matches.give_up()
    assert list(search) == []
    assert search.matches.stopped == ""


def test_a_retrieve_that_would_search_for_longer_is_refused(archive: Index) -> None:
    def select(clock: Clock) -> int:
        keys = {tag("PatientID"): "P1"}
        return len(
            select_instances(
                archive, "PATIENT", "PATIENT", keys, scope=ALL_STUDIES, time_limit=3, clock=clock
            )
        )

    with pytest.raises(SearchTookTooLong, match=r"longer than 3 s; ask for fewer\."):
        select(Clock(step=4))
    assert select(Clock()) == 1
