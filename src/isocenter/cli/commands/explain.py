"""`isocenter explain`."""
import click


@click.command("explain")
def command() -> None:
    """Show what failed lately on this node, and why."""
