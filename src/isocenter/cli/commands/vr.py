"""`isocenter vr`."""

from __future__ import annotations

import click

from isocenter.cli import exit_codes
from isocenter.cli.console import show_json, show_table
from isocenter.cli.failures import CommandFailed


@click.command("vr")
@click.argument("vr", required=False, metavar="[VR]")
@click.option("--check", "value", metavar="VALUE", help="Hold VALUE against the rules of the VR.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def command(vr: str | None, value: str | None, as_json: bool) -> int:
    """Show the value representations of PS3.5 6.2, or one of them.

    With --check the exit code is 22 when the value breaks a rule.
    """
    from isocenter.server.reference import check_value, vr_facts

    found = vr_facts(vr)
    if not found:
        raise CommandFailed(
            f"There is no value representation {(vr or '')[:16]!r}; `isocenter vr` lists them.",
            exit_codes.SYNTAX,
        )
    if value is not None:
        if vr is None:
            raise click.UsageError("--check needs a VR.")
        problems = check_value(vr.upper(), value)
        if as_json:
            show_json([{**found[0], "problems": problems}])
        for problem in () if as_json else problems:
            click.echo(f"Value {problem['value']} {problem['problem']} (PS3.5 6.2).")
        if not problems and not as_json:
            click.echo(f"In order: a value of VR {vr.upper()} may look like this.")
        return exit_codes.INVALID_INPUT if problems else exit_codes.SUCCESS
    if as_json:
        show_json(found)
        return exit_codes.SUCCESS
    show_table(
        ("VR", "Name", "Length", "Holds", "Note"),
        [
            (
                one["vr"],
                one["name"],
                "-"
                if one["maximum"] is None
                else f"{'=' if one['fixed'] else '<='}{one['maximum']}",
                one["repertoire"],
                one["note"],
            )
            for one in found
        ],
    )
    return exit_codes.SUCCESS
