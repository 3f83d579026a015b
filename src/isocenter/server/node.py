"""The running node: serves associations on one loop from one archive."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from functools import partial

import structlog

from isocenter.archive.archive import Archive
from isocenter.archive.layout import WORKFLOW_FILE
from isocenter.archive.workflow import Workflow
from isocenter.server.acceptor import AssociationAcceptor
from isocenter.server.admission import Admission
from isocenter.server.audit import AuditDesk
from isocenter.server.certificate_watch import CertificateWatch
from isocenter.server.config import Config
from isocenter.server.failures import FailureRecorder
from isocenter.server.identity import IdentityCheck
from isocenter.server.metrics import Figure, MetricsFile
from isocenter.server.node_services import NodeServices
from isocenter.server.peers import Peers
from isocenter.server.reception import Arrival, Reception, TLSContexts
from isocenter.services.loop_post import LoopPost
from isocenter.services.provider import ProvidedAssociation
from isocenter.upperlayer.aio import RECEIVE_BUFFER_SIZE, AssociationProtocol
from isocenter.upperlayer.limits import AssociationLimits, Timeouts

QUIET_SECONDS = 1.0
"""At a stop, an association without traffic for this long is aborted at once."""

log = structlog.get_logger(__name__)


class Node:
    """One network process of a node: its listener's connections, its services, its archive."""

    def __init__(
        self,
        config: Config,
        archive: Archive,
        workflow: Workflow,
        contexts: Mapping[str, TLSContexts],
        worker: str | None = None,
    ) -> None:
        self.config = config
        self._loop = asyncio.get_running_loop()
        self.post = LoopPost(self._loop)
        self.peers = Peers(config)
        self.failures = FailureRecorder(
            config.node.data_directory / WORKFLOW_FILE, config.explain.keep
        )
        self.audit = AuditDesk(config)
        self._receive_buffer = memoryview(bytearray(RECEIVE_BUFFER_SIZE))
        self._associations: set[ProvidedAssociation] = set()
        limits = config.limits
        admission: Admission[Arrival] = Admission(limits, self._loop.time)
        self._limits = AssociationLimits(
            maximum_length=limits.maximum_pdu, association_pdu=limits.association_pdu
        )
        self._timeouts = Timeouts(
            artim=limits.artim_timeout,
            pdu=limits.pdu_timeout,
            idle=limits.idle_timeout,
        )
        self._services = NodeServices(
            config,
            archive,
            workflow,
            self.peers,
            self.failures,
            self.audit,
            receive_buffer=self._receive_buffer,
            limits=self._limits,
            timeouts=self._timeouts,
        )
        acceptance = self._services.acceptance
        self.service_for = acceptance.service_for
        self._acceptor = AssociationAcceptor(
            config,
            self.peers,
            acceptance,
            self.audit,
            IdentityCheck(config),
            admission.is_crowded,
            self._services.commitment.associated,
        )
        self.answer = self._acceptor.answer
        self._reception = Reception(
            config, contexts, self._make_protocol, admission, self.failures, self.audit
        )
        self._admission = admission
        self._certificates = CertificateWatch(config)
        self._chores = [self._loop.create_task(self._certificates.run())]
        if (file := config.metrics.file) is not None:
            metrics = MetricsFile(file, worker, self._figures)
            self._chores.append(self._loop.create_task(metrics.run()))

    @property
    def load(self) -> int:
        """How many connections are open."""
        return len(self._associations)

    def accept(self, listener: str, connection: socket.socket, host: str) -> bool:
        """Serve a connection that came in over a listener; there is always room for it."""
        self.take(Arrival(connection.detach(), listener, host, crowded=False))
        return True

    def take(self, arrival: Arrival) -> None:
        """Serve a connection; where it says `crowded` its association will be rejected."""
        self._reception.take(arrival)

    def _make_protocol(self, arrival: Arrival) -> AssociationProtocol:
        return AssociationProtocol(
            partial(self._make_user, arrival),
            self._receive_buffer,
            limits=self._limits,
            timeouts=self._timeouts,
            write_timeout=self.config.limits.write_timeout,
        )

    def ended(self, association: ProvidedAssociation) -> None:
        """A connection is gone."""
        if association.was_accepted:
            self._acceptor.ended(association)
        self._associations.discard(association)

    async def stop(self) -> None:
        """Let running associations finish for a while, then abort what is left."""
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        await self._reception.close()
        deadline = self._loop.time() + self.config.limits.shutdown_timeout
        while self._associations and self._loop.time() < deadline:
            quiet_since = self._loop.time() - QUIET_SECONDS
            for association in list(self._associations):
                if not association.busy and association.connection.last_received < quiet_since:
                    association.connection.abort()
            await asyncio.sleep(0.05)
        for association in list(self._associations):
            association.connection.abort()
            association.connection.drop()
        await self._acceptor.stop()
        await self._services.stop()
        await self._loop.run_in_executor(None, self.failures.close)
        await self.audit.stop()

    def _make_user(self, arrival: Arrival, connection: AssociationProtocol) -> ProvidedAssociation:
        association = ProvidedAssociation(self, connection)
        association.listener = arrival.listener
        association.unwelcome = arrival.crowded
        association.on_accepted = arrival.accepted
        self._associations.add(association)
        return association

    def _figures(self) -> list[Figure]:
        acceptor, admission = self._acceptor, self._admission
        return [
            Figure("associations", "Associations that are open.", admission.associations),
            Figure("connections_waiting", "Connections without an association.", admission.waiting),
            Figure(
                "connections_expelled_total",
                "Connections without an association that had to make room.",
                admission.expelled,
            ),
            Figure("associations_accepted_total", "Associations accepted.", acceptor.accepted),
            Figure("associations_rejected_total", "Associations rejected.", acceptor.rejected),
            Figure(
                "handshakes_failed_total", "TLS handshakes that failed.", self._reception.failed
            ),
            *self._certificates.figures(),
        ]
