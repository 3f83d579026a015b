"""`isocenter move`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isocenter.cli.associate import associate
from isocenter.cli.options import association_options
from isocenter.cli.query_options import Question, tell_missing
from isocenter.cli.retrieval import conclude, follow, requests_for, retrieve_options
from isocenter.server.peer_address import checked_ae_title

if TYPE_CHECKING:
    from typing import TextIO

    from isocenter.services.association import Destination
    from isocenter.services.query_options import QueryOptions


@click.command("move")
@retrieve_options
@click.option(
    "-aem",
    "--move",
    "--destination",
    "move_destination",
    metavar="AET",
    help="The AE title to send to, as the peer knows it (default: our own).",
)
@association_options
def command(
    destination: Destination,
    question: Question,
    uid_file: TextIO | None,
    wanted: QueryOptions,
    cancel: int | None,
    as_json: bool,
    move_destination: str | None,
) -> None:
    """Have a node send objects to another one, or to this one (C-MOVE).

    QUERY-FILE is a DICOM file, or one data set in the DICOM JSON Model, with keys to begin with.
    """
    from isocenter.services.query_retrieve_scu import find_context

    model_uid = question.model.move
    requests = requests_for(question, uid_file)
    title = checked_ae_title(move_destination or destination.calling_ae)
    with associate(
        destination, [find_context(model_uid)], extended=wanted.retrieval_proposals(model_uid)
    ) as association:
        tell_missing(association, destination, wanted, model_uid)
        outcome = follow(
            lambda request, left: association.move(model_uid, request, title, cancel_after=left),
            requests,
            "Moving",
            cancel,
        )
    conclude(outcome, "C-MOVE", destination, {"destination": title} if as_json else None)
