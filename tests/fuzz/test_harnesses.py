"""The harnesses of `make fuzz` without the fuzzer: over their seeds, and mutations of these."""

from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.target import (
    SECONDS_PER_EXECUTION,
    Guard,
    Target,
    Unacceptable,
    check_error,
    load_target,
    target_names,
)
from fuzz.targets import query
from tests.support.mutations import mutated, spliced

NAMES = target_names()


@pytest.fixture(scope="module", autouse=True)
def close_the_index() -> Iterator[None]:
    """A fuzzed process keeps it to its end; other tests here must not find its threads."""
    yield
    query.close()


@cache
def seeds_of(name: str) -> list[bytes]:
    return list(load_target(name).seeds())


@pytest.mark.parametrize("name", NAMES)
def test_a_harness_has_seeds_that_pass(name: str):
    target = load_target(name)
    seeds = seeds_of(name)
    assert any(len(seed) <= target.longest for seed in seeds)
    for seed in seeds:
        target.one_input(seed)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("data", [b"", b"\0", b"\xff" * 7, bytes(600)])
def test_a_harness_takes_any_bytes(name: str, data: bytes):
    load_target(name).one_input(data)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=100)
@given(data=st.data())
def test_mutated_seeds_find_nothing(name: str, data: st.DataObject):
    target = load_target(name)
    seeds = st.sampled_from(seeds_of(name))
    target.one_input(data.draw(mutated(seeds) | spliced(seeds))[: target.longest])


def a_target(one_input) -> Target:
    return Target("", one_input, lambda: [b""])


def test_what_a_harness_raises_is_a_finding():
    def fails(data: bytes) -> None:
        raise RecursionError

    with pytest.raises(RecursionError):
        Guard(a_target(fails))(b"")


def test_an_execution_that_takes_long_is_a_finding(monkeypatch: pytest.MonkeyPatch):
    times = iter([0.0, SECONDS_PER_EXECUTION + 0.5])
    monkeypatch.setattr("fuzz.target.thread_time", lambda: next(times))
    with pytest.raises(Unacceptable, match=r"took 1\.5 s"):
        Guard(a_target(lambda data: None))(b"")


def test_growing_memory_is_a_finding(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("fuzz.target._LOOK_EVERY", 1)
    monkeypatch.setattr("fuzz.target._WARM_UP", 1)
    monkeypatch.setattr("fuzz.target.GROWTH", 1 << 20)
    kept: list[bytes] = []
    guard = Guard(a_target(lambda data: kept.append(b"x" * (1 << 20))))
    guard(b"")
    with pytest.raises(Unacceptable, match="memory grew"):
        any(guard(b"") for _ in range(50))


@pytest.mark.parametrize("text", ["x" * 2000, "two\nlines", "\x1b[31mred"])
def test_an_error_that_repeats_the_input_is_a_finding(text: str):
    with pytest.raises(Unacceptable):
        check_error(ValueError(text))
    check_error(ValueError("a sentence"))
