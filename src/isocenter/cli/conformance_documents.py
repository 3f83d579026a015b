"""`isocenter conformance statement|export|schema`, and documents that commands are given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from isocenter.cli import exit_codes
from isocenter.cli.console import show_json
from isocenter.cli.failures import CommandFailed
from isocenter.cli.options import config_option
from isocenter.cli.verbosity import Verbosity, say, verbosity_options

if TYPE_CHECKING:
    from isocenter.conformance.capabilities import Capabilities

SELF = "self"
_SUFFIXES = {".html": "html", ".htm": "html", ".md": "md", ".json": "json"}

_output_option = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write it into FILE instead of to standard output.",
)


@click.command("statement")
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(("html", "md", "json")),
    help="HTML to read and print, Markdown, or JSON to compare (default: as FILE ends, else md).",
)
@_output_option
@config_option
@verbosity_options
def statement(form: str | None, output: Path | None, config: str | None) -> None:
    """Write this node's conformance statement (PS3.2 Annex N)."""
    if form is None:
        form = _SUFFIXES.get(output.suffix.lower(), "md") if output else "md"
    deliver(_written(own_statement(config), form), output)


@click.command("export")
@click.argument("source", default=SELF)
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(("ldif", "json")),
    default="ldif",
    show_default=True,
    help="As entries of a directory, or as JSON of the same fields.",
)
@_output_option
@config_option
@verbosity_options
def export(source: str, form: str, output: Path | None, config: str | None) -> None:
    """Write a description with the fields of PS3.15 Annex H.

    SOURCE is a file of `statement`, `probe` or `import`, or `self` for this node.
    """
    import json

    from isocenter.conformance.exchange.annex_h import to_fields
    from isocenter.conformance.exchange.directory import to_ldif

    fields = to_fields(document(source, config))
    as_json = json.dumps(fields, indent=1, ensure_ascii=False) + "\n"
    deliver(to_ldif(fields) if form == "ldif" else as_json, output)


@click.command("schema")
@verbosity_options
def schema() -> None:
    """Print the JSON Schema of the documents."""
    from isocenter.conformance.capabilities import schema as of_capabilities

    show_json(of_capabilities())


def document(source: str, config: str | None) -> Capabilities:
    """What a person names: a file, or `self`. Raises UnusableDescription, OSError, ConfigError."""
    if source == SELF:
        return own_statement(config)
    from isocenter.conformance.documents import read_file

    return read_file(Path(source))


def own_statement(config: str | None) -> Capabilities:
    """The statement of this node. Raises ConfigError."""
    from datetime import UTC, datetime

    from isocenter.conformance.statement.build import statement_of
    from isocenter.server.config_loading import load_config

    return statement_of(load_config(config).config, datetime.now(UTC))


def deliver(text: str, output: Path | None) -> None:
    """Write a text where it is wished."""
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandFailed(
            f"{output} cannot be written: {error.strerror}.", exit_codes.UNWRITABLE_OUTPUT
        ) from error
    say(f"Wrote {output}.", Verbosity.NORMAL)


def _written(capabilities: Capabilities, form: str) -> str:
    from isocenter.conformance.documents import to_json

    if form == "json":
        return to_json(capabilities)
    from isocenter.conformance.document.html import to_html
    from isocenter.conformance.document.markdown import to_markdown
    from isocenter.conformance.document.statement import statement_document

    made = statement_document(capabilities)
    return to_html(made) if form == "html" else to_markdown(made)
