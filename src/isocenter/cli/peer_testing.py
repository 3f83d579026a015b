"""Trying a peer out: an association for everything that we could want of it, and a C-ECHO."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from isocenter.cli import exit_codes
from isocenter.cli.console import harmless
from isocenter.cli.failures import exit_code_of
from isocenter.dictionary.sop_classes import (
    MODALITY_WORKLIST_FIND,
    MPPS,
    STORAGE_COMMITMENT_PUSH,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    VERIFICATION,
)
from isocenter.dictionary.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from isocenter.errors import IsocenterError
from isocenter.server.calling_tls import TLSWish, client_tls, examiner
from isocenter.server.peer_address import PeerAddress, address_of
from isocenter.services.service_names import ServiceName, service_name

if TYPE_CHECKING:
    from isocenter.server.config import Peer
    from isocenter.services.association import ClientAssociation, Destination

AT_A_TIME = 8
WINDOW = 8
"""Operations that we offer to have outstanding, to learn what the peer allows."""

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""The storage class that stands for all: who stores anything stores this."""

_SYNTAXES = (EXPLICIT_VR_LITTLE_ENDIAN.uid, IMPLICIT_VR_LITTLE_ENDIAN.uid)
_PROPOSED = (
    VERIFICATION,
    SECONDARY_CAPTURE,
    STUDY_ROOT_FIND,
    STUDY_ROOT_MOVE,
    STUDY_ROOT_GET,
    STORAGE_COMMITMENT_PUSH,
    MODALITY_WORKLIST_FIND,
    MPPS,
)


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What a peer said of itself, and agreed to."""

    implementation: str
    maximum_length: int
    operations: int
    services: Sequence[ServiceName]


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a trial; `trouble` is a sentence, empty where the peer works."""

    name: str
    milliseconds: float = 0.0
    negotiated: Negotiated | None = None
    trouble: str = ""
    exit_code: int = exit_codes.SUCCESS

    @property
    def works(self) -> bool:
        """Whether C-ECHO succeeded."""
        return not self.trouble

    def as_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "works": self.works,
            "milliseconds": round(self.milliseconds, 3) if self.works else None,
            "trouble": self.trouble or None,
            "negotiated": asdict(self.negotiated) if self.negotiated else None,
        }


def try_peers(peers: Mapping[str, Peer], calling_ae: str, config: str | None) -> list[Trial]:
    """Try each peer, several at a time; the outcomes are in their order."""
    with ThreadPoolExecutor(AT_A_TIME) as threads:
        return list(threads.map(lambda name: _try(name, peers[name], calling_ae, config), peers))


def show_trial(trial: Trial) -> None:
    """Tell a person."""
    if not trial.works:
        click.echo(harmless(f"{trial.name}: {trial.trouble}"))
    else:
        click.echo(f"{trial.name}: C-ECHO succeeded, {trial.milliseconds:.1f} ms.")
    if trial.negotiated is not None:
        agreed = trial.negotiated
        outstanding = (
            "one operation" if agreed.operations == 1 else f"{agreed.operations} operations"
        )
        click.echo(
            harmless(
                f"  It is {agreed.implementation}, takes PDUs of "
                f"{agreed.maximum_length or 'any number of'} bytes and {outstanding} at a time, "
                f"and accepted {', '.join(agreed.services) or 'nothing'}."
            )
        )


def _try(name: str, peer: Peer, calling_ae: str, config: str | None) -> Trial:
    negotiated = None
    try:
        with _destination(address_of(peer), calling_ae, config).connect(
            [(sop_class, _SYNTAXES) for sop_class in _PROPOSED]
        ) as association:
            negotiated = _agreed(association)
            began = time.perf_counter()
            status = association.echo()
            milliseconds = (time.perf_counter() - began) * 1000
    except IsocenterError as error:
        return Trial(name, 0.0, negotiated, str(error), exit_code_of(error))
    if status.is_success:
        return Trial(name, milliseconds, negotiated)
    trouble = f"It answered C-ECHO with {status}."
    return Trial(name, milliseconds, negotiated, trouble, exit_codes.FAILED_STATUS)


def _destination(address: PeerAddress, calling_ae: str, config: str | None) -> Destination:
    from isocenter.services.association import Destination

    tls = client_tls(TLSWish(), config) if address.tls else None
    return Destination(
        address.host,
        address.port,
        called_ae=address.ae_title,
        calling_ae=calling_ae,
        ssl_context=None if tls is None else tls.current(),
        examine=None if tls is None else examiner(tls, address),
        window=WINDOW,
    )


def _agreed(association: ClientAssociation) -> Negotiated:
    said = association.transport.response.user_information
    accepted = association.transport.accepted_contexts.values()
    name = said.implementation_version_name or "an unnamed implementation"
    return Negotiated(
        f"{name} ({said.implementation_class_uid})",
        said.maximum_length,
        association.window,
        [service_name(context.abstract_syntax) for context in accepted],
    )
