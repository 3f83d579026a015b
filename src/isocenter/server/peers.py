"""The peers of a running node: those of its configuration file as it stands now.

`isocenter peer add` must not need a restart, so the file is looked at whenever a peer is looked
up, at the price of one `stat`, and read again when it has changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import structlog

from isocenter.server.config import Config, Peer
from isocenter.server.config_loading import ConfigError, load_config
from isocenter.services.destination import Address

log = structlog.get_logger(__name__)


class _Edition(NamedTuple):
    """What tells one content of a file from another without reading it."""

    modified: int
    size: int
    inode: int


class Peers:
    """Looks peers up in the configuration, by AE title. For the loop's thread.

    A file that cannot be used leaves the peers as they were, and one line in the log.
    """

    def __init__(self, config: Config) -> None:
        self._file = config.file
        self._edition = self._look()
        self._take(config.peers)

    def find(self, ae_title: str) -> Peer | None:
        """The peer of that AE title; of two the first."""
        return self.by_ae_title.get(ae_title.strip(" "))

    @property
    def by_ae_title(self) -> Mapping[str, Peer]:
        """All peers as the file says now."""
        edition = self._look()
        if edition is not None and edition != self._edition:
            self._edition = edition
            self._read()
        return self._by_ae_title

    def _look(self) -> _Edition | None:
        """None where there is no file, as for the moment in which an editor replaces it."""
        if self._file is None:
            return None
        try:
            facts = self._file.stat()
        except OSError:
            return None
        return _Edition(facts.st_mtime_ns, facts.st_size, facts.st_ino)

    def _read(self) -> None:
        try:
            peers = load_config(self._file).config.peers
        except ConfigError as error:
            log.warning(
                "the configuration changed and cannot be used; the peers stay as they were",
                why=str(error.problems[0]),
            )
            return
        self._take(peers)
        log.info("read the peers anew", count=len(peers))

    def _take(self, peers: Mapping[str, Peer]) -> None:
        by_ae_title: dict[str, Peer] = {}
        for peer in peers.values():
            by_ae_title.setdefault(peer.ae_title, peer)
        self._by_ae_title = by_ae_title


class PeerAddresses(Mapping[str, Address]):
    """The addresses of the peers, as destinations of a C-MOVE."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    def __getitem__(self, ae_title: str) -> Address:
        peer = self._peers.by_ae_title[ae_title]
        return Address(
            peer.ae_title,
            peer.host,
            peer.port,
            peer.tls,
            peer.transfer_syntaxes,
            peer.store_associations,
            peer.certificates,
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._peers.by_ae_title)

    def __len__(self) -> int:
        return len(self._peers.by_ae_title)
