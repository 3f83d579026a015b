"""`isocenter serve`."""

from __future__ import annotations

from collections.abc import Mapping

import click

from isocenter.cli.local_archive import naming_the_folder
from isocenter.cli.options import config_option
from isocenter.cli.verbosity import Verbosity, say, verbosity, verbosity_options


@click.command("serve")
@config_option
@click.option("--host", metavar="ADDRESS", help="Listen on this address (default: 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Listen on this port (default: 11112).")
@click.option("--data", metavar="DIR", help="Keep the data here (default: ./isocenter-data).")
@click.option(
    "-aet", "--aetitle", "--ae-title", "ae_title", metavar="AET", help="The AE title of this node."
)
@click.option("--workers", type=click.IntRange(1, 64), help="Network processes (default: 1).")
@click.option(
    "--durability", type=click.Choice(["group", "os"]), help="What a success promises (group)."
)
@verbosity_options
def command(
    config: str | None,
    host: str | None,
    port: int | None,
    data: str | None,
    ae_title: str | None,
    workers: int | None,
    durability: str | None,
) -> None:
    """Run a node: accept associations, keep what is stored, answer queries.

    Without options it listens on this machine only, as ISOCENTER on port 11112, and keeps its
    data in ./isocenter-data. Ctrl-C or SIGTERM stops it; nothing that was acknowledged is lost.
    """
    from isocenter.cli.banner import start_banner
    from isocenter.server.config_loading import load_config
    from isocenter.server.logging import configure_logging
    from isocenter.server.serve import serve

    loaded = load_config(
        config,
        overrides={
            ("listen", "host"): host,
            ("listen", "port"): port,
            ("node", "data_directory"): data,
            ("node", "ae_title"): ae_title,
            ("workers", "count"): workers,
            ("storage", "durability"): durability,
            ("log", "level"): _log_level(),
        },
    )
    settings = loaded.config
    configure_logging(settings.log.level, settings.log.format)

    def on_listening(ports: Mapping[str, int]) -> None:
        say(start_banner(settings, loaded.file, ports), Verbosity.NORMAL)

    with naming_the_folder(settings):
        serve(settings, on_listening)


def _log_level() -> str | None:
    """The log level that -q or -d asks for; None leaves it to the configuration."""
    return {Verbosity.QUIET: "error", Verbosity.DEBUG: "debug"}.get(verbosity())
