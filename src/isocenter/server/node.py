"""The running node: accepts associations on one loop and serves them from one archive."""

from __future__ import annotations

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import structlog

from isocenter.archive.archive import Archive
from isocenter.archive.layout import INCOMING
from isocenter.dictionary.sop_classes import (
    PATIENT_ROOT_FIND,
    PATIENT_ROOT_GET,
    PATIENT_ROOT_MOVE,
    PATIENT_STUDY_ONLY_GET,
    PATIENT_STUDY_ONLY_MOVE,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    VERIFICATION,
)
from isocenter.encoding.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from isocenter.server.config import Config
from isocenter.server.engine import ArchiveInstances, ArchiveQueries, ArchiveSink
from isocenter.server.transcoder import Transcoder
from isocenter.services.acceptance import Acceptance
from isocenter.services.destination import Address, Destinations
from isocenter.services.get_scp import GetProvider
from isocenter.services.loop_post import LoopPost
from isocenter.services.move_scp import MoveProvider
from isocenter.services.provider import ProvidedAssociation, Service
from isocenter.services.query_retrieve_scp import FindProvider
from isocenter.services.retrieve_terms import RetrieveTerms
from isocenter.services.storage_scp import StorageProvider
from isocenter.services.verification_scp import VerificationProvider
from isocenter.upperlayer.aio import RECEIVE_BUFFER_SIZE, AssociationProtocol
from isocenter.upperlayer.events import AssociationRequested
from isocenter.upperlayer.limits import AssociationLimits, Timeouts
from isocenter.upperlayer.negotiation import negotiate, refuse, reject_as_user
from isocenter.upperlayer.pdu import AssociateRJ
from isocenter.upperlayer.reasons import (
    PresentationRejectReason,
    RejectResult,
    RejectSource,
    UserRejectReason,
    describe_rejection,
)
from isocenter.upperlayer.user_information import UserInformation

QUERY_THREADS = 4
RETRIEVE_THREADS = 16
"""More than disks can use at once: some of them wait for a conversion."""
QUIET_SECONDS = 1.0
"""At a stop, an association without traffic for this long is aborted at once."""

log = structlog.get_logger(__name__)


