"""What `isocenter get` and `isocenter move` share: requests, and telling how it went."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from isocenter.cli import exit_codes
from isocenter.cli.console import harmless, plural, progress
from isocenter.cli.failures import CommandFailed
from isocenter.cli.query_options import Question, question_options
from isocenter.cli.verbosity import Verbosity, say

if TYPE_CHECKING:
    from typing import TextIO

    from isocenter.cli.console import Progress
    from isocenter.dimse.status import Status
    from isocenter.encoding.elements import Elements
    from isocenter.services.association import Destination
    from isocenter.services.retrieve_scu import RetrieveProgress

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
Ask = Callable[["Elements", int | None], Iterator["RetrieveProgress"]]

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
        type=click.File("r", encoding="utf-8", errors="replace"),
        metavar="FILE",
        help="Retrieve the UIDs in FILE, one a line (- is standard input): of studies, or with -L "
        "of series or images. Many go into one request.",
    ),
    question_options,
    click.option("--relational", is_flag=True, help="Propose relational retrieval."),
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
    from isocenter.services import retrieve_identifier as identifiers

    model, keys, base, level = question
    if uid_file is None:
        return [identifiers.retrieve_identifier(model, keys, base, level)]
    uids = identifiers.read_uids(uid_file)
    requests = list(identifiers.identifiers_for_list(model, uids, keys, base, level))
    if not requests:
        raise CommandFailed(f"{uid_file.name} names no UID.", exit_codes.NO_INPUT)
    return requests


@dataclass(slots=True)
class Outcome:
    """What became of one or several requests; `status` is the gravest of their final ones."""

    status: Status | None = None
    comment: str = ""
    completed: int = 0
    failed: int = 0
    warning: int = 0
    remaining: int = 0
    failed_uids: list[str] = field(default_factory=list)
    requests: int = 0

    @property
    def done(self) -> int:
        """Sub-operations that have ended, well or not."""
        return self.completed + self.failed + self.warning

    def add(self, last: RetrieveProgress) -> None:
        """Take in the final response of a request."""
        self.requests += 1
        self.completed += last.completed or 0
        self.failed += last.failed or 0
        self.warning += last.warning or 0
        self.remaining += last.remaining or 0
        self.failed_uids += last.failed_uids
        if self.status is None or _gravity(last.status) > _gravity(self.status):
            self.status, self.comment = last.status, last.comment


def _gravity(status: Status) -> int:
    if status.is_failure:
        return 3
    return 0 if status.is_success else 1 + status.is_warning


def follow(ask: Ask, requests: Sequence[Elements], description: str, cancel: int | None) -> Outcome:
    """Make the requests one after the other, and show how far they are.

    A request that fails does not end the others. `cancel` is the number of objects after which
    the one under way is canceled and no more are made.
    """
    outcome = Outcome()
    with progress(description) as bar:
        for request in requests:
            left = None if cancel is None else cancel - outcome.done
            if left is not None and left <= 0:
                break
            _follow(ask(request, left), outcome, bar, known=len(requests) == 1)
    return outcome


def _follow(
    responses: Iterator[RetrieveProgress], outcome: Outcome, bar: Progress, *, known: bool
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
    outcome: Outcome, command: str, destination: Destination, extra: dict[str, Any] | None
) -> None:
    """Tell how a retrieve ended; raises CommandFailed where not everything came.

    `extra` goes into one JSON object on standard output; None writes none.
    """
    status = outcome.status
    assert status is not None  # there is one request at least
    counts = {
        name: getattr(outcome, name) for name in ("completed", "failed", "warning", "remaining")
    }
    if extra is not None:
        document = {
            "peer": str(destination),
            "status": f"0x{status.code:04X}",
            "comment": outcome.comment,
            "requests": outcome.requests,
            **counts,
            "failed_uids": outcome.failed_uids,
        }
        click.echo(json.dumps(document | extra, ensure_ascii=False))
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
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
