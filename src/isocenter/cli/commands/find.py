"""`isocenter find`."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isocenter.cli import exit_codes
from isocenter.cli.associate import associate
from isocenter.cli.console import harmless, plural, show_table
from isocenter.cli.failures import CommandFailed
from isocenter.cli.options import association_options, not_yet
from isocenter.cli.query_options import (
    KEY_HELP,
    Question,
    negotiation_options,
    question_options,
    tell_missing,
)
from isocenter.cli.verbosity import Verbosity, say

if TYPE_CHECKING:
    from isocenter.dimse.status import Status
    from isocenter.encoding.elements import Elements
    from isocenter.services.association import ClientAssociation, Destination
    from isocenter.services.query_options import QueryOptions

_PENDING_WARNING = 0xFF01  # PS3.4 C.4.1.1.4: some optional keys are neither matched nor returned


@click.command("find")
@click.option(
    "-k",
    "--key",
    "keys",
    multiple=True,
    metavar="KEY[=VALUE]",
    help=f"Match an attribute, or ask for it: {KEY_HELP} "
    "Without a key that only asks, the usual attributes of the level are asked for.",
)
@click.option("-W", "--worklist", "model", flag_value="WORKLIST", help="Modality Worklist model.")
@not_yet("-U", "--ups", what="unified procedure steps come in a later version")
@question_options
@negotiation_options()
@click.option(
    "--cancel", type=click.IntRange(1), metavar="N", help="Send C-CANCEL after N matches."
)
@click.option(
    "--repeat",
    type=click.IntRange(1, 1_000_000),
    default=1,
    metavar="N",
    help="Query N times on the one association; the last result is shown.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="A JSON array of matches in the DICOM JSON Model, one match per line.",
)
@click.option("-X", "--extract", is_flag=True, help="Write each match to a file, rsp0001.dcm ...")
@click.option(
    "-od",
    "--output-directory",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where -X writes to, made if it is not there (default: the working directory).",
)
@association_options
def command(
    destination: Destination,
    question: Question,
    wanted: QueryOptions,
    cancel: int | None,
    repeat: int,
    as_json: bool,
    extract: bool,
    folder: Path | None,
) -> None:
    """Ask a node for patients, studies, series, images or worklist items (C-FIND).

    QUERY-FILE is a DICOM file, or one data set in the DICOM JSON Model, with keys to begin with.
    """
    from isocenter.services.query_identifier import query_identifier
    from isocenter.services.query_retrieve_scu import find_context

    if as_json and (extract or folder):
        raise click.UsageError("-X and --json are two outputs; choose one.")
    model = question.model
    request = query_identifier(*question)
    extended = wanted.query_proposals(model.find)
    with associate(destination, [find_context(model.find)], extended=extended) as association:
        tell_missing(association, destination, wanted, model.find)
        for _ in range(repeat - 1):
            for _ in _Query(association, model.find, request, cancel).matches():
                pass
        query = _Query(association, model.find, request, cancel)
        if as_json:
            _show_json(query)
        elif extract or folder:
            _write_files(query, folder or Path())
        else:
            _show_table(query)
    query.judge(destination)


class _Query:
    """One C-FIND, and how it ended."""

    def __init__(
        self,
        association: ClientAssociation,
        model_uid: str,
        request: Elements,
        cancel: int | None,
    ) -> None:
        self._responses = association.find(model_uid, request, cancel_after=cancel)
        self.model_uid = model_uid
        self.request = request
        self.count = 0
        self.status: Status | None = None
        self.comment = ""
        self._keys_unsupported = False

    def matches(self) -> Generator[Elements, None, None]:
        """The matches as they come; the final status is in `status` afterwards."""
        for response in self._responses:
            if response.status.is_pending:
                self.count += 1
                self._keys_unsupported |= response.status.code == _PENDING_WARNING
                yield response.identifier
            else:
                self.status, self.comment = response.status, response.comment

    def judge(self, destination: Destination) -> None:
        """Tell how it ended; raises CommandFailed where that is a failure."""
        status = self.status
        if status is not None and status.is_failure:
            comment = f" ({harmless(self.comment)})" if self.comment else ""
            raise CommandFailed(
                f"{destination} answered C-FIND with {status}{comment}.", exit_codes.FAILED_STATUS
            )
        ended = "" if status is None or status.is_success else f"; {status}"
        say(f"{self.count:,} {'match' if self.count == 1 else 'matches'}{ended}", Verbosity.NORMAL)
        if self._keys_unsupported:
            say(f"{destination} does not support all of these keys (FF01H).", Verbosity.NORMAL)


def _show_table(query: _Query) -> None:
    from isocenter.cli.matches import headings, table_row
    from isocenter.services.query_identifier import leaves

    columns = list(leaves(query.request))
    with closing(query.matches()) as matches:
        rows = [table_row(match, columns) for match in matches]
    if rows:
        show_table(headings(columns), rows)


def _write_files(query: _Query, folder: Path) -> None:
    from isocenter.cli.match_files import MatchFiles

    files = MatchFiles(folder, query.model_uid)
    with closing(query.matches()) as matches:
        for number, match in enumerate(matches, start=1):
            say(f"{files.write(number, match)}")
    say(f"{plural(query.count, 'file')} written to {folder}.", Verbosity.NORMAL)


def _show_json(query: _Query) -> None:
    """An array that is valid JSON however the query ends, written as the matches come."""
    from isocenter.cli.matches import to_json

    separator = "["
    try:
        for match in query.matches():
            click.echo(separator + "\n" + json.dumps(to_json(match), ensure_ascii=False), nl=False)
            separator = ","
    finally:
        click.echo("[]" if separator == "[" else "\n]")
