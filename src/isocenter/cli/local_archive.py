"""Commands that work on the archive of this machine: where it is, and opening it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from isocenter.cli import exit_codes
from isocenter.cli.console import harmless
from isocenter.cli.failures import CommandFailed
from isocenter.cli.options import config_option
from isocenter.cli.verbosity import Verbosity, say, verbosity

if TYPE_CHECKING:
    from isocenter.archive.archive import Archive
    from isocenter.archive.index.reader import IndexReader
    from isocenter.archive.maintenance import Problem
    from isocenter.server.config import Config


def archive_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add -c/--config and --data."""
    data = click.option(
        "--data",
        metavar="DIR",
        help="The archive's folder (default: the configuration's, ./isocenter-data).",
    )
    return config_option(data(function))


def archive_config(config: str | None, data: str | None) -> Config:
    """The configuration of the archive that is meant, the log directed. Raises ConfigError."""
    from isocenter.server.config_loading import load_config

    settings = load_config(config, overrides={("node", "data_directory"): data}).config
    log_to_standard_error()
    return settings


def existing_archive_config(config: str | None, data: str | None) -> Config:
    """The same, of an archive that is there. Raises ConfigError, CommandFailed."""
    settings = archive_config(config, data)
    require_archive(settings)
    return settings


def log_to_standard_error() -> None:
    """What the archive has to say besides the command's own report: its errors; with -v, all."""
    from isocenter.server.logging import configure_logging

    said = verbosity()
    configure_logging(
        "debug" if said >= Verbosity.DEBUG else "info" if said >= Verbosity.VERBOSE else "error"
    )


def require_archive(config: Config) -> None:
    """Raise CommandFailed when there is no archive where one should be."""
    folder = config.node.data_directory
    if not folder.is_dir():
        raise CommandFailed(
            f"There is no archive in {folder}; name its folder with --data, or begin one with "
            "`isocenter serve` or `isocenter import`.",
            exit_codes.UNREADABLE_INPUT,
        )


@contextmanager
def writable_archive(config: Config) -> Iterator[Archive]:
    """The archive, open for storing; made where there is none."""
    from isocenter.server.running import open_archive

    with naming_the_folder(config):
        archive = open_archive(config)
    with archive:
        yield archive


@contextmanager
def naming_the_folder(config: Config) -> Iterator[None]:
    """Turn the system's refusal of the data folder into a sentence about it."""
    try:
        yield
    except OSError as error:
        raise CommandFailed(
            f"{config.node.data_directory} cannot be used as a data folder: {error.strerror}; "
            "choose another with --data.",
            exit_codes.UNWRITABLE_OUTPUT,
        ) from error


@contextmanager
def readable_index(config: Config) -> Iterator[IndexReader]:
    """The index, open for reading only: this works while a node is running."""
    require_archive(config)
    from isocenter.archive.index.reader import IndexReader
    from isocenter.archive.layout import INDEX_FILE

    path = config.node.data_directory / INDEX_FILE
    if not path.is_file():
        raise CommandFailed(
            f"{config.node.data_directory} holds no index; rebuild it from the packs with "
            f"`isocenter reindex --data {config.node.data_directory}`.",
            exit_codes.DAMAGED_ARCHIVE,
        )
    reader = IndexReader(path)
    try:
        yield reader
    finally:
        reader.close()


def show_pack_problems(problems: Sequence[Problem]) -> None:
    """List what is wrong with packs, one line each, on standard error."""
    for problem in problems:
        say(harmless(f"{problem.pack}: {problem.reason}"), Verbosity.NORMAL)
