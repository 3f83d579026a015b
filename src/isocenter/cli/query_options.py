"""What `find`, `get` and `move` share: who is asked, in which information model, for what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from isocenter.cli.port_argument import take_port
from isocenter.cli.verbosity import Verbosity, say

if TYPE_CHECKING:
    from isocenter.encoding.elements import Elements
    from isocenter.services.association import ClientAssociation, Destination
    from isocenter.services.information_models import InformationModel
    from isocenter.services.query_keys import Key
    from isocenter.services.query_options import QueryOptions

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")

KEY_HELP = (
    "PatientName='DOE*', 0010,0020=4711, StudyDate, ScheduledProcedureStepSequence[0].Modality=CT."
)


class Question(NamedTuple):
    """The keys of a command line, and what they are put on top of."""

    model: InformationModel
    keys: Sequence[Key]
    base: Elements | None
    level: str | None


_ARGUMENTS: tuple[Decorator, ...] = (
    click.argument("peer", is_eager=True),
    click.argument("files", nargs=-1, metavar="[PORT] [QUERY-FILE]", callback=take_port),
    click.option("-P", "--patient", "model", flag_value="PATIENT", help="Patient Root model."),
    click.option("-S", "--study", "model", flag_value="STUDY", help="Study Root model (default)."),
    click.option(
        "-O", "--psonly", "model", flag_value="PSONLY", help="Patient/Study Only model (retired)."
    ),
    click.option(
        "-L",
        "--level",
        type=click.Choice(LEVELS, case_sensitive=False),
        help="The level of the query; also -k QueryRetrieveLevel=...",
    ),
)


def question_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add PEER, PORT, QUERY-FILE and the model; the command gets a `question` instead of them.

    The command declares its own `keys`. `peer` and `port` are for `association_options`.
    """

    @wraps(function)
    def command(
        *,
        files: tuple[str, ...],
        model: str | None,
        level: str | None,
        keys: tuple[str, ...],
        **arguments: Any,
    ) -> Any:
        from isocenter.services.query_keys import parse_key

        if len(files) > 1:
            raise click.UsageError(f"One query file at a time; {files[1]!r} is too many.")
        parsed = [parse_key(key) for key in keys]
        base = None
        if files:
            from isocenter.cli.query_file import read_query_file

            base = read_query_file(Path(files[0]))
        question = Question(_model(model), parsed, base, level)
        return function(question=question, **arguments)

    decorated: Callable[..., Any] = command
    for decorate in reversed(_ARGUMENTS):
        decorated = decorate(decorated)
    return decorated


_NEGOTIABLE = {
    "relational": "queries and retrievals of any level without the unique keys above it",
    "datetime": "that a range of date and one of time are one range of moments",
    "fuzzy": "fuzzy matching of person names",
    "timezone": "adjustment to the time zone of the query",
    "empty_values": "that '\"\"' matches what is empty",
    "multiple_values": "that any of several values matches",
}


def negotiation_options(*names: str) -> Decorator:
    """Add these wishes for extended negotiation, all without names; they come as one `wanted`."""
    names = names or tuple(_NEGOTIABLE)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def command(**arguments: Any) -> Any:
            from isocenter.services.query_options import QueryOptions

            wishes = {name: arguments.pop(name) for name in names}
            return function(wanted=QueryOptions(**wishes), **arguments)

        decorated: Callable[..., Any] = command
        for name in reversed(names):
            option = f"--{name.replace('_', '-')}"
            text = f"Propose {_NEGOTIABLE[name]} (extended negotiation)."
            decorated = click.option(option, name, is_flag=True, help=text)(decorated)
        return decorated

    return decorate


def _model(flag: str | None) -> InformationModel:
    from isocenter.services import information_models as models

    return {
        "PATIENT": models.PATIENT_ROOT,
        "PSONLY": models.PATIENT_STUDY_ONLY,
        "WORKLIST": models.WORKLIST,
    }.get(flag or "", models.STUDY_ROOT)


def tell_missing(
    association: ClientAssociation,
    destination: Destination,
    wanted: QueryOptions,
    model_uid: str,
) -> None:
    """Say what the peer did not agree to by extended negotiation; the request is made anyway."""
    from isocenter.services.query_options import agreed_options

    if missing := wanted - agreed_options(model_uid, association.extended_negotiations):
        say(
            f"{destination} did not agree to: {missing}; it answers by its own rules.",
            Verbosity.NORMAL,
        )
