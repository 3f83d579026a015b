"""The options of TLS that every command with an association shares, in DCMTK's spelling too.

What this version does anyway, DCMTK's switch for it is understood; what it never does (suites
without encryption, passphrases among the arguments) is refused with the way to go instead.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from isocenter.cli.verbosity import Verbosity, say
from isocenter.server.calling_tls import TLSWish

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

MAXIMUM_FILES = 1000
"""Files of a folder of certificates that are read."""

_PROFILES = ("bcp195", "hardened")
_FILE = click.Path(path_type=Path)


def tls_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of TLS; the command gets them as one `tls`, a TLSWish."""

    @wraps(function)
    def command(
        *,
        tls: bool | None,
        own: tuple[Path, Path] | None,
        anonymous: bool,
        trusted: tuple[Path, ...],
        trusted_folders: tuple[Path, ...],
        revoked: tuple[Path, ...],
        no_verify: bool,
        profile: str | None,
        passphrase_file: Path | None,
        null_passphrase: bool,
        **arguments: Any,
    ) -> Any:
        key, certificate = own or (None, None)
        asked_for = tls if tls is not None else (True if own or anonymous else None)
        if no_verify:
            say(
                "WARNING: the peer's certificate is not verified (-ic): whoever answers may read "
                "and change everything.",
                Verbosity.NORMAL,
            )
        wish = TLSWish(
            enabled=asked_for,
            certificate=certificate,
            key=key,
            anonymous=anonymous,
            trusted=(*trusted, *_certificates_in(trusted_folders)),
            revoked=revoked,
            verify=not no_verify,
            profile=profile,  # type: ignore[arg-type]  # one of _PROFILES
            passphrase=_passphrase(passphrase_file, null_passphrase),
            ask=_ask,
        )
        return function(tls=wish, **arguments)

    decorated: Callable[..., Any] = command
    for decorate in reversed(_TLS_OPTIONS):
        decorated = decorate(decorated)
    return decorated


def _certificates_in(folders: tuple[Path, ...]) -> list[Path]:
    """The files of certificates in folders, by their names' endings. Raises OSError."""
    found = [
        path
        for folder in folders
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in (".pem", ".crt", ".cer", ".der") and path.is_file()
    ]
    if len(found) > MAXIMUM_FILES:
        raise click.UsageError(f"+cd: over {MAXIMUM_FILES} certificates; name the files with +cf.")
    if folders and not found:
        raise click.UsageError("+cd: no file there ends in .pem, .crt, .cer or .der.")
    return found


def _passphrase(file: Path | None, is_empty: bool) -> bytes | None:
    if file is None:
        return b"" if is_empty else None
    from isocenter.security.bundles import read_passphrase

    return read_passphrase(file)


def _ask(key: Path) -> bytes:
    """Ask a person; where there is none, the error says what to do instead."""
    from isocenter.security.certificates import CertificateProblem

    if not sys.stdin.isatty():
        raise CertificateProblem(
            f"The private key {key} is encrypted: give its passphrase with --passphrase-file."
        )
    answer: str = click.prompt(f"Passphrase of {key}", hide_input=True, err=True)
    return answer.encode()


def _understood(*names: str, text: str, takes: type[str] | None = None) -> Decorator:
    """A switch of DCMTK's that asks for what is done anyway."""
    if takes is None:
        return click.option(*names, is_flag=True, expose_value=False, hidden=True, help=text)
    return click.option(*names, type=takes, expose_value=False, hidden=True, help=text)


def _refused(*names: str, why: str, takes: type[str] | None = None) -> Decorator:
    """A switch of DCMTK's that is never done."""

    def refuse(context: click.Context, _: click.Parameter, given: object) -> None:
        if given:
            raise click.UsageError(f"{names[0]} is not done: {why}.", context)

    return click.option(
        *names,
        type=takes,
        is_flag=takes is None,
        is_eager=True,
        expose_value=False,
        hidden=True,
        callback=refuse,
    )


def _profile(*names: str, value: str) -> Decorator:
    return click.option(*names, "profile", flag_value=value, hidden=True)


_TLS_OPTIONS: tuple[Decorator, ...] = (
    click.option(
        "--tls/-tls",
        " /--disable-tls",
        "tls",
        default=None,
        help="Call over TLS, on port 2762 unless another is given; -tls: in the clear, whatever "
        "the configuration says of the peer.",
    ),
    click.option(
        "+tls",
        "--enable-tls",
        "own",
        nargs=2,
        type=_FILE,
        metavar="KEY CERTIFICATE",
        help="--tls with this key and certificate of ours (default: the node's).",
    ),
    click.option(
        "+tla", "--anonymous-tls", "anonymous", is_flag=True, help="--tls without one of ours."
    ),
    click.option(
        "+cf",
        "--add-cert-file",
        "--cacert",
        "trusted",
        multiple=True,
        type=_FILE,
        metavar="FILE",
        help="Trust these CAs instead of those of the node; more than once for several.",
    ),
    click.option(
        "+cd",
        "--add-cert-dir",
        "trusted_folders",
        multiple=True,
        type=_FILE,
        metavar="DIR",
        help="The same, with every certificate in DIR.",
    ),
    click.option(
        "+crl",
        "--add-crl-file",
        "revoked",
        multiple=True,
        type=_FILE,
        metavar="FILE",
        help="A certificate revocation list that counts as well.",
    ),
    click.option(
        "-ic",
        "--ignore-peer-cert",
        "--tls-no-verify",
        "no_verify",
        is_flag=True,
        help="Whoever answers is trusted: for a look, never for patients' data.",
    ),
    click.option(
        "--tls-profile",
        "profile",
        type=click.Choice(_PROFILES),
        help="The cipher suites: those of PS3.15 B.12, or what B.13 lists.",
    ),
    click.option(
        "--passphrase-file",
        "passphrase_file",
        type=_FILE,
        metavar="FILE",
        help="The passphrase of our key is the first line of FILE (default: it is asked for).",
    ),
    click.option("-pw", "--null-passwd", "null_passphrase", is_flag=True, hidden=True),
    _profile("+py", "--profile-bcp195-nd", value="bcp195"),
    _profile("+px", "--profile-bcp195", value="bcp195"),
    _profile("+pz", "--profile-bcp195-ex", value="hardened"),
    _understood("-rc", "--require-peer-cert", text="The peer's certificate is always verified."),
    _understood("-vc", "--verify-peer-cert", text="The peer's certificate is always verified."),
    _understood("+crv", "--enable-crl-vfy", text="Revocation lists always count."),
    _understood("+cra", "--enable-crl-all", text="Revocation lists always count."),
    _understood("-pem", "--pem-keys", text="Keys are PEM files."),
    _understood("+ps", "--std-passwd", text="The passphrase is asked for."),
    _understood("+rs", "--seed", takes=str, text="The system gives random numbers."),
    _understood("+ws", "--write-seed", text="The system gives random numbers."),
    _understood("+wf", "--write-seed-file", takes=str, text="The system gives random numbers."),
    _refused(
        "+pw",
        "--use-passwd",
        takes=str,
        why="whoever lists processes could read the passphrase; use --passphrase-file",
    ),
    _refused("-der", "--der-keys", why="keys are PEM files; openssl pkey converts them"),
    _refused("+pa", "--profile-aes", why="the profile was retired; use --tls-profile"),
    _refused("+pn", "--profile-null", why="it does not encrypt; use --tls-profile"),
    _refused("+cs", "--cipher", takes=str, why="the suites are those of --tls-profile"),
    _refused("+cc", "--list-ciphers", why="isocenter tls show lists the suites"),
)
