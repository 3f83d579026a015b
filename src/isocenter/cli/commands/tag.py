"""`isocenter tag`."""

from __future__ import annotations

from typing import Any

import click

from isocenter.cli import exit_codes
from isocenter.cli.console import harmless, show_json, show_table
from isocenter.cli.failures import CommandFailed

SHOWN_IODS = 8


@click.command("tag")
@click.argument("words", nargs=-1, required=True, metavar="TAG|KEYWORD|WORDS...")
@click.option("--check", "value", metavar="VALUE", help="Hold VALUE against the rules of the VR.")
@click.option(
    "--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="At most so many."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def command(words: tuple[str, ...], value: str | None, limit: int, as_json: bool) -> int:
    """Look a data element up: 0010,0010, PatientName, or words such as patient name.

    An exact tag or keyword shows all that is known: VR and VM, the modules and IODs of PS3.3 with
    the attribute's type, the level at which it is queried here, and what de-identification does to
    it. Words list the elements that they may mean. With --check the exit code is 22 when the value
    breaks a rule.
    """
    from isocenter.dictionary.elements import parse_tag
    from isocenter.server.reference import element_facts, search_elements

    text = " ".join(words)
    found = search_elements(text, limit)
    if not found:
        raise CommandFailed(
            f"Nothing in PS3.6 is like {text[:64]!r}; write a tag as 0010,0010, a keyword as "
            "PatientName, or fewer words.",
            exit_codes.SYNTAX,
        )
    if value is not None:
        return _check(found, value, as_json)
    if len(found) > 1:
        if as_json:
            show_json(found)
        else:
            _show_list(found)
        return exit_codes.SUCCESS
    facts = element_facts(parse_tag(found[0]["tag"]))
    if as_json:
        show_json(facts)
    else:
        _show(facts)
    return exit_codes.SUCCESS


def _check(found: list[dict[str, Any]], value: str, as_json: bool) -> int:
    from isocenter.server.reference import check_value

    if len(found) > 1:
        raise CommandFailed(
            f"{len(found)} elements are meant; name one by its tag or keyword to check a value.",
            exit_codes.SYNTAX,
        )
    vr = found[0]["vr"]
    problems = check_value(vr, value)
    if as_json:
        show_json({**found[0], "problems": problems})
    elif problems:
        for problem in problems:
            click.echo(f"Value {problem['value']} {problem['problem']} (PS3.5 6.2, VR {vr}).")
    else:
        click.echo(f"In order: a value of VR {vr} may look like this.")
    return exit_codes.INVALID_INPUT if problems else exit_codes.SUCCESS


def _show_list(found: list[dict[str, Any]]) -> None:
    show_table(
        ("Tag", "VR", "VM", "Keyword", "Name"),
        [
            (
                one["tag"],
                one["vr"],
                one["vm"],
                one["keyword"],
                one["name"] + (" (retired)" if one["retired"] else ""),
            )
            for one in found
        ],
    )


def _show(facts: dict[str, Any]) -> None:
    retired = " (retired)" if facts["retired"] else ""
    click.echo(harmless(f"{facts['tag']}  {facts['name']}{retired}"))
    rows = [("Keyword", facts["keyword"] or "-"), ("VR", facts["vr"]), ("VM", facts["vm"])]
    for rule in facts["value_rules"]:
        most = "" if rule["maximum"] is None else f", {'' if rule['fixed'] else 'up to '}"
        unit = "" if rule["maximum"] is None else (
            f"{rule['maximum']} {'bytes' if rule['kind'] == 'binary' else 'characters'}"
        )  # fmt: skip
        note = f"; {rule['note']}" if rule["note"] else ""
        rows.append((f"VR {rule['vr']}", f"{rule['name']}: {rule['repertoire']}{most}{unit}{note}"))
    query, action = facts["query"], facts["basic_profile"]
    rows.append(("Query level", _SOURCES[query["source"]] % query["level"] if query else "-"))
    rows.append(
        ("De-identified", f"{action['action']}: {action['meaning']}" if action else "kept as it is")
    )
    editions = facts["editions"]
    rows.append(("Edition", ", ".join(f"{part} {when}" for part, when in editions.items())))
    for name, value in rows:
        click.echo(harmless(f"  {name + ':':<15}{value}"))
    _show_uses(facts)


_SOURCES = {
    "index": "%s, from the index",
    "computed": "%s, counted when asked",
    "header": "%s, read from stored headers (find.header_limit)",
}


def _show_uses(facts: dict[str, Any]) -> None:
    if not facts["modules"]:
        click.echo("  In no module of PS3.3.")
        return
    click.echo()
    top = [one for one in facts["modules"] if not one["path"]]
    show_table(
        ("Module", "Type", "Where", "Reference"),
        [
            (one["module"], one["type"], ".".join(one["path"]) or "-", one["reference"])
            for one in (top or facts["modules"])[:40]
        ],
    )
    deeper = facts["places"] - len(top)
    if top and deeper:
        click.echo(f"and in {deeper:,} places inside sequences (--json lists them)")
    if facts["iods"]:
        click.echo()
        names = [_with_usage(one) for one in facts["iods"]]
        more = len(names) - SHOWN_IODS
        shown = "; ".join(names[:SHOWN_IODS])
        click.echo(f"In {len(names)} IODs: {shown}{f'; and {more} more' if more > 0 else ''}")


def _with_usage(one: dict[str, Any]) -> str:
    best = min(one["uses"], key=lambda use: ("MCU".index(use["usage"]), use["type"]))
    return f"{one['iod']} ({best['usage']}, type {best['type']})"
