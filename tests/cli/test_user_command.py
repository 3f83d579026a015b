"""`isocenter user`, and telling a node who we are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from isocenter.cli import exit_codes
from isocenter.cli.commands import user
from isocenter.cli.main import cli
from isocenter.security.access import ALL_STUDIES
from isocenter.security.database import AccessDatabase
from isocenter.security.identity import IdentityDesk
from isocenter.security.identity_outcome import Verified
from isocenter.security.users import Users
from isocenter.upperlayer.user_information import UserIdentity
from tests.cli.helpers import Run
from tests.security.identity.hashing import cheaply

SECRET = "correct horse"


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch) -> None:
    cheaply(monkeypatch)
    folder = Path("isocenter-data")
    folder.mkdir()
    Path("secret").write_text(f"{SECRET}\nnot this\n")
    Path("other").write_bytes(b"battery staple")


def verified(name: str, secret: str = SECRET) -> bool:
    with AccessDatabase(Path("isocenter-data/access.sqlite")) as database:
        desk = IdentityDesk(Users(database), None, failures=9, lockout=1)
        outcome = desk.verify(UserIdentity(2, name.encode(), secret.encode()), "127.0.0.1")
    return isinstance(outcome, Verified)


def test_users_come_change_and_go(run: Run) -> None:
    assert "There are no users" in run("user", "list").stderr
    assert run("user", "add", "jo", "--password-file", "secret").exit_code == 0
    added = run("user", "add", "al", "--label", "b", "--label", "a", "--password-file", "secret")
    assert added.stderr == "Added the user al.\n"
    assert verified("jo")
    listed = json.loads(run("user", "list", "--json").stdout)
    assert [(one["name"], one["labels"], one["disabled"]) for one in listed] == [
        ("al", ["a", "b"], False),
        ("jo", None, False),
    ]
    assert run("user", "passwd", "jo", "--password-file", "other").exit_code == 0
    assert verified("jo", "battery staple")
    assert not verified("jo")
    assert run("user", "disable", "al").exit_code == 0
    assert not verified("al")
    table = run("user", "list").stdout.splitlines()
    assert table[1].split()[:4] == ["al", "a,", "b", "disabled"]
    assert table[2].split()[:3] == ["jo", "all", "enabled"]
    assert run("user", "enable", "al").exit_code == 0
    assert verified("al")
    assert run("user", "remove", "al").exit_code == 0
    assert not verified("al")


def test_a_passcode_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user, "_at_terminal", lambda: True)
    typed = "".join(f"{line}\n" for line in (SECRET, "mistyped", SECRET, SECRET))
    result = CliRunner().invoke(cli, ["user", "add", "jo"], input=typed)
    assert result.exit_code == 0
    assert result.stderr.count("Passcode:") == 2
    assert "do not match" in result.stderr
    assert SECRET not in result.output
    assert verified("jo")


def test_without_a_terminal_nobody_is_asked(run: Run) -> None:
    result = run("user", "add", "jo")
    assert result.exit_code == exit_codes.SYNTAX
    assert "--password-file" in result.stderr


def test_a_passcode_comes_from_standard_input_if_told_so() -> None:
    result = CliRunner().invoke(
        cli, ["user", "add", "jo", "--password-file", "-"], input=f"{SECRET}\r\n"
    )
    assert result.exit_code == 0
    assert verified("jo")


@pytest.mark.parametrize(
    ("arguments", "sentence", "code"),
    [
        (("add", " jo", "--password-file", "secret"), "A user name has", exit_codes.SYNTAX),
        (("add", "jo", "--password-file", "short"), "8 to 1,024 bytes", exit_codes.SYNTAX),
        (("add", "jo", "--password-file", "long"), "8 to 1,024 bytes", exit_codes.SYNTAX),
        (("add", "jo", "--password-file", "absent"), "absent", exit_codes.UNREADABLE_INPUT),
        (("add", "jo", "--label", "a b", "--password-file", "secret"), "label", exit_codes.SYNTAX),
        (("add", "there", "--password-file", "secret"), "already", exit_codes.SYNTAX),
        (("passwd", "jo", "--password-file", "secret"), "There is no user", exit_codes.SYNTAX),
        (("disable", "jo"), "There is no user", exit_codes.SYNTAX),
        (("remove", "jo"), "There is no user", exit_codes.SYNTAX),
        (("list", "--data", "nowhere"), "no archive", exit_codes.UNREADABLE_INPUT),
    ],
)
def test_what_cannot_be_is_a_sentence(
    run: Run, arguments: tuple[str, ...], sentence: str, code: int
) -> None:
    Path("short").write_text("short\n")
    Path("long").write_text("x" * 5000)
    with AccessDatabase(Path("isocenter-data/access.sqlite")) as database:
        Users(database).add("there", SECRET.encode(), ALL_STUDIES)
    result = run("user", *arguments)
    assert (result.exit_code, sentence in result.stderr) == (code, True), result.stderr
    assert SECRET not in result.output


def test_no_passcode_can_be_given_on_the_command_line(run: Run) -> None:
    for option in ("--password", "--passcode", "-p"):
        assert run("user", "add", "jo", option, SECRET).exit_code == exit_codes.SYNTAX


@pytest.mark.parametrize("content", [b"", b" \n", b"two words", b"x" * 20_000])
def test_what_is_no_token_is_not_sent(run: Run, content: bytes) -> None:
    Path("token").write_bytes(content)
    result = run("echo", "localhost", "--jwt-file", "token")
    assert result.exit_code == exit_codes.SYNTAX
    assert "holds no JSON Web Token" in result.stderr


def test_a_token_takes_the_place_of_a_name(run: Run) -> None:
    Path("token").write_bytes(b"a.b.c")
    result = run("echo", "localhost", "--jwt-file", "token", "--user", "jo")
    assert result.exit_code == exit_codes.SYNTAX
    assert "--jwt-file takes the place" in result.stderr
