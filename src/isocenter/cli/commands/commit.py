"""`isocenter commit PEER PATH...`, `isocenter commit list`, `isocenter commit retry`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from isocenter.cli import exit_codes
from isocenter.cli.commitment import (
    commitment_options,
    outcome_as_json,
    outcome_exit_code,
    request_commitment,
    show_outcome,
)
from isocenter.cli.console import plural, show_json, show_table
from isocenter.cli.failures import CommandFailed
from isocenter.cli.file_problems import input_exit_code, show_problems
from isocenter.cli.input_files import collect
from isocenter.cli.local_archive import (
    archive_config,
    archive_options,
    readable_index,
    require_archive,
)
from isocenter.cli.options import association_options
from isocenter.cli.port_argument import take_port
from isocenter.cli.verbosity import Verbosity, say, verbosity_options

if TYPE_CHECKING:
    from isocenter.archive.workflow.commitments import Commitments, TransactionSummary
    from isocenter.encoding.files import RefusedFile
    from isocenter.server.config import Config
    from isocenter.services.association import Destination
    from isocenter.services.storage_commitment import Reference

_DEFAULT = "request"


class _CommitGroup(click.Group):
    """`commit PEER ...` is `commit request PEER ...`; the latter helps where a peer is `list`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)


@click.group(
    "commit", cls=_CommitGroup, subcommand_metavar="PEER [PORT] PATH... | list | retry UID"
)
def command() -> None:
    """Ask a node whether it vouches for objects (Storage Commitment), or see who asked us.

    \b
      isocenter commit pacs dir/          are these safe there?
      isocenter commit pacs --study UID   is this study of our archive?
      isocenter commit list               what this node was asked for

    The options of the first two: isocenter commit request --help
    """


@command.command(_DEFAULT)
@click.argument("peer", is_eager=True)
@click.argument("paths", nargs=-1, metavar="[PORT] PATH...", callback=take_port)
@click.option(
    "--study",
    "studies",
    multiple=True,
    metavar="UID",
    help="Ask about a study of the local archive; may be repeated.",
)
@click.option(
    "--data",
    metavar="DIR",
    help="The local archive's folder (default: the configuration's).",
)
@click.option(
    "--transaction",
    "transaction_uid",
    metavar="UID",
    help="Ask again under the transaction UID of an earlier request.",
)
@click.option("--no-recurse", is_flag=True, help="Do not descend into subdirectories.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, every instance in it.")
@commitment_options
@association_options
def request(
    destination: Destination,
    paths: tuple[str, ...],
    studies: tuple[str, ...],
    data: str | None,
    transaction_uid: str | None,
    no_recurse: bool,
    as_json: bool,
    wait: float,
    listen: int | None,
) -> int:
    """Ask a node whether it vouches for objects (Storage Commitment Push Model).

    The objects are those in files and directories, or the studies of the local archive. The node
    answers for each: committed, or why not. The exit code is 0 when all are committed.
    """
    references, skipped = _references(paths, studies, data, recurse=not no_recurse)
    show_problems(skipped, "Skipped")
    if not references:
        raise CommandFailed(
            "There is nothing to ask about: name files with DICOM objects, or --study.",
            input_exit_code(0, skipped, paths),
        )
    say(f"Asking about {plural(len(references), 'instance')}.")
    outcome = request_commitment(
        destination, references, wait=wait, listen=listen, transaction_uid=transaction_uid
    )
    if as_json:
        show_json({"peer": str(destination), **outcome_as_json(outcome)})
    else:
        show_outcome(outcome)
    return outcome_exit_code(outcome) or input_exit_code(len(references), skipped, paths)


