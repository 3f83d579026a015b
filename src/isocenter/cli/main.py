"""The `isocenter` command itself: its list of subcommands, and how it ends.

The list carries each subcommand's one-line help, so that `isocenter --help` imports none of
them. That keeps the start fast: what a subcommand needs is imported when it runs.
"""

from __future__ import annotations

import difflib
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

import click

import isocenter
from isocenter.cli import exit_codes
from isocenter.cli.failures import CommandFailed, as_failure


class LazyCommand(NamedTuple):
    """Where a subcommand lives (module of `cli.commands`) and what it is for."""

    module: str
    help: str


COMMANDS: dict[str, LazyCommand] = {
    "serve": LazyCommand("serve", "Run a node: accept, keep and find DICOM objects."),
    "echo": LazyCommand("echo", "Check that a DICOM node answers (C-ECHO)."),
    "store": LazyCommand("store", "Send files and directories to a node (C-STORE)."),
    "find": LazyCommand("find", "Ask a node for patients, studies, series, images (C-FIND)."),
    "get": LazyCommand("get", "Retrieve objects into files (C-GET)."),
    "move": LazyCommand("move", "Have a node send objects to another one (C-MOVE)."),
    "commit": LazyCommand("commit", "Ask a node to vouch for objects (Storage Commitment)."),
    "import": LazyCommand("import_", "Take files and directories into the local archive."),
    "reindex": LazyCommand("reindex", "Rebuild the index from the packs alone."),
    "verify": LazyCommand("verify", "Read everything back and compare the digests."),
    "worklist": LazyCommand("worklist", "See and change what modalities find on their worklist."),
    "status": LazyCommand("status", "Show what the local archive holds."),
    "delete": LazyCommand("delete", "Delete objects of the local archive, and bring them back."),
    "audit": LazyCommand("audit", "See who did what with whose images."),
    "quarantine": LazyCommand("quarantine", "See the objects that were set aside, and why."),
    "peer": LazyCommand("peer", "Name other nodes, and test whether they answer."),
    "tls": LazyCommand("tls", "Make, show and renew the certificates for TLS."),
    "user": LazyCommand("user", "Say who may identify themselves here, and what they may see."),
    "label": LazyCommand("label", "Say which peers and users may see a study."),
    "explain": LazyCommand("explain", "Show what failed lately on this node, and why."),
    "validate": LazyCommand("validate", "Hold objects against the standard, with every reason."),
    "tag": LazyCommand("tag", "Look up a data element: names, modules, types, rules."),
    "uid": LazyCommand("uid", "Look up a registered UID."),
    "vr": LazyCommand("vr", "Look up a value representation, or hold a value against it."),
    "conformance": LazyCommand(
        "conformance", "Write a conformance statement, probe a node, compare two."
    ),
    "config": LazyCommand("config", "Show, check or begin a configuration."),
    "version": LazyCommand("version", "Show the versions of isocenter and what it runs on."),
}


class CommandList(click.Group):
    """A group whose subcommands are imported one at a time, and whose errors are sentences."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = importlib.import_module(f"isocenter.cli.commands.{entry.module}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and args[0][:1].isalnum():
            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            advice = f"did you mean {close[0]}?" if close else "see `isocenter --help`."
            ctx.fail(f"There is no command {args[0]!r}; {advice}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:
            _end_silently()
        except Exception as error:
            raise as_failure(error) from error

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: ARG002
        **extra: Any,
    ) -> Any:
        """Run, and end with an exit code of `exit_codes`: click's own for a wrong line is 2."""
        try:
            result = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except click.UsageError as error:
            error.show()
            sys.exit(exit_codes.SYNTAX)
        except CommandFailed as error:
            error.show()
            sys.exit(error.code)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except click.Abort:
            click.echo("isocenter: interrupted.", err=True)
            sys.exit(exit_codes.INTERRUPTED)
        sys.exit(result if isinstance(result, int) else exit_codes.SUCCESS)


def _end_silently() -> NoReturn:
    """Whoever read our output has gone (`| head`): nothing is left to say, or to say it to."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(exit_codes.SUCCESS)


@click.command(
    cls=CommandList,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=exit_codes.explanation(),
)
@click.version_option(isocenter.__version__, "--version", message="isocenter %(version)s")
def cli() -> None:
    """A DICOM archive and network node, and the tools that go with it.

    \b
    The first five minutes:
      isocenter serve                          start a node on this machine
      isocenter echo localhost                 does it answer?
      isocenter store localhost some/dir       send it what is in a directory
      isocenter find localhost -k PatientName='DOE*'

    A PEER is written as `host port`, `host:port`, `[v6]:port`, `AET@host:port`, or as a name
    from the configuration's [peers]. Options are spelled as in DCMTK (-aet, -aec, -k ...).
    """


def main() -> None:
    """The entry point of the `isocenter` script."""
    # A name that the terminal's encoding lacks, or a file name that is no text at all, is shown
    # with escapes (in JSON they are JSON's own); it must never end a command half-way.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    cli.main(prog_name="isocenter")
