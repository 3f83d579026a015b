"""`isocenter config show|check|init|manual`."""

from __future__ import annotations

from pathlib import Path

import click

from isocenter.cli import exit_codes
from isocenter.cli.failures import CommandFailed
from isocenter.cli.options import config_option
from isocenter.cli.verbosity import verbosity_options


@click.group("config")
def command() -> None:
    """Show, check or begin a configuration."""


@command.command("show")
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object, without the origins.")
@verbosity_options
def show(config: str | None, as_json: bool) -> None:
    """Print the configuration in force, and where each value comes from."""
    from isocenter.cli.config_text import effective_toml
    from isocenter.server.config_loading import load_config

    loaded = load_config(config)
    click.echo(
        loaded.config.model_dump_json(indent=2) if as_json else effective_toml(loaded), nl=as_json
    )


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@verbosity_options
def check(file: Path) -> None:
    """Check a configuration file by itself, without the environment."""
    from isocenter.server.config_loading import ConfigError, load_config

    try:
        load_config(file, environment=False)
    except ConfigError as error:
        for problem in error.problems:
            click.echo(str(problem))
        count = len(error.problems)
        raise CommandFailed(
            f"{file} cannot be used: {count} problem{'' if count == 1 else 's'}.",
            exit_codes.SYNTAX,
        ) from None
    click.echo(f"{file}: no problems.")


@command.command("init")
@click.argument("file", default="isocenter.toml", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@verbosity_options
def init(file: Path, force: bool) -> None:
    """Write a commented configuration to begin with (FILE - is standard output)."""
    from isocenter.cli.config_text import commented_toml

    if str(file) == "-":
        click.echo(commented_toml(), nl=False)
        return
    try:
        with file.open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(commented_toml())
    except FileExistsError:
        raise CommandFailed(
            f"{file} exists already; give another name, or --force to replace it.",
            exit_codes.UNWRITABLE_OUTPUT,
        ) from None
    except OSError as error:
        raise CommandFailed(
            f"{file} cannot be written: {error.strerror}.", exit_codes.UNWRITABLE_OUTPUT
        ) from error
    click.echo(f"Wrote {file}. Start a node with it: isocenter serve -c {file}")


@command.command("manual", hidden=True)
def manual() -> None:
    """Print docs/configuration.md."""
    from isocenter.cli.config_text import manual as text

    click.echo(text(), nl=False)
