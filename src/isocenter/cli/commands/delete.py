"""`isocenter delete UID...`, `isocenter delete list`, `restore` and `purge`."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from isocenter.cli import exit_codes
from isocenter.cli.console import plural, show_json, show_table
from isocenter.cli.deletion_course import carry_out, local_deletions
from isocenter.cli.deletion_view import (
    HEADINGS,
    deletion_json,
    deletion_row,
    extent_text,
    outcome_text,
)
from isocenter.cli.failures import CommandFailed
from isocenter.cli.local_archive import archive_config, archive_options, readable_index
from isocenter.cli.verbosity import Verbosity, say, verbosity_options

if TYPE_CHECKING:
    from isocenter.archive.deletion.selection import Extent, Target
    from isocenter.archive.workflow.deletions import Deletion, Deletions
    from isocenter.server.config import Config

_DEFAULT = "objects"
_MAXIMUM_ROLE, _MAXIMUM_REASON = 64, 500  # as `workflow.deletions`, which takes long to import

_wait = click.option(
    "--wait",
    type=click.FloatRange(0, 86400),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="How long to watch a running node at it; it goes on anyway.",
)
_json = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


class _DeleteGroup(click.Group):
    """`delete UID ...` is `delete objects UID ...`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)


def _bounded(maximum: int) -> Callable[[click.Context, click.Parameter, str], str]:
    """A callback that takes one line of text up to a length."""

    def check(context: click.Context, parameter: click.Parameter, value: str) -> str:
        value = value.strip()
        if not value or len(value) > maximum or not value.isprintable():
            raise click.BadParameter(
                f"1 to {maximum} printable characters are needed.", context, parameter
            )
        return value

    return check


@click.group(
    "delete", cls=_DeleteGroup, subcommand_metavar="STUDY_UID... | list | restore N | purge N"
)
def command() -> None:
    """Delete objects of the local archive, and bring them back.

    \b
      isocenter delete STUDY_UID --role ROLE --reason WHY
      isocenter delete list
      isocenter delete restore 1       bring back what deletion 1 took
      isocenter delete purge 1         do not wait any longer: it is gone for good

    The options of the first: isocenter delete objects --help
    """


