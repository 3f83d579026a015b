"""`isocenter move`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from isocenter.cli.associate import associate
from isocenter.cli.options import association_options
from isocenter.cli.peer_address import checked_ae_title
from isocenter.cli.retrieval import conclude, follow, retrieve_identifier, retrieve_options

if TYPE_CHECKING:
    from isocenter.services.association import Destination


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
    keys: Sequence[str],
    model: str | None,
    level: str | None,
    cancel: int | None,
    as_json: bool,
    move_destination: str | None,
) -> None:
    """Have a node send objects to another one, or to this one (C-MOVE)."""
    from isocenter.dictionary.sop_classes import PATIENT_ROOT_MOVE, STUDY_ROOT_MOVE
    from isocenter.services.query_retrieve_scu import find_context

    request = retrieve_identifier(keys, level)
    model_uid = PATIENT_ROOT_MOVE if model == "PATIENT" else STUDY_ROOT_MOVE
    title = checked_ae_title(move_destination or destination.calling_ae)
    with associate(destination, [find_context(model_uid)]) as association:
        responses = association.move(model_uid, request, title, cancel_after=cancel)
        last = follow(responses, "Moving")
    conclude(last, "C-MOVE", destination, {"destination": title} if as_json else None)
