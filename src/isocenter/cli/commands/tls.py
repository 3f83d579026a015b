"""`isocenter tls init|issue|show|renew|request|install|trust|revoke`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isocenter.cli import exit_codes
from isocenter.cli.console import harmless, plural, show_json
from isocenter.cli.failures import CommandFailed
from isocenter.cli.options import config_option
from isocenter.cli.verbosity import Verbosity, say, verbosity_options
from isocenter.server.peer_address import checked_ae_title

if TYPE_CHECKING:
    from isocenter.server.config import Config

_FILE = click.Path(path_type=Path)
_MAXIMUM_DAYS = 3650

_names = click.option(
    "--name",
    "names",
    multiple=True,
    metavar="HOST",
    help="A host name or IP address by which it is called; more than once for several.",
)
_days = click.option(
    "--days",
    type=click.IntRange(1, _MAXIMUM_DAYS),
    metavar="N",
    help="Days for which it is good (default: 730).",
)


@click.group("tls")
def command() -> None:
    """Make, show and renew the certificates for TLS.

    A node makes its own CA and certificate when it first needs them. Where the hospital has a CA,
    `request` and `install` take a certificate of that one. A running node sees every change within
    a second.
    """


@command.command("init")
@_names
@config_option
@verbosity_options
def init(names: tuple[str, ...], config: str | None) -> None:
    """Make this node's CA and certificate, before its first start does."""
    from isocenter.security.authority import ensure
    from isocenter.security.authority_files import AuthorityFiles
    from isocenter.server.tls import node_names

    settings = _managed(config, "certificate")
    files = AuthorityFiles(settings.tls_directory)
    with _writing():
        made = ensure(files.folder, [*node_names(settings), *names], settings.node.ae_title)
    if not made:
        raise CommandFailed(
            f"{files.certificate} is there already: isocenter tls renew makes it anew, with more "
            "names too.",
            exit_codes.UNWRITABLE_OUTPUT,
        )
    click.echo(f"Made a CA and this node's certificate in {files.folder}.")
    say(
        f"Peers must trust {files.ca}: copy it to them. What a peer itself shows, isocenter tls "
        "issue makes.",
        Verbosity.NORMAL,
    )


@command.command("issue")
@click.argument("ae_title", metavar="AET")
@_names
@_days
@click.option("--out", type=_FILE, metavar="DIR", help="A new folder (default: ./AET-tls).")
@click.option(
    "--passphrase-file",
    type=_FILE,
    metavar="FILE",
    help="The first line of FILE protects the PKCS#12 file (default: one is made up).",
)
@click.option("--again", is_flag=True, help="For the names of the peer's last certificate.")
@config_option
@verbosity_options
def issue(
    ae_title: str,
    names: tuple[str, ...],
    days: int | None,
    out: Path | None,
    passphrase_file: Path | None,
    again: bool,
    config: str | None,
) -> None:
    """Issue a certificate and key for the peer of this AE title, as PEM and PKCS#12."""
    from isocenter.cli.tls_view import folder_for, tell_bundle
    from isocenter.security.authority import DAYS, ensure, known_names
    from isocenter.security.authority import issue as sign
    from isocenter.security.bundles import read_passphrase, require_new, write_bundle
    from isocenter.server.tls import node_names

    ae_title = checked_ae_title(ae_title)
    settings = _configuration(config)
    folder = out or Path(folder_for(ae_title))
    passphrase = None if passphrase_file is None else read_passphrase(passphrase_file)
    require_new(folder)
    with _writing():
        if settings.tls.certificate is None:
            ensure(settings.tls_directory, node_names(settings), settings.node.ae_title)
        if again:
            names = tuple(dict.fromkeys((*known_names(settings.tls_directory, ae_title), *names)))
        bundle = sign(settings.tls_directory, ae_title, names, days or DAYS)
        files = write_bundle(folder, bundle, ae_title, passphrase)
    tell_bundle(files, ae_title, names)


