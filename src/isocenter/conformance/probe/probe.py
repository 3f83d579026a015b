"""The whole probe, from C-ECHO to the document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import isocenter
from isocenter.conformance.capabilities import (
    ApplicationEntity,
    AssociationParameters,
    Capabilities,
    Connection,
    Product,
    TransferCapability,
    TransportSecurity,
    Tried,
)
from isocenter.conformance.option_names import option_names
from isocenter.conformance.probe.calling import Caller, Outcome, TimeIsUp
from isocenter.conformance.probe.contexts import ContextSearch
from isocenter.conformance.probe.findings import Findings
from isocenter.conformance.probe.matrix import Matrix
from isocenter.conformance.probe.negotiation import (
    Negotiated,
    ask_extended,
    ask_first,
    ask_roles,
    ask_unknown,
)
from isocenter.conformance.probe.storing import store_one
from isocenter.conformance.probe.transport import ask_transport
from isocenter.dictionary._uid_table import UIDS
from isocenter.dictionary.sop_classes import VERIFICATION
from isocenter.dictionary.transfer_syntaxes import TRANSFER_SYNTAXES
from isocenter.services.query_options import QueryOptions

if TYPE_CHECKING:
    from isocenter.services.association import Destination

EVERY_SOP_CLASS = tuple(uid for uid, facts in UIDS.items() if facts[1].endswith("SOP Class"))
"""Of PS3.6, meta and retired ones too."""

EVERY_TRANSFER_SYNTAX = tuple(
    sorted(TRANSFER_SYNTAXES, key=lambda uid: [int(part) for part in uid.split(".")])
)
"""Of PS3.6 by number, so that what is common comes first."""

CONNECTION = "probed"

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """How far a probe goes: `rate` connections a second, `seconds` in all, what it asks about.

    `store` is a file to be stored; without it nothing is.
    """

    rate: float = 20.0
    seconds: float = 120.0
    sop_classes: Sequence[str] = EVERY_SOP_CLASS
    transfer_syntaxes: Sequence[str] = EVERY_TRANSFER_SYNTAX
    store: Path | None = None


@dataclass(frozen=True, slots=True)
class Probed:
    """The document, and what became of the first association."""

    capabilities: Capabilities
    outcome: Outcome


def probe(
    destination: Destination,
    wish: Wish,
    now: datetime,
    tell: Progress = lambda _: None,
    caller: Caller | None = None,
) -> Probed:
    """Probe a node; whatever it does is in the document.

    `tell` hears of each step. `caller` brings a clock of its own.
    """
    run = _Run(caller or Caller(destination, wish.rate, wish.seconds), wish, tell)
    complete = run.all()
    return Probed(run.document(now, complete=complete), run.negotiated_outcome)


class _Run:
    """One probe under way."""

    def __init__(self, caller: Caller, wish: Wish, tell: Progress) -> None:
        self._caller = caller
        self._wish = wish
        self._tell = tell
        self._findings = Findings()
        self._matrix = Matrix(wish.sop_classes, wish.transfer_syntaxes)
        self._negotiated: Negotiated | None = None
        self._transport: TransportSecurity | None = None
        self._most_contexts = 0

    @property
    def negotiated_outcome(self) -> Outcome:
        """What became of the first association."""
        return self._negotiated.first.outcome if self._negotiated else "silent"

    def all(self) -> bool:
        """Every step; whether none was cut off."""
        try:
            return self._steps()
        except TimeIsUp:
            self._findings.warn(
                "time-is-up",
                f"The time of {self._wish.seconds:g} s was over before everything was asked.",
            )
            return False

    def _steps(self) -> bool:
        self._tell("C-ECHO")
        self._negotiated = negotiated = ask_first(self._caller, self._findings)
        if not negotiated.first.accepted:
            if self._caller.destination.ssl_context is not None:
                self._transport = ask_transport(self._caller, self._findings)
            return False
        complete = self._search(negotiated)
        accepted = self._accepted()
        self._tell("roles and extended negotiation")
        ask_roles(self._caller, accepted, negotiated, self._findings)
        ask_extended(self._caller, accepted, negotiated, self._findings)
        self._tell("unknown names")
        ask_unknown(self._caller, negotiated, self._findings)
        if self._caller.destination.ssl_context is not None:
            self._tell("TLS")
            self._transport = ask_transport(self._caller, self._findings)
        if self._wish.store is not None:
            self._tell("C-STORE")
            store_one(self._caller, self._wish.store, self._findings)
        return complete

    def _search(self, negotiated: Negotiated) -> bool:
        self._tell(
            f"{len(self._wish.sop_classes)} SOP classes in {len(self._wish.transfer_syntaxes)} "
            "transfer syntaxes"
        )
        search = ContextSearch(
            self._caller, self._matrix, self._findings, anchored=negotiated.verification
        )
        try:
            return search.run()
        finally:
            self._most_contexts = search.most_contexts

    def _accepted(self) -> Mapping[str, Sequence[str]]:
        """The SOP classes that are taken, with their transfer syntaxes in PS3.6's order."""
        order = {uid: number for number, uid in enumerate(self._wish.transfer_syntaxes)}
        return {
            sop_class: sorted(result.accepted, key=order.__getitem__)
            for sop_class, result in self._matrix.results.items()
            if result.accepted
        }

    def document(self, now: datetime, *, complete: bool) -> Capabilities:
        """What was found."""
        caller, to = self._caller, self._caller.destination
        said = self._negotiated.first.information if self._negotiated else None
        tls = self._transport
        if tls is None and to.ssl_context is not None:
            tls = TransportSecurity()
        return Capabilities(
            kind="probe",
            made_at=now.isoformat(timespec="seconds"),
            made_by=f"isocenter {isocenter.__version__}",
            product=Product(
                implementation_class_uid=said.implementation_class_uid[:64] if said else "",
                implementation_version_name=said.implementation_version_name[:16] if said else "",
            ),
            connections=(Connection(name=CONNECTION, host=to.host, port=to.port, tls=tls),),
            entities=(self._entity(),) if self._negotiated else (),
            tried=Tried(
                sop_classes=tuple(self._wish.sop_classes),
                transfer_syntaxes=tuple(self._wish.transfer_syntaxes),
                associations=caller.associations,
                presentation_contexts=caller.contexts,
                seconds=round(caller.seconds, 3),
                complete=complete,
            ),
            findings=self._findings.all(),
        )

    def _entity(self) -> ApplicationEntity:
        found = self._negotiated
        assert found is not None
        window = found.window or (None, None)
        information = found.first.information
        return ApplicationEntity(
            ae_title=self._caller.destination.called_ae,
            accepts=found.first.accepted,
            checks_called_ae=found.checks_called,
            checks_calling_ae=found.checks_calling,
            stores_unknown_sop_classes=found.stores_unknown,
            connections=(CONNECTION,),
            association=AssociationParameters(
                maximum_pdu=information.maximum_length if found.first.accepted else None,
                operations_performed=window[0],
                operations_invoked=window[1],
                contexts=self._most_contexts or None,
            ),
            capabilities=tuple(self._capabilities(found)),
        )

    def _capabilities(self, found: Negotiated) -> list[TransferCapability]:
        accepted = dict(self._accepted())
        if found.verification and VERIFICATION not in accepted:
            accepted = {VERIFICATION: [found.first.contexts[0].transfer_syntax], **accepted}
        made = []
        for sop_class, syntaxes in accepted.items():
            options = found.options.get(sop_class, QueryOptions())
            made.append(
                TransferCapability(
                    sop_class=sop_class,
                    role="SCP",
                    accepts=tuple(syntaxes),
                    options=option_names(sop_class, options),
                )
            )
            if sop_class in found.roles:
                made.append(
                    TransferCapability(
                        sop_class=sop_class,
                        role="SCU",
                        accepts=tuple(syntaxes),
                        by_role_selection=True,
                    )
                )
        return made
