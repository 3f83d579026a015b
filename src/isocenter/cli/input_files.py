"""The PEER [PORT] PATH... of commands that read files, and the DICOM objects found there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isocenter.cli.console import progress
from isocenter.cli.port_argument import take_port

if TYPE_CHECKING:
    from isocenter.encoding.files import RefusedFile, StorableFile


def take_paths(
    context: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> tuple[str, ...]:
    """`take_port`, where at least one path must be named."""
    paths = take_port(context, parameter, given)
    if not paths:
        raise click.UsageError("Name at least one file or directory to send.", context)
    return paths


def collect(
    paths: tuple[str, ...], recurse: bool, pattern: str | None
) -> tuple[list[StorableFile], list[RefusedFile]]:
    """The objects that can be sent, and the files that cannot; `pattern` as in fnmatch."""
    from isocenter.encoding.files import RefusedFile, collect_files

    files: list[StorableFile] = []
    skipped: list[RefusedFile] = []
    with progress("Looking for DICOM objects") as bar:
        for found in collect_files(paths, recurse=recurse, pattern=pattern):
            if isinstance(found, RefusedFile):
                skipped.append(found)
            else:
                files.append(found)
            bar.update(len(files) + len(skipped))
    return files, skipped