@command.command("show")
@click.argument("file", required=False, type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@config_option
@verbosity_options
def show(file: Path | None, as_json: bool, config: str | None) -> None:
    """Show this node's certificates, whom it trusts, and what it issued; or what is in FILE."""
    from isocenter.cli.tls_view import certificates_in, show_certificates, show_state, state_of

    if file is not None:
        found = certificates_in(file)
        if as_json:
            show_json(found)
        else:
            show_certificates(found)
        return
    state = state_of(_configuration(config))
    if as_json:
        show_json(state)
    else:
        show_state(state)


@command.command("renew")
@_names
@_days
@click.option("--new-key", is_flag=True, help="Make a new key, too.")
@config_option
@verbosity_options
def renew(names: tuple[str, ...], days: int | None, new_key: bool, config: str | None) -> None:
    """Issue this node's certificate anew, for the same names and more.

    A peer that pinned the old certificate by its fingerprint must be told the new one. What a peer
    shows is issued anew by `isocenter tls issue AET --again`.
    """
    from isocenter.security.authority import DAYS
    from isocenter.security.authority import renew as sign
    from isocenter.security.certificates import fingerprint

    settings = _managed(config, "certificate")
    with _writing():
        certificate = sign(settings.tls_directory, names, days or DAYS, with_new_key=new_key)
    click.echo(f"This node's certificate is good until {certificate.not_valid_after_utc:%Y-%m-%d}.")
    say(f"Its fingerprint is sha256:{fingerprint(certificate)}.", Verbosity.NORMAL)


@command.command("request")
@_names
@click.option("--out", type=_FILE, metavar="FILE", help="A new file (default: standard output).")
@config_option
@verbosity_options
def request(names: tuple[str, ...], out: Path | None, config: str | None) -> None:
    """Ask another CA for this node's certificate: write a signing request (PKCS#10)."""
    from isocenter.security.enrolment import request as make
    from isocenter.server.config_values import is_loopback
    from isocenter.server.tls import node_names

    settings = _managed(config, "certificate")
    if out is not None and out.exists():
        raise CommandFailed(
            f"{out} is there already: give another name.", exit_codes.UNWRITABLE_OUTPUT
        )
    with _writing():
        made = make(
            settings.tls_directory,
            settings.node.ae_title,
            names or [name for name in node_names(settings) if not is_loopback(name)],
        )
        if out is not None:
            out.write_bytes(made)
    if out is None:
        click.echo(made.decode("ascii"), nl=False)
    say(
        "Its key waits in the TLS folder. Give the request to the CA, then: isocenter tls install "
        "CERTIFICATE CHAIN",
        Verbosity.NORMAL,
    )


@command.command("install")
@click.argument("certificate", type=_FILE)
@click.argument("chain", nargs=-1, type=_FILE)
@click.option("--key", type=_FILE, metavar="FILE", help="Its key, if it was made elsewhere.")
@config_option
@verbosity_options
def install(
    certificate: Path, chain: tuple[Path, ...], key: Path | None, config: str | None
) -> None:
    """Take a certificate of another CA into use, with the CAs above it."""
    from isocenter.security.certificates import common_name
    from isocenter.security.enrolment import install as take

    settings = _managed(config, "certificate")
    with _writing():
        used = take(settings.tls_directory, certificate, chain, key)
    click.echo(
        harmless(
            f"This node's certificate is {common_name(used[0].subject)}, of "
            f"{common_name(used[-1].issuer)}, good until {used[0].not_valid_after_utc:%Y-%m-%d}."
        )
    )
    say(
        "Do its peers have certificates of that CA? Then trust it: isocenter tls trust CA.pem",
        Verbosity.NORMAL,
    )


@command.command("trust")
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option(
    "--revoked", "lists", multiple=True, type=_FILE, metavar="FILE", help="Its revocation list."
)
@config_option
@verbosity_options
def trust(files: tuple[Path, ...], lists: tuple[Path, ...], config: str | None) -> None:
    """Trust the CAs in FILES, and so every peer with a certificate of theirs.

    Look at them first (`isocenter tls show FILE`), and compare the fingerprint with whoever runs
    the CA. A certificate that signs itself is trusted for its owner alone.
    """
    from isocenter.security.certificates import common_name, fingerprint
    from isocenter.security.enrolment import add_revocations
    from isocenter.security.enrolment import trust as add

    settings = _managed(config, "trusted")
    with _writing():
        added = add(settings.tls_directory, files)
        if lists:
            _managed(config, "revoked")
        counts = [add_revocations(settings.tls_directory, one) for one in lists]
    for one in added:
        click.echo(harmless(f"Trusts {common_name(one.subject)}, sha256:{fingerprint(one)}."))
    if not added:
        say("These were trusted already.", Verbosity.NORMAL)
    if counts:
        say(f"Keeps {plural(sum(counts), 'revocation list')}.", Verbosity.NORMAL)


@command.command("revoke")
@click.argument("which", metavar="AET|SERIAL|FINGERPRINT")
@config_option
@verbosity_options
def revoke(which: str, config: str | None) -> None:
    """Revoke what the local CA issued: nobody may call this node with it any more."""
    from isocenter.security.authority import revoke as take_back
    from isocenter.security.authority_files import AuthorityFiles

    settings = _managed(config, "revoked")
    with _writing():
        revoked = take_back(settings.tls_directory, which)
    for one in revoked:
        click.echo(harmless(f"Revoked {one.name}, serial number {one.serial}."))
    if not revoked:
        say("It was revoked already.", Verbosity.NORMAL)
    say(
        f"Other nodes refuse it once they have {AuthorityFiles(settings.tls_directory).revoked}.",
        Verbosity.NORMAL,
    )


def _configuration(config: str | None) -> Config:
    from isocenter.server.config_loading import load_config

    return load_config(config).config


def _managed(config: str | None, key: str) -> Config:
    """The configuration, unless it names a file of its own in place of the TLS folder's."""
    settings = _configuration(config)
    if (named := getattr(settings.tls, key)) is not None:
        raise CommandFailed(
            f"The configuration's [tls] {key} names {named}, which is yours to change; take the "
            f"key out to have it kept in {settings.tls_directory}.",
            exit_codes.SYNTAX,
        )
    return settings


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = error.filename or "The TLS folder"
        raise CommandFailed(
            f"{place} cannot be written: {error.strerror}.", exit_codes.UNWRITABLE_OUTPUT
        ) from error
