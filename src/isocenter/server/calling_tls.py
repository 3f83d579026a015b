"""The TLS of a call that a person or a program makes, from what they say of it.

Whatever they leave out is the node's: its certificate, and the CAs that it trusts. Nothing is
loaded before TLS is wanted.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from isocenter.server.peer_address import DEFAULT_CALLED_AE, PeerAddress

if TYPE_CHECKING:
    from isocenter.security.tls import ClientTLS
    from isocenter.security.tls_files import TLSFiles
    from isocenter.security.tls_profiles import Profile
    from isocenter.upperlayer.blocking_wire import Examine


@dataclass(frozen=True, slots=True)
class TLSWish:
    """How a peer is to be called.

    With `enabled` None it is called as its configuration says, with True over TLS, with False in
    the clear. `certificate` and `key` are our own, by default the node's; `anonymous` shows none.
    `trusted` and `revoked` are PEM files, in place of the node's. Without `verify` anybody may
    answer. `passphrase` decrypts the key; `ask` is asked for it if it is not there.
    """

    enabled: bool | None = None
    certificate: Path | None = None
    key: Path | None = None
    anonymous: bool = False
    trusted: tuple[Path, ...] = ()
    revoked: tuple[Path, ...] = ()
    verify: bool = True
    profile: Profile | None = None
    passphrase: bytes | None = None
    ask: Callable[[Path], bytes] | None = None


def client_tls(wish: TLSWish, config: str | None) -> ClientTLS:
    """The TLS that is wished for, with the configuration's files where it names none.

    Raises CertificateProblem, ConfigError.
    """
    from isocenter.security.tls import ClientTLS

    files = _files(wish, config)
    passphrase = wish.passphrase
    if files.key is not None and passphrase is None and wish.ask is not None:
        from isocenter.security.certificates import is_encrypted

        if is_encrypted(files.key):
            passphrase = wish.ask(files.key)
    return ClientTLS(files, verify=wish.verify, passphrase=passphrase)


def examiner(tls: ClientTLS, address: PeerAddress) -> Examine:
    """What looks at the certificate of the peer at an address."""
    from isocenter.security.tls import Expected

    title = "" if address.ae_title == DEFAULT_CALLED_AE else address.ae_title
    expected = Expected(address.host, title, address.certificates)
    return partial(tls.examine, expected=expected)


def _files(wish: TLSWish, config: str | None) -> TLSFiles:
    from isocenter.server.config_loading import load_config
    from isocenter.server.tls import tls_files

    files = tls_files(load_config(config).config)
    own = wish.certificate or files.certificate
    key = wish.key or (files.key if wish.certificate is None else wish.certificate)
    if wish.anonymous or (wish.certificate is None and not _are_ours(own, key)):
        own = key = None
    return replace(
        files,
        certificate=own,
        key=key,
        trusted=wish.trusted or files.trusted,
        # The lists of the node's CAs say nothing of others, and no harm is in reading them.
        revoked=(*wish.revoked, *files.revoked),
        profile=wish.profile or files.profile,
    )


def _are_ours(*paths: Path | None) -> bool:
    """Whether the node's own key is for this user; another one calls without a certificate."""
    return all(path is not None and os.access(path, os.R_OK) for path in paths)