@command.command(_DEFAULT)
@click.argument("studies", nargs=-1, metavar="STUDY_UID...")
@click.option("--series", multiple=True, metavar="UID", help="Series instead; may be repeated.")
@click.option(
    "--instance", "instances", multiple=True, metavar="UID", help="Single instances instead."
)
@click.option(
    "--role",
    required=True,
    callback=_bounded(_MAXIMUM_ROLE),
    help="In which capacity you delete, such as `quality control`.",
)
@click.option(
    "--reason",
    required=True,
    callback=_bounded(_MAXIMUM_REASON),
    help="Why, for the audit trail and `delete list`; leave the patient's name out.",
)
@click.option("--now", is_flag=True, help="For good, at once: it cannot be brought back.")
@click.option("--dry-run", is_flag=True, help="Only count what would go.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_wait
@archive_options
@_json
@verbosity_options
def objects(
    studies: tuple[str, ...],
    series: tuple[str, ...],
    instances: tuple[str, ...],
    role: str,
    reason: str,
    now: bool,
    dry_run: bool,
    yes: bool,
    wait: float,
    config: str | None,
    data: str | None,
    as_json: bool,
) -> None:
    """Delete studies, series or single instances.

    They are hidden from everybody at once, and can be restored for a week ([deletion] keep_for).
    Then they are overwritten on the disk. What is in quarantine of them goes the same way. Works
    beside a running node and without one.
    """
    target = _target(studies, series, instances)
    settings = archive_config(config, data)
    extent, quarantined = _survey(settings, target)
    if dry_run:
        if as_json:
            show_json({**extent._asdict(), "quarantined": quarantined})
        else:
            click.echo(f"Would delete {extent_text(extent, quarantined)}.")
        return
    if not yes:
        _confirm(extent_text(extent, quarantined), now=now)
    from isocenter.archive.workflow.deletions import OVER, DeletionState

    keep_for = 0.0 if now else settings.deletion.keep_for
    with local_deletions(settings) as deletions:
        number = deletions.request(target, role=role, reason=reason, who=_who(), keep_for=keep_for)
        hidden = {DeletionState.HIDDEN, DeletionState.TAKEN_OUT}
        until = OVER if now else OVER | hidden
        _show(carry_out(settings, deletions, number, until, wait=wait), as_json=as_json)


@command.command("list")
@click.option(
    "--limit", type=click.IntRange(1), default=1000, show_default=True, help="At most so many."
)
@archive_options
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@verbosity_options
def list_(limit: int, config: str | None, data: str | None, as_json: bool) -> None:
    """List what was deleted, newest first: how much, by whom, why, and until when it comes back."""
    with local_deletions(archive_config(config, data)) as deletions:
        found = deletions.list(limit)
    if as_json:
        show_json([deletion_json(one) for one in found])
    elif found:
        show_table(HEADINGS, [deletion_row(one) for one in found])
    else:
        say("Nothing was deleted.", Verbosity.NORMAL)


@command.command("restore")
@click.argument("number", type=click.IntRange(1), metavar="N")
@_wait
@archive_options
@_json
@verbosity_options
def restore(number: int, wait: float, config: str | None, data: str | None, as_json: bool) -> None:
    """Bring back what a deletion took, byte for byte.

    What has been stored under the same UIDs meanwhile stays as it is; the deleted object then goes
    to quarantine if its bytes differ.
    """
    settings = archive_config(config, data)
    with local_deletions(settings) as deletions:
        _require(deletions, number, deletions.want_back(number), "restored")
        _finish(settings, deletions, number, wait=wait, as_json=as_json)


@command.command("purge")
@click.argument("number", type=click.IntRange(1), metavar="N")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_wait
@archive_options
@_json
@verbosity_options
def purge(
    number: int, yes: bool, wait: float, config: str | None, data: str | None, as_json: bool
) -> None:
    """Overwrite what a deletion took now, rather than when its time is over."""
    settings = archive_config(config, data)
    with local_deletions(settings) as deletions:
        found = deletions.find(number)
        if found is not None and not yes:
            _confirm(plural(found.instances, "instance"), now=True)
        _require(deletions, number, deletions.want_gone(number), "purged")
        _finish(settings, deletions, number, wait=wait, as_json=as_json)


def _target(
    studies: tuple[str, ...], series: tuple[str, ...], instances: tuple[str, ...]
) -> Target:
    from isocenter.archive.deletion.selection import MAXIMUM_UIDS, Target
    from isocenter.dictionary.uids import is_valid_uid

    targets = (Target("STUDY", studies), Target("SERIES", series), Target("IMAGE", instances))
    given = [target for target in targets if target.uids]
    if len(given) != 1:
        raise click.UsageError("Name either studies, or --series, or --instance.")
    (target,) = given
    if len(target.uids) > MAXIMUM_UIDS:
        raise click.UsageError(f"One deletion takes {MAXIMUM_UIDS:,} UIDs at most.")
    for uid in target.uids:
        if not is_valid_uid(uid):
            raise click.UsageError(f"{uid!r} is not a UID (PS3.5 9.1).")
    return target


def _survey(settings: Config, target: Target) -> tuple[Extent, int]:
    """What a target comes to, and how much of it is in quarantine. Raises CommandFailed."""
    from isocenter.archive.deletion.quarantined import quarantined
    from isocenter.archive.deletion.selection import chosen_records, extent_of
    from isocenter.archive.layout import QUARANTINE
    from isocenter.archive.quarantine import Quarantine

    with readable_index(settings) as index:
        extent = extent_of(index, target)
        uids = {one.record.sop_instance_uid for one in chosen_records(index, target)}
    kept = Quarantine(settings.node.data_directory / QUARANTINE)
    aside = sum(1 for _ in quarantined(kept, target, uids))
    if extent.unknown and not (aside and len(extent.unknown) == len(set(target.uids))):
        what = {"STUDY": "study", "SERIES": "series", "IMAGE": "instance"}[target.level]
        raise CommandFailed(
            f"The archive has no {what} {extent.unknown[0]}; nothing was deleted, "
            "see `isocenter find`.",
            exit_codes.NO_INPUT,
        )
    return extent, aside


def _confirm(what: str, *, now: bool) -> None:
    ending = " for good" if now else ""
    try:
        agreed = click.confirm(f"Delete {what}{ending}?", err=True)
    except click.Abort:
        agreed = False
    if not agreed:
        raise CommandFailed(
            "Nothing was deleted; agree, or give --yes in a script.", exit_codes.SYNTAX
        )


def _who() -> str:
    """The user of this machine who gives the command, behind sudo, too."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's number without a name
        name = str(os.getuid())
    behind = os.environ.get("SUDO_USER", "")
    return f"{name} (sudo by {behind})" if behind and behind.isprintable() else name


def _require(deletions: Deletions, number: int, possible: bool, what: str) -> None:
    if possible:
        return
    found = deletions.find(number)
    state = "there is none of that number" if found is None else f"it is {found.state.value}"
    raise CommandFailed(
        f"Deletion {number} cannot be {what}: {state}; see `isocenter delete list`.",
        exit_codes.UNREADABLE_INPUT,
    )


def _finish(
    settings: Config, deletions: Deletions, number: int, *, wait: float, as_json: bool
) -> None:
    from isocenter.archive.workflow.deletions import OVER

    _show(carry_out(settings, deletions, number, OVER, wait=wait), as_json=as_json)


def _show(found: Deletion, *, as_json: bool) -> None:
    if as_json:
        show_json(deletion_json(found))
    else:
        click.echo(outcome_text(found))
