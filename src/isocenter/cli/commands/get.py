"""`isocenter get`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from isocenter.cli import exit_codes
from isocenter.cli.associate import associate
from isocenter.cli.console import plural
from isocenter.cli.failures import CommandFailed
from isocenter.cli.options import association_options
from isocenter.cli.query_options import Question, tell_missing
from isocenter.cli.retrieval import conclude, follow, requests_for, retrieve_options
from isocenter.cli.verbosity import Verbosity, say

if TYPE_CHECKING:
    from typing import TextIO

    from isocenter.services.association import Destination
    from isocenter.services.query_options import QueryOptions
    from isocenter.services.received_files import FileReceiver


@click.command("get")
@retrieve_options
@click.option(
    "-od",
    "--output-directory",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Where the files go, made if it is not there (default: the working directory).",
)
@click.option(
    "--by-study", is_flag=True, help="A folder for each study, and in it one for each series."
)
@click.option(
    "--sop-class",
    "sop_classes",
    multiple=True,
    metavar="UID",
    help="Propose only this storage class, in every transfer syntax; may be repeated.",
)
@association_options
def command(
    destination: Destination,
    question: Question,
    uid_file: TextIO | None,
    wanted: QueryOptions,
    cancel: int | None,
    as_json: bool,
    folder: Path,
    by_study: bool,
    sop_classes: tuple[str, ...],
) -> None:
    """Retrieve objects over one association (C-GET), into files named by their UIDs.

    QUERY-FILE is a DICOM file, or one data set in the DICOM JSON Model, with keys to begin with.
    """
    from isocenter.services.get_contexts import get_contexts, receiving
    from isocenter.services.received_files import FileReceiver

    model_uid = question.model.get
    requests = requests_for(question, uid_file)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandFailed(f"{folder}: {error.strerror}", exit_codes.UNWRITABLE_OUTPUT) from error
    contexts = get_contexts(model_uid, sop_classes)
    receiver = FileReceiver(
        folder,
        by_study=by_study,
        source_ae=destination.called_ae,
        receiving_ae=destination.calling_ae,
    )
    with associate(
        destination,
        contexts,
        receiving=receiving(contexts),
        extended=wanted.retrieval_proposals(model_uid),
    ) as association:
        tell_missing(association, destination, wanted, model_uid)
        outcome = follow(
            lambda request, left: association.get(model_uid, request, receiver, cancel_after=left),
            requests,
            "Getting",
            cancel,
        )
    _tell(receiver)
    conclude(outcome, "C-GET", destination, _as_json(receiver) if as_json else None)


def _as_json(receiver: FileReceiver) -> dict[str, list[str]]:
    kinds = {"files": receiver.written, "unchanged": receiver.unchanged, "beside": receiver.beside}
    return {kind: list(map(str, paths)) for kind, paths in kinds.items()}


def _tell(receiver: FileReceiver) -> None:
    if receiver.trouble:
        say(f"Not all could be kept: {receiver.trouble}.", Verbosity.NORMAL)
    if receiver.unchanged:
        say(f"{plural(len(receiver.unchanged), 'file')} there already, with the same content.")
    if receiver.beside:
        say(
            f"{plural(len(receiver.beside), 'object')} had other content than the file of its "
            f"name, and went beside it: {receiver.beside[0]}",
            Verbosity.NORMAL,
        )
