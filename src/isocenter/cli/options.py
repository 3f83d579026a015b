"""The options that every command with an association shares, in DCMTK's spelling."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from isocenter.cli.tls_options import tls_options
from isocenter.cli.verbosity import say, verbosity_options
from isocenter.server.calling import destination_of

if TYPE_CHECKING:
    from isocenter.server.calling_tls import TLSWish
    from isocenter.upperlayer.user_information import UserIdentity

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

MINIMUM_PDU, MAXIMUM_PDU = 4096, 1 << 20
MAXIMUM_TOKEN = 16 * 1024  # bytes, as much as a node of ours takes
MAXIMUM_PASSCODE = 1024  # bytes; far from the 64 KiB of an item (PS3.7 D.3.3.7.1)
A_DAY = 86400.0  # what a timeout of 0, "no limit", comes to
PORT = click.IntRange(1, 65535)


def association_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of an association; the command gets them as one `destination`.

    The command itself declares `peer` and `port` arguments, which are consumed here.
    """

    @wraps(function)
    def command(
        *,
        peer: str,
        port: int | None,
        calling_ae: str | None,
        called_ae: str | None,
        config: str | None,
        maximum_pdu: int,
        connect_timeout: float,
        association_timeout: float,
        response_timeout: float,
        user: str | None,
        password_file: str | None,
        tls: TLSWish,
        jwt_file: str | None,
        **arguments: Any,
    ) -> Any:
        destination = destination_of(
            peer,
            port,
            called_ae=called_ae,
            calling_ae=calling_ae,
            config=config,
            maximum_length=maximum_pdu,
            connect_timeout=connect_timeout or A_DAY,
            association_timeout=association_timeout or A_DAY,
            response_timeout=response_timeout or A_DAY,
            tls=tls,
            user_identity=_user_identity(user, password_file, jwt_file),
        )
        over = "" if destination.ssl_context is None else " over TLS"
        say(f"{destination.calling_ae} calls {destination}{over}.")
        return function(destination=destination, **arguments)

    decorated: Callable[..., Any] = tls_options(verbosity_options(command))
    for decorate in reversed(_ASSOCIATION_OPTIONS):
        decorated = decorate(decorated)
    return decorated


def _user_identity(
    user: str | None, password_file: str | None, jwt_file: str | None
) -> UserIdentity | None:
    """What is told of the user (PS3.7 D.3.3.7.1). Raises OSError."""
    from isocenter.upperlayer.user_information import UserIdentity, UserIdentityType

    if jwt_file is not None:
        if user is not None or password_file is not None:
            raise click.UsageError("--jwt-file takes the place of --user and --password-file.")
        return UserIdentity(UserIdentityType.JWT, _token(Path(jwt_file)))
    if user is None:
        if password_file is not None:
            raise click.UsageError("--password-file needs --user.")
        return None
    if password_file is None:
        return UserIdentity(UserIdentityType.USERNAME, user.encode())
    with Path(password_file).open("rb") as stream:
        passcode = stream.readline(MAXIMUM_PASSCODE).rstrip(b"\r\n")
    return UserIdentity(UserIdentityType.USERNAME_AND_PASSCODE, user.encode(), passcode)


def _token(path: Path) -> bytes:
    """The JSON Web Token in a file. Raises OSError."""
    with path.open("rb") as stream:
        token = stream.read(MAXIMUM_TOKEN + 1).strip()
    if not token or len(token) > MAXIMUM_TOKEN or token.split() != [token]:
        raise click.UsageError(f"{path} holds no JSON Web Token, or one that is too long.")
    return token


def config_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add -c/--config, the configuration file."""
    return click.option(
        "-c",
        "--config",
        metavar="FILE",
        help="Configuration file (default: $ISOCENTER_CONFIG, else ./isocenter.toml if there).",
    )(function)


def not_yet(*names: str, what: str) -> Decorator:
    """A switch of DCMTK's that is understood, and answered by saying that it is not there yet."""

    def refuse(context: click.Context, _: click.Parameter, given: bool) -> None:
        if given:
            _refuse(context, names[0], what)

    return click.option(
        *names,
        is_flag=True,
        is_eager=True,
        expose_value=False,
        hidden=True,
        callback=refuse,
        help=f"Not in this version: {what}.",
    )


def no_effect(*names: str, why: str) -> Decorator:
    """A switch of DCMTK's or pynetdicom's that asks for what is done anyway."""
    return click.option(*names, is_flag=True, expose_value=False, hidden=True, help=why)


def _refuse(context: click.Context, name: str, what: str) -> NoReturn:
    raise click.UsageError(f"{name} is not in this version of isocenter: {what}.", context)


def _timeout(*names: str, default: float, text: str) -> Decorator:
    return click.option(
        *names,
        type=click.FloatRange(0, A_DAY),
        default=default,
        show_default=True,
        metavar="SECONDS",
        help=text,
    )


_ASSOCIATION_OPTIONS: tuple[Decorator, ...] = (
    click.option(
        "-aet",
        "--aetitle",
        "--calling-aet",
        "calling_ae",
        metavar="AET",
        help="Our own AE title (default: the configuration's, else ISOCENTER).",
    ),
    click.option(
        "-aec",
        "--call",
        "--called-aet",
        "called_ae",
        metavar="AET",
        help="The peer's AE title (default: the one in PEER, else ANY-SCP).",
    ),
    _timeout(
        "-to", "--timeout", "connect_timeout", default=10, text="For the connection; 0 is no limit."
    ),
    click.option(
        "-ts",
        "--socket-timeout",
        type=click.FloatRange(0, A_DAY),
        expose_value=False,
        metavar="SECONDS",
        help="Understood, without effect: a peer that takes nothing for 30 s is given up.",
    ),
    _timeout(
        "-ta",
        "--acse-timeout",
        "association_timeout",
        default=30,
        text="For the answers to association and release requests.",
    ),
    _timeout(
        "-td",
        "--dimse-timeout",
        "response_timeout",
        default=60,
        text="For each DIMSE response; every pending one starts it anew.",
    ),
    click.option(
        "-pdu",
        "--max-pdu",
        "maximum_pdu",
        type=click.IntRange(MINIMUM_PDU, MAXIMUM_PDU),
        default=131072,
        show_default=True,
        metavar="BYTES",
        help="The largest PDU that we accept.",
    ),
    click.option(
        "-usr",
        "--user",
        "user",
        metavar="NAME",
        help="Tell the peer this user name (secret with --tls only).",
    ),
    click.option(
        "--password-file",
        metavar="FILE",
        help="With --user: tell the passcode in the first line of FILE, too (likewise).",
    ),
    click.option(
        "--jwt-file",
        "--jwt",
        "jwt_file",
        metavar="FILE",
        help="Tell the peer the JSON Web Token in FILE instead.",
    ),
    config_option,
)
