"""`isocenter user add`, `passwd`, `disable`, `enable`, `remove` and `list`."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isocenter.cli import exit_codes
from isocenter.cli.console import harmless, show_json, show_table
from isocenter.cli.failures import CommandFailed
from isocenter.cli.local_access import local_access
from isocenter.cli.local_archive import archive_options, existing_archive_config
from isocenter.cli.verbosity import Verbosity, say, verbosity_options

if TYPE_CHECKING:
    from isocenter.security.users import User
    from isocenter.server.config import Config

_LONGEST_LINE = 4096  # bytes; more than any passcode may have

_passcode_file = click.option(
    "--password-file",
    metavar="FILE",
    help="The passcode is the first line of FILE (-: standard input); else it is asked for.",
)


@click.group("user")
def command() -> None:
    """See and change who may identify themselves to this node, by name and passcode.

    All of these work while a node is running, and hold from its next association on.
    """


@command.command("add")
@click.argument("name")
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="LABEL",
    help="The user sees studies with this label (`isocenter label`); may be repeated. Without it, "
    "all studies.",
)
@_passcode_file
@archive_options
@verbosity_options
def add(
    name: str,
    labels: tuple[str, ...],
    password_file: str | None,
    config: str | None,
    data: str | None,
) -> None:
    """Add a user."""
    from isocenter.archive.study_labels import check_label
    from isocenter.security.users import Users, as_scope, check_name

    settings = existing_archive_config(config, data)
    check_name(name)
    for label in labels:
        check_label(label)
    passcode = _asked(password_file)
    with local_access(settings) as database:
        Users(database).add(name, passcode, as_scope(labels or None))
    say(f"Added the user {harmless(name)}.", Verbosity.NORMAL)


@command.command("passwd")
@click.argument("name")
@_passcode_file
@archive_options
@verbosity_options
def passwd(name: str, password_file: str | None, config: str | None, data: str | None) -> None:
    """Give a user another passcode."""
    from isocenter.security.users import Users

    settings = existing_archive_config(config, data)
    passcode = _asked(password_file)
    with local_access(settings) as database:
        Users(database).set_passcode(name, passcode)
    say(f"The user {harmless(name)} has a new passcode.", Verbosity.NORMAL)


@command.command("disable")
@click.argument("name")
@archive_options
@verbosity_options
def disable(name: str, config: str | None, data: str | None) -> None:
    """Refuse a user until further notice; associations that are open stay so."""
    _set_disabled(name, True, existing_archive_config(config, data))


@command.command("enable")
@click.argument("name")
@archive_options
@verbosity_options
def enable(name: str, config: str | None, data: str | None) -> None:
    """Take a user again that was disabled."""
    _set_disabled(name, False, existing_archive_config(config, data))


@command.command("remove")
@click.argument("name")
@archive_options
@verbosity_options
def remove(name: str, config: str | None, data: str | None) -> None:
    """Forget a user."""
    from isocenter.security.users import Users

    with local_access(existing_archive_config(config, data)) as database:
        Users(database).remove(name)
    say(f"Removed the user {harmless(name)}.", Verbosity.NORMAL)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@archive_options
@verbosity_options
def list_(as_json: bool, config: str | None, data: str | None) -> None:
    """List the users, and which studies they may see."""
    from isocenter.security.users import Users

    with local_access(existing_archive_config(config, data)) as database:
        users = Users(database).list()
    if as_json:
        show_json([_as_json(user) for user in users])
    elif users:
        headings = ("Name", "Studies", "State", "Added", "Changed")
        show_table(headings, [_row(user) for user in users])
    else:
        say("There are no users; `isocenter user add` makes the first.", Verbosity.NORMAL)


def _set_disabled(name: str, disabled: bool, settings: Config) -> None:
    from isocenter.security.users import Users

    with local_access(settings) as database:
        Users(database).set_disabled(name, disabled)
    state = "disabled" if disabled else "enabled"
    say(f"The user {harmless(name)} is {state}.", Verbosity.NORMAL)


def _asked(password_file: str | None) -> bytes:
    """A passcode from a file or a person; never from the command line, which others can read."""
    if password_file == "-":
        return _first_line(sys.stdin.buffer.readline(_LONGEST_LINE))
    if password_file is not None:
        with Path(password_file).open("rb") as stream:
            return _first_line(stream.readline(_LONGEST_LINE))
    if not _at_terminal():
        raise CommandFailed(
            "Standard input is no terminal, so nobody can be asked for the passcode; "
            "give it with --password-file.",
            exit_codes.SYNTAX,
        )
    answer: str = click.prompt("Passcode", hide_input=True, confirmation_prompt=True, err=True)
    return answer.encode()


def _at_terminal() -> bool:
    return sys.stdin.isatty()


def _first_line(line: bytes) -> bytes:
    return line.rstrip(b"\r\n")


def _labels(user: User) -> list[str] | None:
    return None if user.scope.labels is None else sorted(user.scope.labels)


def _row(user: User) -> tuple[str, ...]:
    labels = _labels(user)
    return (
        user.name,
        "all" if labels is None else ", ".join(labels) or "none",
        "disabled" if user.disabled else "enabled",
        _moment(user.created_at).strftime("%Y-%m-%d %H:%M"),
        _moment(user.changed_at).strftime("%Y-%m-%d %H:%M"),
    )


def _as_json(user: User) -> dict[str, object]:
    return {
        "name": user.name,
        "labels": _labels(user),
        "disabled": user.disabled,
        "created_at": _moment(user.created_at).isoformat(),
        "changed_at": _moment(user.changed_at).isoformat(),
    }


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds).astimezone()
