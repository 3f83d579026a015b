"""`isocenter peer add|list|test|remove`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isocenter.cli import exit_codes
from isocenter.cli.console import harmless, plural, show_json, show_table
from isocenter.cli.failures import CommandFailed
from isocenter.cli.options import config_option
from isocenter.cli.verbosity import Verbosity, say, verbosity_options
from isocenter.server.addressing import DEFAULT_PORT, DEFAULT_TLS_PORT
from isocenter.server.config_file import DEFAULT_FILE, find_config_file
from isocenter.server.peer_address import AddressError, calling_ae_title, parse_address
from isocenter.services.service_names import SERVICE_NAMES

if TYPE_CHECKING:
    from isocenter.server.config import Peer

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@click.group("peer")
def command() -> None:
    """Name other nodes, and test whether they answer.

    Peers stand in the configuration file as [peers.NAME]. Commands call them by name, C-MOVE by
    AE title; a running node sees a change at once.
    """


@command.command("add")
@click.argument("name")
@click.argument("address", metavar="AET@HOST:PORT")
@click.option("--tls", is_flag=True, help="The peer is to be called over TLS.")
@click.option(
    "--certificate",
    "certificates",
    multiple=True,
    metavar="WHICH",
    help="The certificate that stands for the peer: sha256:FINGERPRINT, CN:NAME, DNS:NAME or *.",
)
@click.option(
    "--service",
    "services",
    multiple=True,
    type=click.Choice(SERVICE_NAMES),
    help="A service that the peer may use here; more than once for several (default: all).",
)
@click.option(
    "--transfer-syntax",
    "transfer_syntaxes",
    multiple=True,
    metavar="NAME",
    help="Propose this transfer syntax to the peer before others; the best one first.",
)
@config_option
@verbosity_options
def add(
    name: str,
    address: str,
    tls: bool,
    certificates: tuple[str, ...],
    services: tuple[str, ...],
    transfer_syntaxes: tuple[str, ...],
    config: str | None,
) -> None:
    """Write a peer into the configuration file."""
    from isocenter.server.config_editing import PeerExists, add_peer

    if not _NAME.fullmatch(name):
        raise AddressError(
            f"{name!r} cannot be a peer's name; it has letters, digits, '-', '_' and '.', at most "
            "64, and begins with a letter or digit."
        )
    values: dict[str, Any] = _checked_address(address, tls=tls)
    if tls:
        values["tls"] = True
    if certificates:
        values["certificates"] = list(certificates)
    if services:
        values["services"] = list(dict.fromkeys(services))
    if transfer_syntaxes:
        values["transfer_syntaxes"] = list(transfer_syntaxes)
    file = find_config_file(config) or Path(DEFAULT_FILE)
    is_new = not file.exists()
    try:
        add_peer(file, name, values)
    except PeerExists as error:
        raise CommandFailed(str(error), exit_codes.SYNTAX) from None
    except OSError as error:
        raise _unwritable(file, error) from error
    where = f"{file.absolute()}, which is new" if is_new else str(file)
    say(f"Wrote peer {name} into {where}. Try it: isocenter peer test {name}", Verbosity.NORMAL)


@command.command("list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@verbosity_options
def list_(config: str | None, as_json: bool) -> None:
    """Show the peers of the configuration."""
    from isocenter.dictionary.transfer_syntaxes import transfer_syntax_keyword

    peers = _configured(config)
    if as_json:
        show_json({name: peer.model_dump(mode="json") for name, peer in peers.items()})
        return
    rows = [
        (
            name,
            peer.ae_title,
            _place(peer),
            "yes" if peer.tls else "no",
            _services(peer),
            ", ".join(map(transfer_syntax_keyword, peer.transfer_syntaxes)) or "-",
            _delivery(peer),
        )
        for name, peer in peers.items()
    ]
    if not rows:
        say("There are no peers; `isocenter peer add` names one.", Verbosity.NORMAL)
        return
    show_table(
        ("Name", "AE title", "Address", "TLS", "May use", "Prefers", "Commitment"),
        rows,
    )


@command.command("test")
@click.argument("name", required=False)
@click.option("--all", "every", is_flag=True, help="Test every peer.")
@click.option("-aet", "--aetitle", "calling_ae", metavar="AET", help="Our own AE title.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@config_option
@verbosity_options
def test(
    name: str | None, every: bool, calling_ae: str | None, as_json: bool, config: str | None
) -> int:
    """Associate with a peer, C-ECHO, and say what was negotiated."""
    from isocenter.cli.peer_testing import show_trial, try_peers

    if (name is None) is not every:
        raise click.UsageError("Name one peer, or give --all.")
    peers = _configured(config)
    if name is not None:
        if name not in peers:
            raise AddressError(f"There is no peer {name!r}; `isocenter peer list` shows them.")
        peers = {name: peers[name]}
    trials = try_peers(peers, calling_ae_title(calling_ae, config), config)
    if as_json:
        show_json({trial.name: trial.as_json() for trial in trials})
    else:
        for trial in trials:
            show_trial(trial)
    failed = [trial for trial in trials if not trial.works]
    if failed and every and not as_json:
        say(f"{plural(len(failed), 'peer')} of {len(trials)} failed.", Verbosity.NORMAL)
    return failed[0].exit_code if failed else exit_codes.SUCCESS


@command.command("remove")
@click.argument("name")
@config_option
@verbosity_options
def remove(name: str, config: str | None) -> None:
    """Take a peer out of the configuration file."""
    from isocenter.server.config_editing import NoSuchPeer, remove_peer

    file = find_config_file(config)
    if file is None:
        raise CommandFailed("There is no configuration file, hence no peer.", exit_codes.SYNTAX)
    try:
        remove_peer(file, name)
    except NoSuchPeer as error:
        raise CommandFailed(str(error), exit_codes.SYNTAX) from None
    except OSError as error:
        raise _unwritable(file, error) from error
    say(f"Removed peer {name} from {file}.", Verbosity.NORMAL)


def _checked_address(text: str, *, tls: bool) -> dict[str, Any]:
    parts = parse_address(text)
    if parts.ae_title is None:
        raise AddressError(f"{text!r} has no AE title; write AET@HOST:PORT, as in PACS@{text}.")
    usual = DEFAULT_TLS_PORT if tls else DEFAULT_PORT
    port = usual if parts.port is None else parts.port
    return {"ae_title": parts.ae_title.strip(" "), "host": parts.host, "port": port}


def _configured(config: str | None) -> dict[str, Peer]:
    from isocenter.server.config_loading import load_config

    return load_config(config).config.peers


def _place(peer: Peer) -> str:
    return harmless(
        f"[{peer.host}]:{peer.port}" if ":" in peer.host else f"{peer.host}:{peer.port}"
    )


def _delivery(peer: Peer) -> str:
    from isocenter.server.config_values import EVERY_DELIVERY

    ways = peer.commitment_delivery
    return "auto" if ways == EVERY_DELIVERY else "+".join(ways)


def _services(peer: Peer) -> str:
    if set(peer.services) == set(SERVICE_NAMES):
        return "all"
    return ", ".join(peer.services) or "nothing"


def _unwritable(file: Path, error: OSError) -> CommandFailed:
    return CommandFailed(
        f"{file} cannot be written: {error.strerror}.", exit_codes.UNWRITABLE_OUTPUT
    )
