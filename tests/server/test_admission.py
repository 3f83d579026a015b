"""Who makes room, and who is one too many."""

from structlog.testing import capture_logs

from isocenter.server.admission import QUIET_SECONDS, Admission
from isocenter.server.config import LimitsSection


class Clock:
    """A time of the test's own."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def admission(clock: Clock | None = None, **limits: int) -> Admission[str]:
    return Admission(LimitsSection(**({"half_open": 8} | limits)), clock or Clock())


def test_a_connection_without_an_association_counts_as_none():
    some = admission(associations=1, associations_per_peer=1)
    some.connected("first", "a")
    assert not some.is_crowded("a")
    some.associated("first")
    assert (some.waiting, some.associations) == (0, 1)
    assert some.is_crowded("a")


def test_one_host_cannot_take_what_is_for_all():
    some = admission(associations=3, associations_per_peer=2)
    for number in range(2):
        some.connected(f"a{number}", "a")
        some.associated(f"a{number}")
    assert some.is_crowded("a")
    assert not some.is_crowded("b")
    some.connected("b", "b")
    some.associated("b")
    assert some.is_crowded("c")
    some.closed("a0")
    assert not some.is_crowded("a")


def test_a_full_room_gives_up_the_oldest_of_the_host_that_has_most():
    some = admission()
    some.connected("honest", "b")
    for number in range(7):
        assert some.connected(f"a{number}", "a") is None
    assert some.connected("c", "c") == "a0"
    assert some.connected("d", "d") == "a1"
    assert some.waiting == 8


def test_among_hosts_with_one_connection_each_the_oldest_is_given_up():
    some = admission()
    for number in range(8):
        some.connected(str(number), str(number))
    assert some.connected("next", "next") == "0"


def test_what_has_left_the_room_is_never_given_up():
    some = admission()
    some.connected("associated", "a")
    some.associated("associated")
    some.connected("gone", "a")
    some.closed("gone")
    for number in range(8):
        assert some.connected(f"b{number}", "b") is None
    assert some.connected("more", "b") == "b0"


def test_what_was_given_up_may_still_be_told_of():
    some = admission()
    for number in range(9):
        some.connected(str(number), "a")
    some.associated("0")
    some.closed("0")
    assert (some.waiting, some.associations) == (8, 0)


def test_a_flood_makes_one_line_a_minute():
    clock = Clock()
    some = admission(clock)
    with capture_logs() as lines:
        for number in range(1000):
            some.connected(str(number), "a")
        assert len(lines) == 1
        clock.now = QUIET_SECONDS
        some.connected("later", "a")
    assert [line["count"] for line in lines] == [1, 993]