@command.command("list")
@archive_options
@click.option("--open", "open_only", is_flag=True, help="Only those whose report is still to come.")
@click.option(
    "--limit", type=click.IntRange(1), default=1000, show_default=True, help="At most so many."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@verbosity_options
def list_(config: str | None, data: str | None, open_only: bool, limit: int, as_json: bool) -> None:
    """List what this node was asked to commit to, newest first. Works beside a running node."""
    with _commitments(archive_config(config, data)) as commitments:
        found = commitments.list(open_only=open_only, limit=limit) if commitments else []
    if as_json:
        show_json([_as_json(one) for one in found])
        return
    if not found:
        say("Nobody has asked for storage commitment.", Verbosity.NORMAL)
        return
    headings = (
        "Asked",
        "By",
        "State",
        "Instances",
        "Failed",
        "Attempts",
        "Next",
        "Transaction UID",
    )
    show_table((*headings, "Last error"), [_row(one) for one in found])


@command.command("retry")
@click.argument("transaction_uid", metavar="UID")
@archive_options
@verbosity_options
def retry(config: str | None, data: str | None, transaction_uid: str) -> None:
    """Have the report of a transaction delivered now, also one that was given up.

    A running node takes it up within seconds, another one when it starts.
    """
    settings = archive_config(config, data)
    seconds = settings.commitment.retry_for
    with _commitments(settings) as commitments:
        if not (commitments and commitments.revive(transaction_uid, seconds=seconds)):
            raise CommandFailed(
                f"No report of transaction {transaction_uid} waits to be delivered; "
                "see `isocenter commit list`.",
                exit_codes.UNREADABLE_INPUT,
            )
    say("The report will be delivered anew.", Verbosity.NORMAL)


def _references(
    paths: tuple[str, ...], studies: tuple[str, ...], data: str | None, *, recurse: bool
) -> tuple[list[Reference], list[RefusedFile]]:
    from isocenter.services.storage_commitment import Reference

    files, skipped = collect(paths, recurse, None)
    references = [Reference(file.sop_class_uid, file.sop_instance_uid) for file in files]
    if studies:
        references += _of_studies(studies, data)
    return references, skipped


def _of_studies(studies: tuple[str, ...], data: str | None) -> Iterator[Reference]:
    from isocenter.archive.retrieve import select_instances
    from isocenter.dictionary.elements import parse_tag
    from isocenter.security.access import ALL_STUDIES
    from isocenter.services.storage_commitment import Reference

    config = click.get_current_context().params["config"]
    study_instance_uid = parse_tag("StudyInstanceUID")
    with readable_index(archive_config(config, data)) as index:
        for study in studies:
            found = select_instances(
                index, "STUDY", "STUDY", {study_instance_uid: study}, scope=ALL_STUDIES
            )
            if not len(found):
                raise CommandFailed(
                    f"The local archive has no study {study}; see `isocenter find`.",
                    exit_codes.NO_INPUT,
                )
            for one in found:
                yield Reference(one.sop_class_uid, one.sop_instance_uid)


@contextmanager
def _commitments(config: Config) -> Iterator[Commitments | None]:
    """The transactions of the local node; None where it has never run."""
    from isocenter.archive.layout import WORKFLOW_FILE
    from isocenter.archive.workflow.commitments import Commitments
    from isocenter.archive.workflow.jobs import Jobs
    from isocenter.server.running import open_workflow

    require_archive(config)
    if not (config.node.data_directory / WORKFLOW_FILE).is_file():
        yield None
        return
    with open_workflow(config) as workflow:
        yield Commitments(workflow, Jobs(workflow))


def _as_json(one: TransactionSummary) -> dict[str, Any]:
    return one._asdict() | {"state": one.state.value}


def _row(one: TransactionSummary) -> tuple[str, ...]:
    return (
        _moment(one.created_at),
        one.requester_ae,
        one.state.value,
        f"{one.instances:,}",
        "" if one.failed is None else f"{one.failed:,}",
        "" if one.attempts is None else f"{one.attempts:,}",
        "" if one.due_at is None else _moment(one.due_at),
        one.transaction_uid,
        one.last_error,
    )


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
