"""What `isocenter get` and `isocenter move` share: requests, and telling how it went."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from typing import IO, TYPE_CHECKING, Any

import click

from isocenter.cli import exit_codes
from isocenter.cli.console import harmless, plural, progress
from isocenter.cli.failures import CommandFailed
from isocenter.cli.query_options import Question, negotiation_options, question_options
from isocenter.cli.verbosity import Verbosity, say

if TYPE_CHECKING:
    from typing import TextIO

    from isocenter.cli.console import Progress
    from isocenter.encoding.elements import Elements
    from isocenter.services.association import Destination
    from isocenter.services.retrieve_outcome import RetrieveOutcome
    from isocenter.services.retrieve_scu import RetrieveProgress

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
Ask = Callable[["Elements", int | None], Iterator["RetrieveProgress"]]


class _UidFile(click.File):
    """A file that cannot be opened is an input file that cannot be read, no wrong command line."""

    def convert(
        self,
        value: str | PathLike[str] | IO[Any],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> IO[Any]:
        """The open file. Raises CommandFailed."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            reason = error.message.rpartition(": ")[2]
            text = f"{value}: {reason}; --from needs a file with UIDs, one a line."
            raise CommandFailed(text, exit_codes.UNREADABLE_INPUT) from None


_OPTIONS: tuple[Decorator, ...] = (
    click.option(
        "-k",
        "--key",
        "keys",
        multiple=True,
        metavar="KEY=VALUE",
        help="Name what is wanted: StudyInstanceUID=1.2.3, SOPInstanceUID='1.2.4\\1.2.5'.",
    ),
    click.option(
        "--from",
        "uid_file",
        type=_UidFile("r", encoding="utf-8", errors="replace"),
        metavar="FILE",
        help="Retrieve the UIDs in FILE, one a line (- is standard input): of studies, or with -L "
        "of series or images. Many go into one request.",
    ),
    question_options,
    negotiation_options("relational"),
    click.option(
        "--cancel", type=click.IntRange(1), metavar="N", help="Send C-CANCEL after N objects."
    ),
    click.option("--json", "as_json", is_flag=True, help="One JSON object with the outcome."),
)


def retrieve_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the arguments and options of a retrieve."""
    for decorate in reversed(_OPTIONS):
        function = decorate(function)
    return function


def requests_for(question: Question, uid_file: TextIO | None) -> list[Elements]:
    """The identifiers to send: one for keys, several for a long list of UIDs.

    Raises QueryKeyError, and CommandFailed (NO_INPUT) for an empty list.
    """
    from isocenter.services.retrieve_identifier import read_uids, retrieve_identifiers, uid_list

    if uid_file is None:
        return retrieve_identifiers(*question)
    level = question.level
    listed = uid_list(read_uids(uid_file), level)
    if not listed.value:
        raise CommandFailed(f"{uid_file.name} names no UID.", exit_codes.NO_INPUT)
    return retrieve_identifiers(question.model, [*question.keys, listed], question.base, level)


def follow(
    ask: Ask, requests: Sequence[Elements], description: str, cancel: int | None
) -> RetrieveOutcome:
    """Make the requests one after the other, and show how far they are.

    A request that fails does not end the others; an association that breaks off does. `cancel` is
    the number of objects after which the one under way is canceled and no more are made.
    """
    from isocenter.dimse.errors import DimseError
    from isocenter.services.retrieve_outcome import RetrieveOutcome
    from isocenter.upperlayer.errors import UpperLayerError

    outcome = RetrieveOutcome()
    with progress(description) as bar:
        for request in requests:
            left = None if cancel is None else cancel - outcome.done
            if left is not None and left <= 0:
                break
            try:
                _follow(ask(request, left), outcome, bar, known=len(requests) == 1)
            except (UpperLayerError, DimseError) as error:
                outcome.broken = error
                break
    return outcome


def _follow(
    responses: Iterator[RetrieveProgress], outcome: RetrieveOutcome, bar: Progress, *, known: bool
) -> None:
    for response in responses:
        if not response.status.is_pending:
            outcome.add(response)
            return
        done = sum(filter(None, (response.completed, response.failed, response.warning)))
        remaining = response.remaining or 0
        total = done + remaining if known and response.remaining is not None else None
        bar.update(outcome.done + done, total)
        say(f"{outcome.done + done} done, {remaining} to go.")


def conclude(
    outcome: RetrieveOutcome, command: str, destination: Destination, extra: dict[str, Any] | None
) -> None:
    """Tell how a retrieve ended; raises CommandFailed where not everything came.

    `extra` goes into one JSON object on standard output; None writes none. An error that broke
    the association off is raised behind that.
    """
    if extra is not None:
        document = {"peer": str(destination)} | _as_json(outcome) | extra
        click.echo(json.dumps(document, ensure_ascii=False))
    if outcome.broken is not None:
        raise outcome.broken
    status = outcome.status
    assert status is not None  # there is one request at least
    told = ", ".join(f"{count} {name}" for name, count in _counts(outcome).items() if count)
    if outcome.requests > 1:
        told = f"{told or 'none done'} in {plural(outcome.requests, 'request')}"
    if status.is_failure or outcome.failed:
        comment = f" ({harmless(outcome.comment)})" if outcome.comment else ""
        for uid in outcome.failed_uids:
            say(f"  failed: {harmless(uid)}", Verbosity.NORMAL)
        raise CommandFailed(
            f"{destination} answered {command} with {status}{comment}; {told or 'none done'}.",
            exit_codes.FAILED_STATUS,
        )
    ended = "" if status.is_success else f"; {status}"
    say(f"{told or 'Nothing matched'}{ended}.", Verbosity.NORMAL)


def _counts(outcome: RetrieveOutcome) -> dict[str, int]:
    names = ("completed", "failed", "warning", "remaining")
    return {name: getattr(outcome, name) for name in names}


def _as_json(outcome: RetrieveOutcome) -> dict[str, Any]:
    return {
        "status": f"0x{outcome.status.code:04X}" if outcome.status else None,
        "comment": outcome.comment,
        "requests": outcome.requests,
        **_counts(outcome),
        "failed_uids": outcome.failed_uids,
    }
