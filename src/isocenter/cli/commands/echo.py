"""`isocenter echo`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from isocenter.cli import exit_codes
from isocenter.cli.associate import associate
from isocenter.cli.console import show_json
from isocenter.cli.failures import CommandFailed
from isocenter.cli.options import PORT, association_options
from isocenter.cli.verbosity import Verbosity, verbosity

if TYPE_CHECKING:
    from isocenter.services.association import Destination


@click.command("echo")
@click.argument("peer")
@click.argument("port", type=PORT, required=False)
@click.option(
    "--repeat", type=click.IntRange(1, 1_000_000), default=1, metavar="N", help="Send N requests."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@association_options
def command(destination: Destination, repeat: int, as_json: bool) -> None:
    """Check that a DICOM node answers (C-ECHO)."""
    from isocenter.services.verification_scu import VERIFICATION_CONTEXT

    milliseconds = []
    with associate(destination, [VERIFICATION_CONTEXT]) as association:
        for _ in range(repeat):
            began = time.perf_counter()
            status = association.echo()
            milliseconds.append((time.perf_counter() - began) * 1000)
            if not status.is_success:
                break
    median = sorted(milliseconds)[len(milliseconds) // 2]
    if as_json:
        show_json(
            {
                "peer": str(destination),
                "status": f"0x{status.code:04X}",
                "meaning": status.name,
                "requests": len(milliseconds),
                "milliseconds": round(median, 3),
            }
        )
    elif status.is_success and verbosity() > Verbosity.QUIET:
        times = f" {repeat} times, median" if repeat > 1 else ""
        click.echo(f"{destination} answers: C-ECHO {status},{times} {median:.1f} ms.")
    if not status.is_success:
        raise CommandFailed(
            f"{destination} answered C-ECHO with {status}.", exit_codes.FAILED_STATUS
        )
