"""Identities of every type at the desk: who is verified, and what the others are told."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.security import identity as identity_module
from isocenter.security.access import ALL_STUDIES, Scope
from isocenter.security.database import AccessDatabase, AccessUnavailable
from isocenter.security.identity import AT_ONCE, IdentityDesk
from isocenter.security.identity_outcome import Refused, Verified, Why
from isocenter.security.users import Users
from isocenter.services.user_identity import acknowledge
from isocenter.upperlayer.user_information import UserIdentity
from tests.security.identity.hashing import cheaply
from tests.security.identity.test_lockout import Clock
from tests.security.identity.tokens import RULES, token

SECRET = b"correct horse battery"
HERE, ELSEWHERE = "10.0.0.1", "10.0.0.2"
RESEARCH = Scope(frozenset({"research"}))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Users]:
    """Jo sees everything, Al what is for research; Ex is disabled."""
    cheaply(monkeypatch)
    with AccessDatabase(tmp_path / "access.sqlite") as database:
        known = Users(database)
        known.add("jo", SECRET, ALL_STUDIES)
        known.add("al", SECRET, RESEARCH)
        known.add("ex", SECRET, ALL_STUDIES)
        known.set_disabled("ex", True)
        yield known


@pytest.fixture
def desk(users: Users, clock: Clock) -> IdentityDesk:
    return IdentityDesk(users, RULES, failures=3, lockout=60, clock=clock)


def passcode(name: str | bytes, secret: bytes = SECRET) -> UserIdentity:
    return UserIdentity(2, name if isinstance(name, bytes) else name.encode(), secret, True)


def jwt(**changed: Any) -> UserIdentity:
    return UserIdentity(5, token(**changed), b"", True)


def test_a_passcode_verifies_its_user(desk: IdentityDesk) -> None:
    assert desk.verify(passcode("jo"), HERE) == Verified("jo", ALL_STUDIES)
    assert desk.verify(passcode("al"), HERE) == Verified("al", RESEARCH)


@pytest.mark.parametrize(
    "identity",
    [
        passcode("jo", b"correct horse"),
        passcode("jo", b""),
        passcode("JO"),
        passcode("nobody"),
        passcode("ex"),
        passcode("ex", b"wrong passcode"),
        passcode(""),
        passcode("jo\0"),
        passcode(b"\xff\xfe"),
        passcode("x" * 65),
        passcode("x" * 30_000),
        passcode("jo", b"x" * 65_000),
        passcode("jo", SECRET + b"\0"),
    ],
    ids=lambda one: f"{one.primary_field[:9]!r} {len(one.secondary_field)}",
)
def test_whatever_is_wrong_with_a_passcode_the_reason_is_the_same(
    desk: IdentityDesk, identity: UserIdentity
) -> None:
    refused = desk.verify(identity, HERE)
    assert isinstance(refused, Refused)
    assert (refused.why, refused.reason) == (Why.WRONG, "The user name or the passcode is wrong.")
    assert refused.failed


@pytest.mark.parametrize(
    ("kind", "why", "user"),
    [
        (0, Why.UNKNOWN_TYPE, None),
        (1, Why.NAME_ONLY, "jo"),
        (3, Why.KERBEROS, None),
        (4, Why.SAML, None),
        (6, Why.UNKNOWN_TYPE, None),
        (255, Why.UNKNOWN_TYPE, None),
    ],
)
def test_what_is_not_verified_here_is_refused_for_what_it_is(
    desk: IdentityDesk, kind: int, why: Why, user: str | None
) -> None:
    for _ in range(5):  # however often: there is nothing to guess
        refused = desk.verify(UserIdentity(kind, b"jo", SECRET, True), HERE)
        assert refused == Refused(why, user)
        assert not refused.failed
    assert desk.verify(passcode("jo"), HERE) == Verified("jo", ALL_STUDIES)


def test_a_token_verifies_its_subject(desk: IdentityDesk) -> None:
    assert desk.verify(jwt(sub="stranger"), HERE) == Verified("stranger", ALL_STUDIES)
    assert desk.verify(jwt(sub="al"), HERE) == Verified("al", RESEARCH)
    labelled = jwt(sub="al", isocenter_labels=["teaching", "research"])
    assert desk.verify(labelled, HERE) == Verified("al", RESEARCH)
    apart = jwt(sub="al", isocenter_labels=["teaching"])
    assert desk.verify(apart, HERE) == Verified("al", Scope(frozenset()))
    assert desk.verify(jwt(sub="ex"), HERE) == Refused(Why.NOT_ADMITTED, "ex")


def test_a_bad_token_says_why_and_not_what(desk: IdentityDesk) -> None:
    refused = desk.verify(jwt(exp=1), HERE)
    assert isinstance(refused, Refused)
    assert (refused.why, refused.reason) == (Why.BAD_TOKEN, "The token has expired.")
    assert refused.failed


def test_without_a_key_tokens_are_not_looked_at(users: Users) -> None:
    desk = IdentityDesk(users, None, failures=3, lockout=60)
    refused = desk.verify(jwt(), HERE)
    assert refused == Refused(Why.NO_TOKENS)
    assert not refused.failed


def test_who_fails_too_often_waits(desk: IdentityDesk, clock: Clock) -> None:
    for _ in range(3):
        desk.verify(passcode("jo", b"a wrong one"), HERE)
    for identity, host in ((passcode("jo"), ELSEWHERE), (passcode("al"), HERE), (jwt(), HERE)):
        refused = desk.verify(identity, host)
        assert isinstance(refused, Refused)
        assert refused.why is Why.LOCKED_OUT
        assert refused.failed
    assert desk.verify(passcode("al"), ELSEWHERE) == Verified("al", RESEARCH)
    clock.now += 60
    assert desk.verify(passcode("jo"), HERE) == Verified("jo", ALL_STUDIES)


def test_attempts_at_the_same_time_are_no_way_around_it(
    desk: IdentityDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All have been let in before the first has failed."""
    attempts, compared = 20, []
    running, most = 0, 0
    inside = threading.Lock()
    let_in = threading.Barrier(attempts)
    find = desk._users.find

    def found(name: str) -> Any:
        let_in.wait()
        return find(name)

    def never(passcode: bytes, _kept: str | None) -> bool:
        nonlocal running, most
        with inside:
            running += 1
            most = max(most, running)
        compared.append(passcode)
        with inside:
            running -= 1
        return False

    monkeypatch.setattr(desk._users, "find", found)
    monkeypatch.setattr(identity_module, "fits", never)
    threads = [
        threading.Thread(target=desk.verify, args=(passcode("jo", b"%d" % n), f"10.1.{n}.1"))
        for n in range(attempts)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 3 <= len(compared) <= 3 + AT_ONCE - 1
    assert most <= AT_ONCE


def test_a_database_that_does_not_answer_lets_nobody_in(
    desk: IdentityDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_name: str) -> None:
        raise AccessUnavailable("The access database could not be used: disk I/O error.")

    monkeypatch.setattr(desk._users, "find", broken)
    for _ in range(5):
        for identity, user in ((passcode("jo"), "jo"), (jwt(), "jo")):
            refused = desk.verify(identity, HERE)
            assert refused == Refused(Why.UNAVAILABLE, user)
            assert refused.failed
    monkeypatch.undo()
    assert isinstance(desk.verify(jwt(), HERE), Verified), "it was nobody's failure"


@given(st.integers(0, 255), st.binary(max_size=400), st.binary(max_size=400))
def test_whatever_an_identity_holds_it_is_refused_without_being_quoted(
    kind: int, primary: bytes, secondary: bytes
) -> None:
    class Nobody:
        def find(self, _name: str) -> None:
            return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identity_module, "fits", lambda *_: False)
        desk = IdentityDesk(Nobody(), RULES, failures=1000, lockout=60)
        refused = desk.verify(UserIdentity(kind, primary, secondary, True), HERE)
    assert isinstance(refused, Refused)
    assert refused.reason in {why.value for why in Why} or refused.why is Why.BAD_TOKEN
    assert refused.user is None or refused.user.encode() == primary
    assert acknowledge(refused) is None


@pytest.mark.parametrize("make", [passcode, lambda name, secret: jwt(sub=name)])
def test_no_secret_is_in_what_comes_of_it(
    desk: IdentityDesk, make: Callable[..., UserIdentity], caplog: pytest.LogCaptureFixture
) -> None:
    for secret in (SECRET, b"wrong, but still a secret"):
        identity = make("jo", secret)
        outcome = desk.verify(identity, HERE)
        told = " ".join([repr(outcome), repr(identity), repr(desk), caplog.text])
        assert secret.decode() not in told
        assert identity.primary_field.decode()[10:] not in told or identity.identity_type == 2


def test_only_who_was_verified_is_acknowledged() -> None:
    """PS3.7 D.3.3.7.2."""
    assert acknowledge(Verified("jo", ALL_STUDIES)) == b""
    assert acknowledge(None) is None
    assert [acknowledge(Refused(why)) for why in Why] == [None] * len(Why)
