"""The TLS of a node's listeners: made ready at the start, and the context for each handshake."""

from __future__ import annotations

from collections.abc import Mapping

from isocenter.server.config import Config
from isocenter.server.reception import TLSContexts


def prepare_tls(config: Config) -> None:
    """See to it that there are a key and a certificate where a listener needs them."""
    if any(listener.uses_tls for listener in config.all_listeners.values()):
        raise NotImplementedError


def tls_contexts(config: Config) -> Mapping[str, TLSContexts]:
    """What each listener that speaks TLS does so with, by the listener's name."""
    return {}
