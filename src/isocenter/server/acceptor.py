"""The association acceptor of a node (PS3.8 7.1): who is let in, and what is negotiated."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from isocenter.encoding.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from isocenter.errors import IsocenterError
from isocenter.security.access import Rights
from isocenter.security.binding import CertificateFacts
from isocenter.security.identity_outcome import Verified
from isocenter.server.audit import AuditDesk
from isocenter.server.callers import Caller, itself, objection_to, rights_of
from isocenter.server.config import Config, Peer
from isocenter.server.config_security import Listener
from isocenter.server.identity import IdentityCheck
from isocenter.server.peers import Peers
from isocenter.server.quotas import Quotas
from isocenter.services.acceptance import Acceptance
from isocenter.services.extended_negotiation import answer_extended
from isocenter.services.provider import ProvidedAssociation
from isocenter.services.service_names import ServiceName, service_name
from isocenter.services.user_identity import acknowledge, identity_kind, user_name
from isocenter.upperlayer.causes import diagnose_refused_contexts, diagnose_rejection
from isocenter.upperlayer.contexts import ContextAnswer
from isocenter.upperlayer.events import AssociationRequested
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

LIMIT_EXCEEDED = AssociateRJ(
    RejectResult.REJECTED_TRANSIENT,
    RejectSource.SERVICE_PROVIDER_PRESENTATION,
    PresentationRejectReason.LOCAL_LIMIT_EXCEEDED,
)
UNVERIFIED = reject_as_user(UserRejectReason.NO_REASON_GIVEN)  # there is none for users
STRANGER = reject_as_user(UserRejectReason.CALLING_AE_TITLE_NOT_RECOGNIZED)


_NOBODY = CertificateFacts("", "", (), "")
"""A certificate that OpenSSL can read and we cannot: it stands for no peer."""


class Rejection(NamedTuple):
    """What a peer is told, and why, as far as that says more: a clause for its administrator."""

    answer: AssociateRJ
    why: str = ""


class AssociationAcceptor:
    """Answers association requests for one network process. For the loop's thread.

    `is_crowded` says whether one more association with a host would be one too many; `associated`
    hears of every association that was accepted.
    """

    def __init__(
        self,
        config: Config,
        peers: Peers,
        acceptance: Acceptance,
        audit: AuditDesk,
        identities: IdentityCheck,
        is_crowded: Callable[[str], bool],
        associated: Callable[[ProvidedAssociation], None],
    ) -> None:
        self._config = config
        self._peers = peers
        self._acceptance = acceptance
        self._audit = audit
        self._identities = identities
        self._verifying: set[asyncio.Task[None]] = set()
        self._is_crowded = is_crowded
        self._associated = associated
        self._quotas = Quotas(asyncio.get_running_loop().time)
        self._open_of: Counter[str] = Counter()
        self.accepted = self.rejected = 0
        """Associations since the start."""

    def answer(self, association: ProvidedAssociation, requested: AssociationRequested) -> None:
        """Accept or reject an association."""
        request = requested.request
        listener = self._config.all_listeners[association.listener]
        peer = self._peer(request.calling_ae_title, listener)
        rejection = self._rejection(association, request, peer, listener)
        identity = request.user_information.user_identity
        demanded = listener.user_identity == "required" or (
            peer is not None and peer.user_identity == "required"
        )
        if rejection is None and identity is None and demanded:
            rejection = Rejection(UNVERIFIED, "the association must come with a user identity")
        if rejection is not None:
            self._reject(association, request, rejection)
        elif identity is None:
            self._accept(association, request, peer, rights_of(peer))
        else:
            verifying = self._identify(association, request, peer, identity, demanded=demanded)
            task = asyncio.get_running_loop().create_task(verifying)
            self._verifying.add(task)
            task.add_done_callback(self._verifying.discard)

    async def stop(self) -> None:
        """Verify nobody any more."""
        for task in self._verifying:
            task.cancel()
        await asyncio.gather(*self._verifying, return_exceptions=True)
        self._identities.close()

    def ended(self, association: ProvidedAssociation) -> None:
        """An association that was accepted is over."""
        title = association.calling_ae_title
        self._open_of[title] -= 1
        if not self._open_of[title]:
            del self._open_of[title]

    def _peer(self, ae_title: str, listener: Listener) -> Peer | None:
        """Whose title that is; where strangers are turned away, the node knows itself as well."""
        peer = self._peers.find(ae_title)
        own = self._config.node.ae_title == ae_title.strip(" ")
        if peer is None and own and listener.wants_known_ae:
            with suppress(IsocenterError):  # its certificate cannot be read just now
                return itself(self._config, listener)
        return peer

    async def _identify(
        self,
        association: ProvidedAssociation,
        request: AssociateRQ,
        peer: Peer | None,
        identity: UserIdentity,
        *,
        demanded: bool,
    ) -> None:
        """Verify the user first (PS3.7 D.3.3.7), which takes a moment."""
        outcome = await self._identities.verify(identity, association.host)
        if not association.connection.unanswered:
            return  # the peer did not wait
        association.identity = outcome
        rights = rights_of(peer)
        listener = self._config.all_listeners[association.listener]
        if (rejection := self._rejection(association, request, peer, listener)) is not None:
            self._reject(association, request, rejection)  # too many others came meanwhile
        elif isinstance(outcome, Verified):
            self._audit.authenticated(association, outcome.user)
            scope = rights.scope.narrowed(outcome.scope)
            self._accept(association, request, peer, replace(rights, scope=scope))
        elif outcome.failed or demanded:
            self._audit.authenticated(association, outcome.user or "", outcome.reason)
            why = f"the user identity was not accepted: {outcome.reason.rstrip('.')}"
            self._reject(association, request, Rejection(UNVERIFIED, why))
        else:
            self._accept(association, request, peer, rights)
        association.connection.flush()

    def _rejection(
        self,
        association: ProvidedAssociation,
        request: AssociateRQ,
        peer: Peer | None,
        listener: Listener,
    ) -> Rejection | None:
        if (answer := refuse(request)) is not None:
            return Rejection(answer)
        if association.unwelcome or self._is_crowded(association.host):
            return Rejection(LIMIT_EXCEEDED)
        if not self._config.answers_to(request.called_ae_title, listener):
            return Rejection(reject_as_user(UserRejectReason.CALLED_AE_TITLE_NOT_RECOGNIZED))
        certificate = _facts(association.connection.peer_certificate)
        caller = Caller(request.calling_ae_title.strip(" "), association.host, certificate)
        if (why := objection_to(caller, peer, listener)) is not None:
            return Rejection(STRANGER, why)
        if peer is not None and 0 < peer.associations <= self._open_of[request.calling_ae_title]:
            return Rejection(LIMIT_EXCEEDED, "the peer has as many associations open as it may")
        return None

    def _reject(
        self, association: ProvidedAssociation, request: AssociateRQ, rejection: Rejection
    ) -> None:
        answer = rejection.answer
        why = rejection.why or diagnose_rejection(answer, self._config.node.ae_title)
        association.log.warning(
            "rejected an association",
            calling_ae=request.calling_ae_title,
            called_ae=request.called_ae_title,
            result=describe_rejection(answer.result, answer.source, answer.reason),
            why=why,
        )
        association.failed("association rejected", why)
        if answer.result == RejectResult.REJECTED_PERMANENT:
            self._audit.rejected(association, why)
        association.connection.reject(answer)
        self.rejected += 1

    def _accept(
        self,
        association: ProvidedAssociation,
        request: AssociateRQ,
        peer: Peer | None,
        rights: Rights,
    ) -> None:
        limits = self._config.limits
        association.rights = rights
        association.maximum_operations = limits.operations
        association.allowance = self._quotas.of(
            peer.ae_title if peer else association.host,
            (peer and peer.objects_per_minute) or limits.objects_per_minute,
            (peer and peer.bytes_per_minute) or limits.bytes_per_minute,
        )
        response = negotiate(
            request,
            self._acceptance.decisions(request, rights.services),
            decide_roles=self._acceptance.decide_role,
            answer_extended=answer_extended,
            user_information=UserInformation(
                maximum_length=limits.maximum_pdu,
                implementation_class_uid=IMPLEMENTATION_CLASS_UID,
                implementation_version_name=IMPLEMENTATION_VERSION_NAME,
            ),
            asynchronous_operations_window=(limits.operations,) * 2,
            answer_identity=lambda _: acknowledge(association.identity),
        )
        outcome = association.identity
        user = outcome.user if isinstance(outcome, Verified) else None
        association.account = self._audit.open(association, user)
        association.connection.accept(response)
        self.accepted += 1
        self._open_of[request.calling_ae_title] += 1
        association.accepted()
        _tell_accepted(association, request, response)
        self._associated(association)


def _facts(certificate: bytes | None) -> CertificateFacts | None:
    if certificate is None:
        return None
    # A node without TLS does not need it.
    from isocenter.security.certificates import CertificateProblem, facts_of

    try:
        return facts_of(certificate)
    except CertificateProblem:
        return _NOBODY


def _tell_accepted(
    association: ProvidedAssociation, request: AssociateRQ, response: AssociateAC
) -> None:
    association.log.info(
        "accepted an association",
        called_ae=request.called_ae_title,
        accepted=len(association.connection.core.accepted_contexts),
        contexts=len(request.presentation_contexts),
        tls=association.connection.secure,
        **_identity_fields(association),
    )
    if denied := _denied_services(request, response):
        association.log.warning(
            "refused services that this peer may not use", service=", ".join(denied)
        )
    if cause := diagnose_refused_contexts(request, response):
        association.failed("no presentation context accepted", cause)


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


def _identity_fields(association: ProvidedAssociation) -> dict[str, str | bool]:
    """What the log says of a user: never a passcode, ticket, assertion or token."""
    identity, outcome = association.user_identity, association.identity
    if identity is None:
        return {}
    verified = isinstance(outcome, Verified)
    fields: dict[str, str | bool] = {
        "user_identity": identity_kind(identity),
        "verified": verified,
    }
    name = outcome.user if isinstance(outcome, Verified) else user_name(identity)
    if name is not None:
        fields["user"] = name
    return fields
