"""`isocenter find`."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import click

from isocenter.cli import exit_codes
from isocenter.cli.associate import associate
from isocenter.cli.console import harmless, show_table
from isocenter.cli.failures import CommandFailed
from isocenter.cli.options import PORT, association_options, not_yet
from isocenter.cli.verbosity import Verbosity, say

if TYPE_CHECKING:
    from isocenter.cli.query_keys import Key
    from isocenter.dimse.status import Status
    from isocenter.encoding.elements import Elements
    from isocenter.services.association import ClientAssociation, Destination


@click.command("find")
@click.argument("peer")
@click.argument("port", type=PORT, required=False)
@click.option(
    "-k",
    "--key",
    "keys",
    multiple=True,
    metavar="KEY[=VALUE]",
    help="Match an attribute, or ask for it: PatientName='DOE*', 0010,0020=4711, StudyDate. "
    "Without a key that only asks, the usual attributes of the level are asked for.",
)
@click.option("-P", "--patient", "model", flag_value="PATIENT", help="Patient Root model.")
@click.option("-S", "--study", "model", flag_value="STUDY", help="Study Root model (default).")
@not_yet("-W", "--worklist", what="the worklist model comes in a later version")
@not_yet("-U", "--ups", what="unified procedure steps come in a later version")
@not_yet("-O", "--psonly", what="the Patient/Study Only model comes in a later version")
@click.option(
    "-L",
    "--level",
    type=click.Choice(["PATIENT", "STUDY", "SERIES", "IMAGE"], case_sensitive=False),
    help="Query level (default: STUDY; with -P, PATIENT); also -k QueryRetrieveLevel=...",
)
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
@association_options
def command(
    destination: Destination,
    keys: Sequence[str],
    model: str | None,
    level: str | None,
    cancel: int | None,
    repeat: int,
    as_json: bool,
) -> None:
    """Ask a node for patients, studies, series or images (C-FIND)."""
    from isocenter.cli.query_keys import columns, complete_keys, identifier, parse_key
    from isocenter.dictionary.sop_classes import PATIENT_ROOT_FIND, STUDY_ROOT_FIND
    from isocenter.services.query_retrieve_scu import find_context

    default_level = "PATIENT" if model == "PATIENT" else "STUDY"
    complete = complete_keys(map(parse_key, keys), level, default_level)
    request = identifier(complete)
    model_uid = PATIENT_ROOT_FIND if model == "PATIENT" else STUDY_ROOT_FIND
    with associate(destination, [find_context(model_uid)]) as association:
        for _ in range(repeat - 1):
            for _ in _Query(association, model_uid, request, cancel).matches():
                pass
        query = _Query(association, model_uid, request, cancel)
        if as_json:
            _show_json(query)
        else:
            _show_table(query, columns(complete))
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
        self.count = 0
        self.status: Status | None = None
        self.comment = ""

    def matches(self) -> Generator[Elements, None, None]:
        """The matches as they come; the final status is in `status` afterwards."""
        for response in self._responses:
            if response.status.is_pending:
                self.count += 1
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


def _show_table(query: _Query, keys: Sequence[Key]) -> None:
    from isocenter.cli.matches import table_row

    with closing(query.matches()) as matches:
        rows = [table_row(match, keys) for match in matches]
    if rows:
        show_table([key.name for key in keys], rows)


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
