"""`isocenter get`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isocenter.cli import exit_codes
from isocenter.cli.failures import CommandFailed
from isocenter.cli.options import association_options
from isocenter.cli.retrieval import conclude, follow, retrieve_identifier, retrieve_options
from isocenter.cli.verbosity import Verbosity, say

if TYPE_CHECKING:
    from isocenter.services.association import Destination


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
    "--sop-class",
    "sop_classes",
    multiple=True,
    metavar="UID",
    help="Propose only this storage class, in every transfer syntax; may be repeated.",
)
@association_options
def command(
    destination: Destination,
    keys: Sequence[str],
    model: str | None,
    level: str | None,
    cancel: int | None,
    as_json: bool,
    folder: Path,
    sop_classes: tuple[str, ...],
) -> None:
    """Retrieve objects over one association (C-GET), into files named by their UIDs."""
    from isocenter.dictionary.sop_classes import PATIENT_ROOT_GET, STUDY_ROOT_GET
    from isocenter.services.get_contexts import get_contexts, receiving
    from isocenter.services.received_files import FileReceiver

    request = retrieve_identifier(keys, level)
    model_uid = PATIENT_ROOT_GET if model == "PATIENT" else STUDY_ROOT_GET
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandFailed(f"{folder}: {error.strerror}", exit_codes.UNWRITABLE_OUTPUT) from error
    contexts = get_contexts(model_uid, sop_classes)
    receiver = FileReceiver(
        folder, source_ae=destination.called_ae, receiving_ae=destination.calling_ae
    )
    with destination.connect(contexts, receiving=receiving(contexts)) as association:
        responses = association.get(model_uid, request, receiver, cancel_after=cancel)
        last = follow(responses, "Getting")
    if receiver.trouble:
        say(f"Not all could be kept: {receiver.trouble}.", Verbosity.NORMAL)
    files = {"files": [str(path) for path in receiver.written]} if as_json else None
    conclude(last, "C-GET", destination, files)
