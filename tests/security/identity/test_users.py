"""Users and their passcodes as they are kept."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st

from isocenter.security import database as database_module
from isocenter.security import passcodes
from isocenter.security.access import ALL_STUDIES, Scope
from isocenter.security.database import AccessDatabase
from isocenter.security.passcodes import LONGEST, SHORTEST, UnfitPasscode, fits, hashed
from isocenter.security.schema import metadata
from isocenter.security.users import (
    InvalidUserName,
    NoSuchUser,
    UserExists,
    Users,
    is_name,
)
from tests.security.identity.hashing import cheaply

SECRET = b"correct horse"


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Users]:
    cheaply(monkeypatch)
    moments = iter(range(100, 200))
    with AccessDatabase(tmp_path / "access.sqlite") as database:
        yield Users(database, clock=lambda: float(next(moments)))


def test_users_are_added_changed_and_removed(users: Users) -> None:
    users.add("jo", SECRET, ALL_STUDIES)
    users.add("al", SECRET, Scope(frozenset({"b", "a"})))
    users.add("no", SECRET, Scope(frozenset()))
    assert users.list() == [
        ("al", Scope(frozenset({"a", "b"})), False, 101, 101),
        ("jo", ALL_STUDIES, False, 100, 100),
        ("no", Scope(frozenset()), False, 102, 102),
    ]
    users.set_disabled("jo", True)
    users.set_passcode("al", b"battery staple")
    assert [(user.name, user.disabled, user.changed_at) for user in users.list()] == [
        ("al", False, 104),
        ("jo", True, 103),
        ("no", False, 102),
    ]
    _, kept = users.find("al") or pytest.fail("is there")
    assert fits(b"battery staple", kept)
    assert not fits(SECRET, kept)
    users.remove("al")
    assert users.find("al") is None


def test_what_cannot_be_is_said_without_the_passcode(users: Users) -> None:
    users.add("jo", SECRET, ALL_STUDIES)
    with pytest.raises(UserExists, match="'jo'"):
        users.add("jo", SECRET, ALL_STUDIES)
    for change in (
        lambda: users.set_passcode("Jo", SECRET),
        lambda: users.set_disabled("Jo", True),
        lambda: users.remove("Jo"),
    ):
        with pytest.raises(NoSuchUser, match="'Jo'; `isocenter user list`"):
            change()
    for passcode in (b"", b"x" * (SHORTEST - 1), b"x" * (LONGEST + 1)):
        with pytest.raises(UnfitPasscode, match="8 to 1,024 bytes"):
            users.add("al", passcode, ALL_STUDIES)
    assert [user.name for user in users.list()] == ["jo"]


@pytest.mark.parametrize("name", ["", " jo", "jo ", "x" * 65, "a\nb", "\x7f", "\u202ejo"])
def test_a_name_can_be_shown(users: Users, name: str) -> None:
    with pytest.raises(InvalidUserName):
        users.add(name, SECRET, ALL_STUDIES)


@given(st.text(max_size=70))
def test_whatever_a_name_is_it_stays_on_its_line(text: str) -> None:
    assert not is_name(text) or (text.isprintable() and 0 < len(text) <= 64)


def test_a_passcode_is_kept_as_argon2id_of_its_own_salt() -> None:
    kept = [hashed(SECRET) for _ in range(2)]
    assert kept[0] != kept[1]
    assert all(one.startswith("$argon2id$v=19$m=65536,t=3,p=4$") for one in kept)
    assert fits(SECRET, kept[0])
    assert not fits(b"Correct horse", kept[0])


def test_nothing_fits_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    cheaply(monkeypatch)
    compared: list[bytes] = []
    hasher = passcodes._hasher()

    class Watched:
        hash = hasher.hash

        def verify(self, kept: str, passcode: bytes) -> bool:
            compared.append(passcode)
            return hasher.verify(kept, passcode)

    monkeypatch.setattr(passcodes, "_hasher", Watched)
    assert not fits(SECRET, None)
    assert compared == [SECRET], "it takes as long as for somebody"
    assert not fits(b"x" * (LONGEST + 1), None)
    assert not fits(b"x" * 65_000, hashed(SECRET))
    assert compared == [SECRET], "what is too long is not looked at"
    assert not fits(SECRET, "no hash")


def test_what_is_kept_is_for_nobody_else_to_read(tmp_path: Path, users: Users) -> None:
    users.add("jo", SECRET, ALL_STUDIES)
    assert stat.S_IMODE((tmp_path / "access.sqlite").stat().st_mode) == 0o600
    for file in tmp_path.iterdir():
        assert SECRET not in file.read_bytes()
    for text in map(repr, users.list()):
        assert "argon2" not in text


def test_the_migrations_make_the_tables_that_queries_speak_to(tmp_path: Path) -> None:
    with AccessDatabase(tmp_path / "access.sqlite") as database, database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    config = Config()
    folder = Path(database_module.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    assert ScriptDirectory.from_config(config).get_current_head() == database_module.HEAD
