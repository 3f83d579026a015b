"""`isocenter conformance compare`."""

from __future__ import annotations

import click

from isocenter.cli.conformance_documents import document
from isocenter.cli.conformance_view import show_claims, show_comparison
from isocenter.cli.options import config_option
from isocenter.cli.verbosity import verbosity_options


@click.command("compare")
@click.argument("a")
@click.argument("b")
@click.option(
    "--claims/--sending",
    "claims",
    default=None,
    help="Hold the claims of one node against a probe of the same node, or see what A can send to "
    "B and use there (default: claims for a probe and a statement of one implementation).",
)
@click.option("--all", "every", is_flag=True, help="A row for every SOP class.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@config_option
@verbosity_options
def compare(
    a: str, b: str, claims: bool | None, every: bool, as_json: bool, config: str | None
) -> None:
    """See what node A can send to node B, or whether a statement is true.

    A and B are files of `statement --format json`, `probe` or `import`, or `self` for this node.
    """
    from isocenter.conformance.compare.claims import are_of_one_node, hold_against
    from isocenter.conformance.compare.comparison import compare as from_a_to_b

    one, other = document(a, config), document(b, config)
    if claims is None:
        claims = are_of_one_node(one, other)
    if claims:
        stated, probed = (other, one) if one.kind == "probe" else (one, other)
        held = hold_against(stated, probed)
        if as_json:
            click.echo(held.model_dump_json(indent=1))
        else:
            show_claims(held)
        return
    result = from_a_to_b(one, other)
    if as_json:
        click.echo(result.model_dump_json(indent=1))
    else:
        show_comparison(result, every=every)
