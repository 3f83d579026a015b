"""The running node: accepts associations on one loop and serves them from one archive."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial

import structlog

from isocenter.archive.archive import Archive
from isocenter.archive.layout import WORKFLOW_FILE
from isocenter.archive.workflow import Workflow
from isocenter.encoding.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from isocenter.security.access import Rights
from isocenter.server.config import Config
from isocenter.server.failures import FailureRecorder
from isocenter.server.node_services import NodeServices
from isocenter.server.peers import Peers, rights_of
from isocenter.services.extended_negotiation import answer_extended
from isocenter.services.loop_post import LoopPost
from isocenter.services.provider import ProvidedAssociation
from isocenter.services.service_names import SERVICE_NAMES, ServiceName, service_name
from isocenter.services.user_identity import acknowledge, identity_kind, user_name
from isocenter.upperlayer.aio import RECEIVE_BUFFER_SIZE, AssociationProtocol
from isocenter.upperlayer.causes import diagnose_refused_contexts, diagnose_rejection
from isocenter.upperlayer.contexts import ContextAnswer
from isocenter.upperlayer.events import AssociationRequested
from isocenter.upperlayer.limits import AssociationLimits, Timeouts
from isocenter.upperlayer.negotiation import negotiate, refuse, reject_as_user
from isocenter.upperlayer.pdu import AssociateAC, AssociateRJ, AssociateRQ
from isocenter.upperlayer.reasons import (
    PresentationRejectReason,
    RejectResult,
    RejectSource,
    UserRejectReason,
    describe_rejection,
)
from isocenter.upperlayer.user_information import UserIdentity, UserInformation

QUIET_SECONDS = 1.0
"""At a stop, an association without traffic for this long is aborted at once."""

log = structlog.get_logger(__name__)


class Node:
    """One network process of a node: its listener's connections, its services, its archive."""

    def __init__(self, config: Config, archive: Archive, workflow: Workflow) -> None:
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
        self._acceptance = self._services.acceptance
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
        request = requested.request
        reject = refuse(request) or self._objection(association)
        if reject is not None:
            self._reject(association, request, reject)
            return False
        association.rights = self._rights(association)
        association.maximum_operations = self.config.limits.operations
        response = negotiate(
            request,
            self._acceptance.decisions(request, association.rights.services),
            decide_roles=self._acceptance.decide_role,
            answer_extended=answer_extended,
            user_information=UserInformation(
                maximum_length=self._limits.maximum_length,
                implementation_class_uid=IMPLEMENTATION_CLASS_UID,
                implementation_version_name=IMPLEMENTATION_VERSION_NAME,
            ),
            asynchronous_operations_window=(self.config.limits.operations,) * 2,
            answer_identity=lambda _: acknowledge(association.identity),
        )
        association.connection.accept(response)
        self._tell_accepted(association, request, response)
        self._services.commitment.associated(association)
        return True

    def _reject(
        self, association: ProvidedAssociation, request: AssociateRQ, reject: AssociateRJ
    ) -> None:
        association.log.warning(
            "rejected an association",
            calling_ae=request.calling_ae_title,
            called_ae=request.called_ae_title,
            why=describe_rejection(reject.result, reject.source, reject.reason),
        )
        why = diagnose_rejection(reject, self.config.node.ae_title)
        association.failed("association rejected", why)
        association.connection.reject(reject)

    def _tell_accepted(
        self, association: ProvidedAssociation, request: AssociateRQ, response: AssociateAC
    ) -> None:
        association.log.info(
            "accepted an association",
            calling_ae=request.calling_ae_title,
            called_ae=request.called_ae_title,
            accepted=len(association.connection.core.accepted_contexts),
            contexts=len(request.presentation_contexts),
            **_identity_fields(association.user_identity),
        )
        if denied := _denied_services(request, response):
            association.log.warning(
                "refused services that this peer may not use",
                calling_ae=request.calling_ae_title,
                service=", ".join(denied),
            )
        if cause := diagnose_refused_contexts(request, response):
            association.failed("no presentation context accepted", cause)

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
        await self._services.stop()
        await self._loop.run_in_executor(None, self.failures.close)

    def _rights(self, association: ProvidedAssociation) -> Rights:
        """What the caller may do: what its peer may, everything where it is none."""
        peer = self.peers.find(association.calling_ae_title)
        return Rights(SERVICE_NAMES) if peer is None else rights_of(peer)

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


def _denied_services(request: AssociateRQ, response: AssociateAC) -> list[ServiceName]:
    """The services of the contexts that were refused for who it is that asks."""
    answers = zip(request.presentation_contexts, response.presentation_contexts, strict=True)
    return sorted(
        {
            service_name(proposed.abstract_syntax)
            for proposed, answer in answers
            if answer.result == ContextAnswer.USER_REJECTION
        }
    )


def _identity_fields(identity: UserIdentity | None) -> dict[str, str]:
    """What the log says of a user: never a passcode, ticket, assertion or token."""
    if identity is None:
        return {}
    fields = {"user_identity": identity_kind(identity)}
    if (name := user_name(identity)) is not None:
        fields["user"] = name
    return fields
