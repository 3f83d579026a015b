"""What `isocenter tls` shows: certificates, whom the node trusts, what its CA issued."""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isocenter.cli.console import harmless, show_table
from isocenter.cli.verbosity import Verbosity, say
from isocenter.security.authority_files import AuthorityFiles, read_index
from isocenter.security.certificates import (
    CertificateProblem,
    common_name,
    facts,
    read_certificates,
    read_pair,
)
from isocenter.security.revocation import read_revocations
from isocenter.security.tls_profiles import apply_profile, offered_suites
from isocenter.server.tls import tls_files

if TYPE_CHECKING:
    from cryptography import x509

    from isocenter.security.bundles import BundleFiles
    from isocenter.server.config import Config

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.-]")
_NOT_IN_A_KEY = re.compile(r"[^A-Za-z0-9_-]")


def folder_for(ae_title: str) -> str:
    """The name of the folder of a peer's bundle; an AE title may have what a path must not."""
    return f"{_NOT_IN_A_NAME.sub('_', ae_title).lstrip('.') or 'peer'}-tls"


def tell_bundle(files: BundleFiles, ae_title: str, names: Sequence[str]) -> None:
    """Say what was made for a peer, and what to do with it."""
    folder = files.key.parent
    click.echo(f"Made a certificate for {ae_title} in {folder}, which only you can read:")
    click.echo(f"  {files.key.name}, {files.certificate.name}   its key and certificate")
    click.echo(f"  {files.ca.name}                     the CA that it must trust")
    secret = "" if files.passphrase is None else f"; its passphrase is in {files.passphrase.name}"
    click.echo(f"  {files.pkcs12.name}                 all of it as PKCS#12{secret}")
    host = names[0] if names else "HOST"
    say(
        "\nTake the folder to the peer on a way that nobody else reads, then delete it here. "
        "DCMTK there:\n"
        f"  storescu +tls {files.key.name} {files.certificate.name} +cf {files.ca.name} ...\n"
        "And in this node's configuration:\n"
        f"  [peers.{_NOT_IN_A_KEY.sub('_', ae_title).lower()}]\n"
        f'  ae_title = "{ae_title}"\n'
        f'  host = "{host}"\n'
        "  port = 2762\n"
        "  tls = true",
        Verbosity.NORMAL,
    )


def certificates_in(path: Path) -> list[dict[str, Any]]:
    """The certificates in a file, for --json. Raises CertificateProblem."""
    return [_described(one) for one in read_certificates(path)]


def show_certificates(certificates: Sequence[dict[str, Any]]) -> None:
    """Tell a person."""
    for one in certificates:
        names = ", ".join(one["names"]) or "no host"
        click.echo(harmless(f"{one['subject']}"))
        click.echo(harmless(f"  for {names}, issued by {one['issuer']}"))
        click.echo(f"  from {one['begins'][:10]} to {one['ends'][:10]}, {_left(one)}")
        click.echo(f"  sha256:{one['sha256']}")


def state_of(config: Config) -> dict[str, Any]:
    """Everything about a node's TLS, for --json; what cannot be used is among the problems."""
    files, folder = tls_files(config), AuthorityFiles(config.tls_directory)
    problems: list[str] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    apply_profile(context, files.profile)
    own: list[dict[str, Any]] = []
    trusted: list[dict[str, Any]] = []
    lists: list[dict[str, Any]] = []
    try:
        if files.certificate is not None and files.key is not None:
            own = [_described(one) for one in read_pair(files.certificate, files.key)[0]]
    except CertificateProblem as error:
        problems.append(str(error))
    try:
        trusted = [one for path in files.trusted for one in certificates_in(path)]
        lists = [_described_list(one) for path in files.revoked for one in read_revocations(path)]
    except CertificateProblem as error:
        problems.append(str(error))
    return {
        "directory": str(config.tls_directory),
        "profile": files.profile,
        "suites": offered_suites(context),
        "certificate": own[0] if own else None,
        "chain": own[1:],
        "has_ca": folder.ca.exists(),
        "trusted": trusted,
        "revocation_lists": lists,
        "issued": [asdict(one) for one in read_index(folder)],
        "problems": problems,
    }


def show_state(state: dict[str, Any]) -> None:
    """Tell a person."""
    if state["certificate"] is None and not state["problems"]:
        click.echo(
            f"This node has no certificate yet ({state['directory']}); its first start with TLS "
            "makes one, or isocenter tls init."
        )
    else:
        if state["certificate"] is not None:
            click.echo("This node:")
            show_certificates([state["certificate"]])
        for problem in state["problems"]:
            click.echo(harmless(f"Problem: {problem}"))
    if state["trusted"]:
        click.echo("\nTrusts:")
        show_certificates(state["trusted"])
    if state["revocation_lists"]:
        click.echo("\nRevoked:")
    for one in state["revocation_lists"]:
        click.echo(harmless(f"{one['revoked']} by {one['issuer']}"))
    if state["issued"]:
        click.echo("\nIssued by the local CA:")
        show_table(
            ("Name", "Hosts", "Until", "Revoked", "Serial number"),
            [
                (
                    one["name"],
                    ", ".join(one["names"]) or "-",
                    one["ends_at"][:10],
                    (one["revoked_at"] or "-")[:10],
                    one["serial"],
                )
                for one in state["issued"]
            ],
        )
    click.echo(f"\nProfile {state['profile']}: {', '.join(state['suites'])}")


def _described(certificate: x509.Certificate) -> dict[str, Any]:
    try:
        said = facts(certificate)
    except ValueError as error:
        raise CertificateProblem("A certificate is malformed within.") from error
    ends = certificate.not_valid_after_utc
    return {
        "subject": said.subject,
        "common_name": said.common_name,
        "names": [*said.dns_names, *said.addresses],
        "issuer": certificate.issuer.rfc4514_string(),
        "serial": f"{certificate.serial_number:x}",
        "sha256": said.sha256,
        "begins": certificate.not_valid_before_utc.isoformat(),
        "ends": ends.isoformat(),
        "days_left": round((ends - datetime.now(UTC)).total_seconds() / 86400, 1),
    }


def _described_list(listed: x509.CertificateRevocationList) -> dict[str, Any]:
    due = listed.next_update_utc
    return {
        "issuer": common_name(listed.issuer) or listed.issuer.rfc4514_string(),
        "revoked": len(listed),
        "next_update": None if due is None else due.isoformat(),
    }


def _left(certificate: dict[str, Any]) -> str:
    days = certificate["days_left"]
    return f"{days:.0f} days left" if days >= 0 else f"EXPIRED {-days:.0f} days ago"
