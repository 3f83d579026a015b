"""`isocenter conformance statement|probe|compare|import|export|schema`."""

from __future__ import annotations

import click

from isocenter.cli.conformance_compare import compare
from isocenter.cli.conformance_documents import export, schema, statement
from isocenter.cli.conformance_import import import_
from isocenter.cli.conformance_probe import probe


@click.group("conformance")
def command() -> None:
    """Tell what this node can do, measure what another one does, and compare.

    All of it is about documents that describe a node as JSON. `statement` makes the one of this
    node, `probe` measures another node, `import` reads what its maker tells; `compare` holds two of
    them side by side.
    """


for subcommand in (statement, probe, compare, import_, export, schema):
    command.add_command(subcommand)
