"""`isocenter version`: what is installed, for a bug report."""

from __future__ import annotations

import platform
from importlib import metadata

import click

import isocenter
from isocenter.cli.console import show_json

_LIBRARIES = ("pydicom", "SQLAlchemy", "pydantic", "click", "rich", "structlog", "xxhash")


@click.command("version")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(as_json: bool) -> None:
    """Show the versions of isocenter and of what it runs on."""
    import sqlite3

    versions = {
        "isocenter": isocenter.__version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{name: _version_of(name) for name in _LIBRARIES},
    }
    if as_json:
        show_json(versions)
        return
    for name, version in versions.items():
        click.echo(f"{name} {version}")


def _version_of(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"
