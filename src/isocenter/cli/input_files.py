"""The PEER [PORT] PATH... of commands that read files, and the DICOM objects found there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isocenter.cli.console import progress
from isocenter.cli.peer_address import parse_address

if TYPE_CHECKING:
    from isocenter.encoding.files import RefusedFile, StorableFile


def split_port(
    context: click.Context, _: click.Parameter, given: tuple[str, ...]
) -> tuple[str, ...]:
    """`PEER 11112 DIR`: a number behind a PEER without a port is the port, not a path."""
    port = None
    if len(given) > 0 and given[0].isascii() and given[0].isdigit():
        number = int(given[0][:6])
        if 1 <= number <= 65535 and parse_address(context.params["peer"]).port is None:
            port, given = number, given[1:]
    context.params["port"] = port
    return given


def take_port(
    context: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> tuple[str, ...]:
    """Like `split_port`, where at least one path must be named."""
    paths = split_port(context, parameter, given)
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