class Node:
    """One network process of a node: its listener's connections, its services, its archive."""

    def __init__(self, config: Config, archive: Archive) -> None:
        self.config = config
        self._loop = asyncio.get_running_loop()
        self.post = LoopPost(self._loop)
        self._receive_buffer = memoryview(bytearray(RECEIVE_BUFFER_SIZE))
        self._query_threads = ThreadPoolExecutor(QUERY_THREADS, thread_name_prefix="query")
        self._retrieve_threads = ThreadPoolExecutor(RETRIEVE_THREADS, thread_name_prefix="retrieve")
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
        find = FindProvider(
            ArchiveQueries(archive),
            self._query_threads,
            ae_title=config.node.ae_title,
            limit=config.find.limit or None,
        )
        self._transcoder = Transcoder(archive.folder / INCOMING, config.transcoding)
        terms = self._retrieve_terms(archive)
        self._destinations = self._make_destinations()
        get, move = GetProvider(terms), MoveProvider(terms, self._destinations)
        services: dict[str, Service] = {
            VERIFICATION: VerificationProvider(),
            PATIENT_ROOT_FIND: find,
            STUDY_ROOT_FIND: find,
            PATIENT_ROOT_GET: get,
            STUDY_ROOT_GET: get,
            PATIENT_ROOT_MOVE: move,
            STUDY_ROOT_MOVE: move,
            PATIENT_STUDY_ONLY_GET: get,
            PATIENT_STUDY_ONLY_MOVE: move,
        }
        self._acceptance = Acceptance(
            services,
            StorageProvider(ArchiveSink(archive)),
            unknown_sop_classes=config.storage.accept_unknown_sop_classes,
        )
        self.service_for = self._acceptance.service_for

    @property
    def load(self) -> int:
        """How many connections are open."""
        return len(self._associations)

    def make_protocol(self, *, crowded: bool = False) -> AssociationProtocol:
        """Return the protocol for a new connection: asyncio's protocol factory.

        `crowded` says that the node as a whole has too many already: the association will be
        rejected.
        """
        return AssociationProtocol(
            partial(self._make_user, crowded=crowded),
            self._receive_buffer,
            limits=self._limits,
            timeouts=self._timeouts,
            write_timeout=self.config.limits.write_timeout,
        )

    def answer(self, association: ProvidedAssociation, requested: AssociationRequested) -> bool:
        """Accept or reject an association (PS3.8 7.1)."""
        connection = association.connection
        reject = refuse(requested.request) or self._objection(association)
        if reject is not None:
            association.log.warning(
                "rejected an association",
                calling_ae=requested.request.calling_ae_title,
                called_ae=requested.request.called_ae_title,
                why=describe_rejection(reject.result, reject.source, reject.reason),
            )
            connection.reject(reject)
            return False
        response = negotiate(
            requested.request,
            self._acceptance.decisions(requested.request),
            decide_roles=self._acceptance.decide_role,
            user_information=UserInformation(
                maximum_length=self._limits.maximum_length,
                implementation_class_uid=IMPLEMENTATION_CLASS_UID,
                implementation_version_name=IMPLEMENTATION_VERSION_NAME,
            ),
        )
        connection.accept(response)
        association.log.info(
            "accepted an association",
            calling_ae=requested.request.calling_ae_title,
            called_ae=requested.request.called_ae_title,
            accepted=len(connection.core.accepted_contexts),
            contexts=len(requested.request.presentation_contexts),
        )
        return True

    def ended(self, association: ProvidedAssociation) -> None:
        """A connection is gone."""
        self._associations.discard(association)
        host = association.host
        self._per_host[host] -= 1
        if not self._per_host[host]:
            del self._per_host[host]

    async def stop(self) -> None:
        """Let running associations finish for a while, then abort what is left."""
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
        self._destinations.close()
        self._transcoder.close()
        await asyncio.sleep(0)  # let the connections hear of it
        self._query_threads.shutdown(cancel_futures=True)
        self._retrieve_threads.shutdown(cancel_futures=True)

    def _retrieve_terms(self, archive: Archive) -> RetrieveTerms:
        retrieve = self.config.retrieve
        return RetrieveTerms(
            ArchiveInstances(archive, self._transcoder),
            self._retrieve_threads,
            retrieve.pending_interval,
            retrieve.response_timeout,
            retrieve.associations,
            retrieve.attempts,
            retrieve.retry_delay,
        )

    def _make_destinations(self) -> Destinations:
        """Where C-MOVE may send: the configured peers; of two with one AE title the first."""
        config = self.config
        addresses: dict[str, Address] = {}
        for peer in config.peers.values():
            address = Address(peer.ae_title, peer.host, peer.port, peer.store_associations)
            addresses.setdefault(peer.ae_title, address)
        return Destinations(
            addresses,
            config.node.ae_title,
            self._receive_buffer,
            self._limits,
            replace(self._timeouts, association=config.retrieve.association_timeout),
            config.retrieve.connect_timeout,
            config.limits.write_timeout,
            set(),
            _own_address(config),
        )

    def _make_user(self, connection: AssociationProtocol, *, crowded: bool) -> ProvidedAssociation:
        association = ProvidedAssociation(self, connection)
        association.unwelcome = crowded
        self._associations.add(association)
        self._per_host[association.host] += 1
        return association

    def _objection(self, association: ProvidedAssociation) -> AssociateRJ | None:
        limits = self.config.limits
        if (
            association.unwelcome
            or self.load > limits.associations
            or self._per_host[association.host] > limits.associations_per_peer
        ):
            return AssociateRJ(
                RejectResult.REJECTED_TRANSIENT,
                RejectSource.SERVICE_PROVIDER_PRESENTATION,
                PresentationRejectReason.LOCAL_LIMIT_EXCEEDED,
            )
        if not self.config.answers_to(association.called_ae_title):
            return reject_as_user(UserRejectReason.CALLED_AE_TITLE_NOT_RECOGNIZED)
        return None


def _own_address(config: Config) -> Address | None:
    """Where this node reaches itself, unless its port is not known before it listens."""
    listen = config.listen
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)
    return Address(config.node.ae_title, host, listen.port) if listen.port else None
