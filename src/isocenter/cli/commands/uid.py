"""`isocenter uid`."""

from __future__ import annotations

import click

from isocenter.cli import exit_codes
from isocenter.cli.console import harmless, show_json, show_table
from isocenter.cli.failures import CommandFailed


@click.command("uid")
@click.argument("words", nargs=-1, required=True, metavar="UID|KEYWORD|WORDS...")
@click.option(
    "--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="At most so many."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def command(words: tuple[str, ...], limit: int, as_json: bool) -> int:
    """Look a registered UID up: itself, its keyword, or words such as ct image.

    A UID that is not registered is held against the rules of PS3.5 9.1; the exit code is 22 when
    it breaks one.
    """
    from isocenter.server.reference import check_value, search_uids

    text = " ".join(words)
    found = search_uids(text, limit)
    if found:
        if as_json:
            show_json(found)
        elif len(found) == 1:
            _show(found[0])
        else:
            show_table(
                ("UID", "Type", "Name"),
                [(one["uid"], one["type"], _name(one)) for one in found],
            )
        return exit_codes.SUCCESS
    if not text.replace(".", "").isdecimal():
        raise CommandFailed(
            f"No registered UID is like {text[:64]!r}; write the UID, its keyword, or fewer words.",
            exit_codes.SYNTAX,
        )
    problems = check_value("UI", text)
    if as_json:
        show_json([])
    elif problems:
        for problem in problems:
            click.echo(f"Not registered, and no UID: it {problem['problem']} (PS3.5 9.1).")
    else:
        click.echo("Not registered in PS3.6; well-formed (PS3.5 9.1).")
    return exit_codes.INVALID_INPUT if problems else exit_codes.SUCCESS


def _name(one: dict[str, object]) -> str:
    return f"{one['name']}{' (retired)' if one['retired'] else ''}"


def _show(one: dict[str, object]) -> None:
    click.echo(harmless(f"{one['uid']}  {_name(one)}"))
    click.echo(f"  {'Type:':<15}{one['type']}")
    click.echo(f"  {'Keyword:':<15}{one['keyword'] or '-'}")
    iod = one["iod"]
    if isinstance(iod, dict):
        click.echo(f"  {'IOD:':<15}{iod['name']} ({iod['reference']})")
        for usage, word in (("M", "Mandatory"), ("C", "Conditional"), ("U", "User option")):
            names = [use["module"] for use in iod["modules"] if use["usage"] == usage]
            if names:
                click.echo(f"  {word + ':':<15}{', '.join(names)}")
