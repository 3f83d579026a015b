"""How a report reaches its requester: on the same association, a new one, or its next (PS3.4 J).

Which of the three are tried is a setting of the peer. On an association of the requester's we are
the SCP as negotiated by default; on one of ours we have to propose that role (PS3.7 D.3.3.4).
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import structlog

from isocenter.dictionary.sop_classes import STORAGE_COMMITMENT_PUSH
from isocenter.dictionary.transfer_syntaxes import IMPLICIT_VR_LITTLE_ENDIAN, transfer_syntax
from isocenter.errors import IsocenterError
from isocenter.server.config import Config
from isocenter.server.config_values import EVERY_DELIVERY, CommitmentDelivery
from isocenter.server.jobs import Hopeless, Parked
from isocenter.server.peers import Peers
from isocenter.services.destination import Address, DestinationAssociation, Destinations
from isocenter.services.errors import ServiceError
from isocenter.services.outgoing import Outgoing
from isocenter.services.provider import ProvidedAssociation
from isocenter.services.storage_commitment import CommitmentReport, encode_report
from isocenter.services.storage_commitment_scp import send_report
from isocenter.upperlayer.contexts import AcceptedContext
from isocenter.upperlayer.errors import UpperLayerError
from isocenter.upperlayer.user_information import RoleSelection

QUIET_SECONDS = 0.5
"""How long a requester that associates may speak first, before old reports are sent to it."""


# Every application entity must know it (PS3.5 10.1).
_KIND = (STORAGE_COMMITMENT_PUSH, IMPLICIT_VR_LITTLE_ENDIAN.uid)
_OUR_ROLE = RoleSelection(STORAGE_COMMITMENT_PUSH, scu_role=False, scp_role=True)

log = structlog.get_logger(__name__)


class NotDelivered(ServiceError):
    """A report did not reach its requester; the text says why."""


class Requester(NamedTuple):
    """Whom a transaction's report is for; `provider_ae` is how they called us."""

    number: int
    ae_title: str
    provider_ae: str


class _OpenWay(NamedTuple):
    association: ProvidedAssociation
    context: AcceptedContext


class ReportDelivery:
    """Delivers reports. For the loop's thread."""

    def __init__(
        self, config: Config, peers: Peers, destinations: Destinations, threads: Executor
    ) -> None:
        self._own_titles = (config.node.ae_title, *config.node.also_known_as)
        self._timeout = config.commitment.response_timeout
        self._patience = config.commitment.first_retry
        self._destinations = destinations
        self._threads = threads
        self._peers = peers
        self._open: dict[int, _OpenWay] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._unreachable: dict[str, tuple[float, NotDelivered]] = {}

    def opened(
        self, number: int, association: ProvidedAssociation, context: AcceptedContext
    ) -> None:
        """A transaction was asked for on this association; its report may go back on it."""
        if "same" in self._ways_of(association.calling_ae_title):
            self.offered(number, association, context)

    def offered(
        self, number: int, association: ProvidedAssociation, context: AcceptedContext
    ) -> None:
        """The report of a transaction is to go out on this association."""
        for other in [at for at, way in self._open.items() if way.association.over]:
            del self._open[other]
        if not association.over:
            self._open[number] = _OpenWay(association, context)

    def context_for_old_reports(self, association: ProvidedAssociation) -> AcceptedContext | None:
        """The context on which a requester that has just associated can be sent old reports."""
        if "next" not in self._ways_of(association.calling_ae_title):
            return None
        contexts = association.connection.core.accepted_contexts.values()
        return next((c for c in contexts if c.abstract_syntax == STORAGE_COMMITMENT_PUSH), None)

    async def is_quiet(self, association: ProvidedAssociation) -> bool:
        """Wait until the requester waits, too; False if the association ends before that."""
        await asyncio.sleep(QUIET_SECONDS)
        while association.busy and not association.over:
            await asyncio.sleep(QUIET_SECONDS)
        return not association.over

    async def deliver(self, requester: Requester, report: CommitmentReport) -> None:
        """Have the requester take a report, in one of the ways that its settings allow.

        Raises NotDelivered when it should be tried again later, Parked when only the requester's
        next association can help, Hopeless when nothing can.
        """
        ways = self._ways_of(requester.ae_title)
        address = self._destinations.addresses.get(requester.ae_title)
        trouble: IsocenterError | None = None
        if (way := self._open.pop(requester.number, None)) and not way.association.over:
            try:
                await self._send(way.association.outgoing, way.context, requester, report)
                return
            except IsocenterError as error:
                trouble = error
                self.offered(requester.number, *way)
        if "new" in ways and address is not None:
            await self._deliver_to(address, requester, report)
        elif trouble is not None:
            raise NotDelivered(str(trouble)) from trouble
        elif "next" in ways:
            raise Parked(f"Waits for the next association of {requester.ae_title}.")
        elif "new" in ways:
            raise NotDelivered(f"No address is configured for {requester.ae_title} in [peers].")
        else:
            raise Hopeless("The association is gone on which alone the report was wanted.")

    async def _deliver_to(
        self, address: Address, requester: Requester, report: CommitmentReport
    ) -> None:
        # One association with a requester at a time; where it fails, the others need not try.
        async with self._turns[requester.ae_title]:
            until, error = self._unreachable.get(requester.ae_title, (0.0, None))
            if error is not None and time.monotonic() < until:
                raise error
            self._unreachable.pop(requester.ae_title, None)
            try:
                await self._associate_and_send(address, requester, report)
            except UpperLayerError as trouble:
                error = NotDelivered(str(trouble))
                self._unreachable[requester.ae_title] = time.monotonic() + self._patience, error
                raise error from trouble

    async def _associate_and_send(
        self, address: Address, requester: Requester, report: CommitmentReport
    ) -> None:
        destinations = self._destinations
        if requester.provider_ae in self._own_titles:
            destinations = replace(destinations, ae_title=requester.provider_ae)
        association = await destinations.open(address, [_KIND], [_OUR_ROLE])
        try:
            context = _usable_context(association)
            await self._send(association.outgoing, context, requester, report)
        except BaseException:
            association.abort()
            raise
        association.release()

    async def _send(
        self,
        outgoing: Outgoing,
        context: AcceptedContext,
        requester: Requester,
        report: CommitmentReport,
    ) -> None:
        syntax = transfer_syntax(context.transfer_syntax)
        encode = partial(encode_report, report, syntax, retrieve_ae=self._own_titles[0])
        data_set = await asyncio.get_running_loop().run_in_executor(self._threads, encode)
        await send_report(outgoing, context, report, data_set, timeout=self._timeout)
        log.info(
            "a report was taken by its requester",
            called_ae=requester.ae_title,
            instances=len(report.committed) + len(report.failed),
            failed=len(report.failed),
        )

    def _ways_of(self, ae_title: str) -> tuple[CommitmentDelivery, ...]:
        peer = self._peers.find(ae_title)
        return EVERY_DELIVERY if peer is None else peer.commitment_delivery


def _usable_context(association: DestinationAssociation) -> AcceptedContext:
    """Raises NotDelivered where the requester does not take commitment reports from us."""
    connection = association.connection
    context = next(iter(association.contexts), None)
    if context is None:
        raise NotDelivered(f"{connection.peer} accepts no Storage Commitment.")
    response = connection.core.response
    roles = () if response is None else response.user_information.role_selections
    for role in roles:
        # Many do not answer the role proposed, and take reports all the same.
        if role.sop_class_uid == STORAGE_COMMITMENT_PUSH and not role.scp_role:
            raise NotDelivered(f"{connection.peer} does not accept us as SCP (role selection).")
    return context
