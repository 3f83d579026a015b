"""The services that one network process provides, and the threads and processes they run on."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from isocenter.archive.archive import Archive
from isocenter.archive.layout import INCOMING
from isocenter.archive.workflow import Workflow
from isocenter.dictionary.sop_classes import (
    MODALITY_WORKLIST_FIND,
    MPPS,
    MPPS_RETRIEVE,
    PATIENT_ROOT_FIND,
    PATIENT_ROOT_GET,
    PATIENT_ROOT_MOVE,
    PATIENT_STUDY_ONLY_FIND,
    PATIENT_STUDY_ONLY_GET,
    PATIENT_STUDY_ONLY_MOVE,
    STORAGE_COMMITMENT_PUSH,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    VERIFICATION,
)
from isocenter.server.audit import AuditDesk
from isocenter.server.commitment import CommitmentDesk
from isocenter.server.config import Config
from isocenter.server.deletion import DeletionDesk
from isocenter.server.engine import ArchiveInstances, ArchiveQueries, ArchiveSink
from isocenter.server.peers import PeerAddresses, Peers
from isocenter.server.tls import CallingTLS
from isocenter.server.transcoder import Transcoder
from isocenter.server.validation import ValidationDesk
from isocenter.server.workflow_engine import KeptSteps, WorklistQueries
from isocenter.services.acceptance import Acceptance
from isocenter.services.destination import Address, Destinations
from isocenter.services.failures import FailureLog
from isocenter.services.fair_threads import FairThreads
from isocenter.services.get_scp import GetProvider
from isocenter.services.move_scp import MoveProvider
from isocenter.services.performed_procedure_step_scp import ProcedureStepProvider
from isocenter.services.provider import Service
from isocenter.services.query_desk import QueryDesk
from isocenter.services.query_retrieve_scp import FindProvider
from isocenter.services.retrieve_terms import RetrieveTerms
from isocenter.services.storage_scp import StorageProvider
from isocenter.services.verification_scp import VerificationProvider
from isocenter.services.worklist_scp import WorklistProvider
from isocenter.upperlayer.limits import AssociationLimits, Timeouts

QUERY_THREADS = 4
RETRIEVE_THREADS = 16
"""More than disks can use at once: some of them wait for a conversion."""


class NodeServices:
    """Every service of a node, made from its configuration; for the loop's thread.

    `limits`, `timeouts` and the buffer are for the associations that we make ourselves.
    """

    def __init__(
        self,
        config: Config,
        archive: Archive,
        workflow: Workflow,
        peers: Peers,
        failures: FailureLog,
        audit: AuditDesk,
        *,
        receive_buffer: memoryview,
        limits: AssociationLimits,
        timeouts: Timeouts,
    ) -> None:
        self._config = config
        self._query_threads = ThreadPoolExecutor(QUERY_THREADS, thread_name_prefix="query")
        self._queries = QueryDesk(
            FairThreads(self._query_threads, QUERY_THREADS), asyncio.get_running_loop()
        )
        self._retrieve_threads = ThreadPoolExecutor(RETRIEVE_THREADS, thread_name_prefix="retrieve")
        self._step_threads = ThreadPoolExecutor(1, thread_name_prefix="procedure-steps")
        self._transcoder = Transcoder(archive.folder / INCOMING, config.transcoding)
        self._destinations = Destinations(
            PeerAddresses(peers),
            config.node.ae_title,
            receive_buffer,
            limits,
            replace(timeouts, association=config.retrieve.association_timeout),
            config.retrieve.connect_timeout,
            config.limits.write_timeout,
            set(),
            failures,
            _own_address(config),
            CallingTLS(config),
        )
        self.commitment = CommitmentDesk(
            config, archive, workflow, peers, self._destinations, audit
        )
        self.deletion = DeletionDesk(config, archive, workflow)
        self._validation = (
            None
            if config.storage.validation == "never"
            else ValidationDesk(config, archive, workflow)
        )
        services: dict[str, Service] = {
            VERIFICATION: VerificationProvider(),
            STORAGE_COMMITMENT_PUSH: self.commitment.provider,
            **self._query_retrieve(archive),
            **self._workflow_services(workflow),
        }
        self.acceptance = Acceptance(
            services,
            StorageProvider(ArchiveSink(archive)),
            unknown_sop_classes=config.storage.accept_unknown_sop_classes,
        )

    async def stop(self) -> None:
        """End what the services have under way, once no association is left."""
        await self.commitment.stop()
        await self.deletion.stop()
        if self._validation is not None:
            await self._validation.stop()
        self._destinations.close()
        self._transcoder.close()
        await asyncio.sleep(0)  # let the connections hear of it
        self._query_threads.shutdown(cancel_futures=True)
        self._retrieve_threads.shutdown(cancel_futures=True)
        self._step_threads.shutdown()

    def _query_retrieve(self, archive: Archive) -> dict[str, Service]:
        find = FindProvider(
            ArchiveQueries(
                archive,
                self._config.find.header_limit or None,
                self._config.find.time_limit or None,
            ),
            self._queries,
            ae_title=self._config.node.ae_title,
            limit=self._config.find.limit or None,
        )
        terms = self._retrieve_terms(archive)
        get, move = GetProvider(terms), MoveProvider(terms, self._destinations)
        return {
            PATIENT_ROOT_FIND: find,
            STUDY_ROOT_FIND: find,
            PATIENT_STUDY_ONLY_FIND: find,
            PATIENT_ROOT_GET: get,
            STUDY_ROOT_GET: get,
            PATIENT_STUDY_ONLY_GET: get,
            PATIENT_ROOT_MOVE: move,
            STUDY_ROOT_MOVE: move,
            PATIENT_STUDY_ONLY_MOVE: move,
        }

    def _workflow_services(self, workflow: Workflow) -> dict[str, Service]:
        """What a modality asks before an examination, and tells during it."""
        settings = self._config.worklist
        worklist = WorklistProvider(
            WorklistQueries(
                workflow,
                frozenset(settings.hidden_statuses),
                self._config.find.time_limit or None,
            ),
            self._queries,
            limit=settings.limit or None,
        )
        steps = ProcedureStepProvider(KeptSteps(workflow), self._step_threads)
        return {MODALITY_WORKLIST_FIND: worklist, MPPS: steps, MPPS_RETRIEVE: steps}

    def _retrieve_terms(self, archive: Archive) -> RetrieveTerms:
        retrieve = self._config.retrieve
        return RetrieveTerms(
            ArchiveInstances(archive, self._transcoder, self._config.find.time_limit or None),
            self._retrieve_threads,
            retrieve.pending_interval,
            retrieve.response_timeout,
            retrieve.associations,
            retrieve.attempts,
            retrieve.retry_delay,
        )


def _own_address(config: Config) -> Address | None:
    """Where this node reaches itself, unless its port is not known before it listens."""
    listen = config.listen
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)
    if not listen.port:
        return None
    return Address(config.node.ae_title, host, listen.port, listen.uses_tls)
