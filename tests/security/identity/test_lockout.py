"""Too many failures, and what they cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.security import lockout
from isocenter.security.lockout import Lockout


class Clock:
    """Stands still unless it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_name_is_refused_after_so_many_failures(clock: Clock) -> None:
    guard = Lockout(3, 60, clock)
    for host in ("10.0.0.1", "10.0.0.2", "10.0.0.3"):
        assert not guard.refuses("jo", host)
        guard.failed("jo", host)
    assert guard.refuses("jo", "10.0.0.4")
    assert not guard.refuses("al", "10.0.0.4")
    clock.now += 59
    assert guard.refuses("jo", "10.0.0.4")
    clock.now += 1
    assert not guard.refuses("jo", "10.0.0.4")
    guard.failed("jo", "10.0.0.4")
    assert not guard.refuses("jo", "10.0.0.4"), "it counts from the beginning"


def test_an_address_is_refused_whatever_names_it_tries(clock: Clock) -> None:
    guard = Lockout(3, 60, clock)
    for name in ("a", None, "c"):
        guard.failed(name, "10.0.0.1")
    assert guard.refuses("d", "10.0.0.1")
    assert guard.refuses(None, "::ffff:10.0.0.1")
    assert not guard.refuses("a", "10.0.0.2")


def test_success_clears_a_name_but_not_the_address(clock: Clock) -> None:
    guard = Lockout(2, 60, clock)
    guard.failed("jo", "10.0.0.1")
    guard.succeeded("jo")
    guard.failed("jo", "10.0.0.1")
    assert not guard.refuses("jo", "10.0.0.2")
    assert guard.refuses("jo", "10.0.0.1")


@pytest.mark.parametrize("other", ["2001:db8::2", "2001:db8:0:0:ffff::1", "2001:db8::3%eth0"])
def test_an_ipv6_network_is_one_party(clock: Clock, other: str) -> None:
    guard = Lockout(1, 60, clock)
    guard.failed(None, "2001:db8::1")
    assert guard.refuses(None, other)
    assert not guard.refuses(None, "2001:db8:0:1::1")


def test_failures_of_long_ago_do_not_add_up(clock: Clock) -> None:
    guard = Lockout(2, 60, clock)
    for _ in range(5):
        guard.failed("jo", "10.0.0.1")
        assert not guard.refuses("jo", "10.0.0.1")
        clock.now += 61


def test_without_a_time_nobody_is_refused(clock: Clock) -> None:
    guard = Lockout(1, 0, clock)
    guard.failed("jo", "10.0.0.1")
    assert not guard.refuses("jo", "10.0.0.1")


@given(st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3)), max_size=50))
def test_what_is_remembered_is_bounded(failures: list[tuple[str, str]]) -> None:
    guard = Lockout(1, 60, Clock())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lockout, "MOST_REMEMBERED", 5)
        for name, host in failures:
            guard.failed(name, host)
            assert guard.refuses(name, "")
            assert guard.refuses(None, host)
    assert max(len(guard._names), len(guard._hosts)) <= 5
