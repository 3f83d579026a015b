"""The users of a node: names, passcodes, and which studies they may see."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from isocenter.errors import IsocenterError
from isocenter.security.access import Scope
from isocenter.security.database import AccessDatabase
from isocenter.security.passcodes import hashed
from isocenter.security.schema import user

LONGEST_NAME = 64
"""Characters of a user name."""


class UserError(IsocenterError):
    """What was asked about a user cannot be done."""


class InvalidUserName(UserError, ValueError):
    """A text that cannot be the name of a user."""


class UserExists(UserError):
    """There is a user of that name."""


class NoSuchUser(UserError):
    """There is none."""


class User(NamedTuple):
    """A user; moments are seconds since the epoch. The kept passcode is not part of its text."""

    name: str
    scope: Scope
    disabled: bool
    created_at: float
    changed_at: float


class Users:
    """The users in an access database. For any thread; each call is a transaction.

    Its calls raise AccessUnavailable where the database does not answer.
    """

    def __init__(self, database: AccessDatabase, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def add(self, name: str, passcode: bytes, scope: Scope) -> None:
        """Raises InvalidUserName, UnfitPasscode, UserExists."""
        check_name(name)
        now = self._clock()
        values = {
            "name": name,
            "passcode": hashed(passcode),
            "labels": None if scope.labels is None else ",".join(sorted(scope.labels)),
            "disabled": False,
            "created_at": now,
            "changed_at": now,
        }
        with self._database.writing() as connection:
            try:
                connection.execute(insert(user), values)
            except IntegrityError:
                raise UserExists(f"There is a user {name!r} already.") from None

    def set_passcode(self, name: str, passcode: bytes) -> None:
        """Raises NoSuchUser, UnfitPasscode."""
        self._update(name, passcode=hashed(passcode))

    def set_disabled(self, name: str, disabled: bool) -> None:
        """Have a user refused, or taken again. Raises NoSuchUser."""
        self._update(name, disabled=disabled)

    def remove(self, name: str) -> None:
        """Forget a user. Raises NoSuchUser."""
        with self._database.writing() as connection:
            if not connection.execute(delete(user).where(user.c.name == name)).rowcount:
                raise _unknown(name)

    def list(self) -> list[User]:
        """All users, by name."""
        with self._database.reading() as connection:
            return [_user(row) for row in connection.execute(select(user).order_by(user.c.name))]

    def any(self) -> bool:
        """Whether there is a user at all."""
        with self._database.reading() as connection:
            return connection.execute(select(user.c.name).limit(1)).first() is not None

    def find(self, name: str) -> tuple[User, str] | None:
        """A user, and what is kept of the passcode; None for an unknown name."""
        with self._database.reading() as connection:
            row = connection.execute(select(user).where(user.c.name == name)).one_or_none()
        return None if row is None else (_user(row), row.passcode)

    def _update(self, name: str, **values: Any) -> None:
        changed = {**values, "changed_at": self._clock()}
        with self._database.writing() as connection:
            statement = update(user).where(user.c.name == name).values(changed)
            if not connection.execute(statement).rowcount:
                raise _unknown(name)


def check_name(name: str) -> None:
    """Raises InvalidUserName: a name is printable, without spaces around it, and bounded."""
    if not is_name(name):
        raise InvalidUserName(
            f"A user name has 1 to {LONGEST_NAME} printable characters and no spaces around them."
        )


def is_name(text: str) -> bool:
    """Whether it can be the name of a user."""
    return 0 < len(text) <= LONGEST_NAME and text.isprintable() and text == text.strip()


def as_scope(labels: Iterable[str] | None) -> Scope:
    """The scope of somebody with these labels; None for all studies."""
    return Scope(None if labels is None else frozenset(labels))


def _user(row: Any) -> User:
    labels = None if row.labels is None else (label for label in row.labels.split(",") if label)
    return User(row.name, as_scope(labels), row.disabled, row.created_at, row.changed_at)


def _unknown(name: str) -> NoSuchUser:
    return NoSuchUser(
        f"There is no user {name[:LONGEST_NAME]!r}; `isocenter user list` shows them."
    )
