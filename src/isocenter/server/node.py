"""The running node: serves associations on one loop from one archive."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Mapping
from functools import partial

import structlog

from isocenter.archive.archive import Archive
from isocenter.archive.layout import WORKFLOW_FILE
from isocenter.archive.workflow import Workflow
from isocenter.server.acceptor import AssociationAcceptor, Crowd
from isocenter.server.config import Config
from isocenter.server.failures import FailureRecorder
from isocenter.server.node_services import NodeServices
from isocenter.server.peers import Peers
from isocenter.server.reception import Reception, TLSContexts
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
    ) -> None:
        self.config = config
        self._loop = asyncio.get_running_loop()
        self.post = LoopPost(self._loop)
        self.peers = Peers(config)
        self.failures = FailureRecorder(
            config.node.data_directory / WORKFLOW_FILE, config.explain.keep
        )
        self._receive_buffer = memoryview(bytearray(RECEIVE_BUFFER_SIZE))
        self._associations: set[ProvidedAssociation] = set()
        self._per_host: Counter[str] = Counter()
        limits = config.limits
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
            receive_buffer=self._receive_buffer,
            limits=self._limits,
            timeouts=self._timeouts,
        )
        acceptance = self._services.acceptance
        self.service_for = acceptance.service_for
        self._acceptor = AssociationAcceptor(
            config, self.peers, acceptance, self._crowd, self._services.commitment.associated
        )
        self.answer = self._acceptor.answer
        self._reception = Reception(config, contexts, self._make_protocol, self.failures)

    @property
    def load(self) -> int:
        """How many connections are open."""
        return len(self._associations)

    def take(
        self, listener: str, connection: socket.socket, host: str, *, crowded: bool = False
    ) -> None:
        """Serve a connection that came in over a listener.

        `crowded` says that the node as a whole has too many already: the association will be
        rejected.
        """
        self._reception.take(listener, connection, host, crowded=crowded)

    def _make_protocol(self, listener: str, crowded: bool) -> AssociationProtocol:
        return AssociationProtocol(
            partial(self._make_user, listener=listener, crowded=crowded),
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
        host = association.host
        self._per_host[host] -= 1
        if not self._per_host[host]:
            del self._per_host[host]

    async def stop(self) -> None:
        """Let running associations finish for a while, then abort what is left."""
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
        await self._services.stop()
        await self._loop.run_in_executor(None, self.failures.close)

    def _make_user(
        self, connection: AssociationProtocol, *, listener: str, crowded: bool
    ) -> ProvidedAssociation:
        association = ProvidedAssociation(self, connection)
        association.listener = listener
        association.unwelcome = crowded
        self._associations.add(association)
        self._per_host[association.host] += 1
        return association

    def _crowd(self, host: str) -> Crowd:
        return Crowd(self.load, self._per_host[host])
