"""How much a command says beside its result: -q, -v, -d and -ll, as in DCMTK.

Results go to standard output. Everything said here goes to standard error.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_META = "isocenter.verbosity"


class Verbosity(IntEnum):
    """QUIET says nothing but the result, NORMAL adds errors and progress, and so on."""

    QUIET = 0
    NORMAL = 1
    VERBOSE = 2
    DEBUG = 3


_LOG_LEVELS = {
    "fatal": Verbosity.QUIET,
    "error": Verbosity.NORMAL,
    "warn": Verbosity.NORMAL,
    "info": Verbosity.VERBOSE,
    "debug": Verbosity.DEBUG,
    "trace": Verbosity.DEBUG,
}


def verbosity() -> Verbosity:
    """What the command line asked for; NORMAL outside of a command."""
    context = click.get_current_context(silent=True)
    return context.meta.get(_META, Verbosity.NORMAL) if context else Verbosity.NORMAL


def say(text: str, level: Verbosity = Verbosity.VERBOSE) -> None:
    """Write a line to standard error when at least `level` was asked for."""
    if verbosity() >= level:
        click.echo(text, err=True)


def verbosity_options(command: Command) -> Command:
    """Add -q, -v, -d and -ll; the function itself gets no argument."""
    for decorate in reversed(
        (
            _flag("-q", "--quiet", Verbosity.QUIET, "Print nothing but the result."),
            _flag("-v", "--verbose", Verbosity.VERBOSE, "Tell each step."),
            _flag("-d", "--debug", Verbosity.DEBUG, "Tell everything; show tracebacks."),
            click.option(
                "-ll",
                "--log-level",
                type=click.Choice(list(_LOG_LEVELS)),
                expose_value=False,
                is_eager=True,
                callback=lambda c, _, name: _remember(c, _LOG_LEVELS[name] if name else None),
                help="The same by name.",
            ),
        )
    ):
        command = decorate(command)
    return command


def _flag(short: str, long: str, level: Verbosity, text: str) -> Callable[[Command], Command]:
    return click.option(
        short,
        long,
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=lambda context, _, given: _remember(context, level if given else None),
        help=text,
    )


def _remember(context: click.Context, level: Verbosity | None) -> None:
    if level is not None:
        context.meta[_META] = level
