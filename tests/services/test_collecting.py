"""What is collected whole: its own limit, everybody's, and whose share is whose."""

from hypothesis import given
from hypothesis import strategies as st

from isocenter.services.collecting import Budget, Collected


def collected(budget: Budget, host: str, *pieces: bytes, limit: int = 100) -> Collected:
    one = Collected(host, limit, budget)
    for piece in pieces:
        one.add(memoryview(piece))
    return one


def test_what_comes_is_kept_and_taken_once():
    one = collected(Budget(1000), "a", b"abc", b"def")
    assert (one.refused, one.length, one.head(4)) == (False, 6, b"abcd")
    assert one.take() == b"abcdef"
    assert one.take() == b""


def test_beyond_its_limit_nothing_is_kept():
    budget = Budget(1000)
    one = collected(budget, "a", bytes(60), bytes(60), bytes(60))
    assert (one.refused, one.length, one.take()) == (True, 180, b"")
    assert budget.take("a", 1000)


def test_of_all_together_only_so_much_is_kept():
    budget = Budget(150)
    first = collected(budget, "a", bytes(100))
    assert not first.refused
    assert collected(budget, "a", bytes(100)).refused
    first.take()
    assert not collected(budget, "a", bytes(100)).refused


def test_who_holds_little_is_not_refused_for_what_others_hold():
    budget = Budget(1000)
    for _ in range(20):
        collected(budget, "greedy", bytes(100))
    assert collected(budget, "greedy", b"one more").refused
    assert not collected(budget, "modest", b"a little").refused


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(1, 300), st.booleans())))
def test_never_is_more_than_twice_the_limit_held(steps: list[tuple[str, int, bool]]):
    budget, held, kept = Budget(1000), 0, []
    for host, size, give_back in steps:
        one = collected(budget, host, bytes(size), limit=1000)
        if one.refused:
            assert one.take() == b""
        else:
            kept.append(one)
            held += size
        if give_back and kept:
            held -= len(kept.pop(0).take())
        assert held <= 2000
    for one in kept:
        one.take()
    assert budget.take("a", 1000)
