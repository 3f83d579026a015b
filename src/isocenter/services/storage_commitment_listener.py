"""A small acceptor for commitment reports on associations that the peer makes (PS3.4 J.3.3).

It runs in a thread of its own while somebody waits, accepts C-ECHO and N-EVENT-REPORT, and lets the
peer take the SCP role that it has to propose there (PS3.7 D.3.3.4).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from isocenter.dictionary.sop_classes import STORAGE_COMMITMENT_PUSH, VERIFICATION
from isocenter.dictionary.transfer_syntaxes import transfer_syntax
from isocenter.dimse import status
from isocenter.dimse.messages import NEventReportRQ
from isocenter.encoding.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from isocenter.services.acceptance import Acceptance
from isocenter.services.errors import ServiceError
from isocenter.services.failures import NoFailureLog
from isocenter.services.loop_post import LoopPost
from isocenter.services.provider import (
    ProvidedAssociation,
    Service,
    refuse,
    refuse_foreign_class,
)
from isocenter.services.storage_commitment_reports import REPORT_BYTES, Reports, receive_report
from isocenter.services.verification_scp import VerificationProvider
from isocenter.upperlayer.aio import RECEIVE_BUFFER_SIZE, AssociationProtocol
from isocenter.upperlayer.limits import AssociationLimits, Timeouts
from isocenter.upperlayer.negotiation import negotiate
from isocenter.upperlayer.negotiation import refuse as refuse_association
from isocenter.upperlayer.user_information import RoleSelection, UserInformation

if TYPE_CHECKING:
    from isocenter.dimse.message import Request
    from isocenter.services.association import AnsweringTLS
    from isocenter.upperlayer.contexts import AcceptedContext
    from isocenter.upperlayer.events import AssociationRequested

_STOP_SECONDS = 5.0


class CannotListenForReports(ServiceError):
    """The address for reports cannot be listened on."""


class ReportListener:
    """Listens while its block runs, and keeps what comes in `reports`.

    With `tls` it speaks TLS only. Raises CannotListenForReports on entering. Port 0 takes any free
    one; see `port`.
    """

    def __init__(
        self, port: int, host: str = "0.0.0.0", *, tls: AnsweringTLS | None = None
    ) -> None:
        self._tls = tls
        self.reports = Reports()
        self.port = port
        self._host = host
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="commitment-reports", daemon=True
        )
        self._server: asyncio.Server | None = None

    def __enter__(self) -> ReportListener:
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        except OSError as error:
            self._end()
            raise CannotListenForReports(
                f"Cannot listen for reports on {self._host} port {self.port}: "
                f"{error.strerror or error}; name another port."
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(_STOP_SECONDS)
        self._end()

    async def _listen(self) -> None:
        self._acceptor = _Acceptor(self.reports, self._tls)
        context = None if self._tls is None else self._tls.current()
        self._server = await self._loop.create_server(
            self._acceptor.make_protocol, self._host, self.port, ssl=context
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        # Whoever was just told that its report is taken may release in peace.
        for _ in range(20):
            if not self._acceptor.associations:
                break
            await asyncio.sleep(0.05)
        for association in list(self._acceptor.associations):
            association.connection.abort()
            association.connection.drop()
        await asyncio.sleep(0)

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class _Acceptor:
    """The node, as its associations see it."""

    def __init__(self, reports: Reports, tls: AnsweringTLS | None) -> None:
        self._examine = None if tls is None else tls.examine
        self.post = LoopPost(asyncio.get_running_loop())
        self.failures = NoFailureLog()
        self.associations: set[ProvidedAssociation] = set()
        self._receive_buffer = memoryview(bytearray(RECEIVE_BUFFER_SIZE))
        self._limits = AssociationLimits()
        services: dict[str, Service] = {
            VERIFICATION: VerificationProvider(),
            STORAGE_COMMITMENT_PUSH: _ReportService(reports),
        }
        self._acceptance = Acceptance(services, None)
        self.service_for = self._acceptance.service_for

    def make_protocol(self) -> AssociationProtocol:
        protocol = AssociationProtocol(
            self._make_user, self._receive_buffer, limits=self._limits, timeouts=Timeouts()
        )
        protocol.examine = self._examine
        return protocol

    def answer(self, association: ProvidedAssociation, requested: AssociationRequested) -> None:
        if (reject := refuse_association(requested.request)) is not None:
            association.connection.reject(reject)
            return
        response = negotiate(
            requested.request,
            self._acceptance.decisions(requested.request),
            decide_roles=_decide_role,
            user_information=UserInformation(
                maximum_length=self._limits.maximum_length,
                implementation_class_uid=IMPLEMENTATION_CLASS_UID,
                implementation_version_name=IMPLEMENTATION_VERSION_NAME,
            ),
        )
        association.connection.accept(response)
        association.accepted()

    def ended(self, association: ProvidedAssociation) -> None:
        self.associations.discard(association)

    def _make_user(self, connection: AssociationProtocol) -> ProvidedAssociation:
        association = ProvidedAssociation(self, connection)
        self.associations.add(association)
        return association


def _decide_role(proposed: RoleSelection) -> RoleSelection | None:
    """Who reports is the SCP although it made the association."""
    return proposed if proposed.sop_class_uid == STORAGE_COMMITMENT_PUSH else None


class _ReportService:
    """N-EVENT-REPORT, received."""

    def __init__(self, reports: Reports) -> None:
        self.reports = reports

    def begin(
        self, association: ProvidedAssociation, context: AcceptedContext, request: Request
    ) -> _ReportOperation | None:
        """Start taking a report."""
        if not isinstance(request, NEventReportRQ):
            text = f"{request.command_name} is not provided where reports are waited for"
            refuse(association, context.context_id, request, status.UNRECOGNIZED_OPERATION, text)
            return None
        if refuse_foreign_class(association, context, request, request.affected_sop_class_uid):
            return None
        return _ReportOperation(self.reports, association, context, request)


class _ReportOperation:
    """One N-EVENT-REPORT that is being received."""

    congested = False

    def __init__(
        self,
        reports: Reports,
        association: ProvidedAssociation,
        context: AcceptedContext,
        request: NEventReportRQ,
    ) -> None:
        self._reports = reports
        self._association = association
        self._context = context
        self._request = request
        self._data = bytearray()

    def write(self, fragment: memoryview) -> None:
        """Collect the report, up to its limit."""
        self._data += fragment
        if len(self._data) > REPORT_BYTES:
            self._association.abort()

    def finish(self) -> None:
        """The report is complete: answer it."""
        association, context = self._association, self._context
        syntax = transfer_syntax(context.transfer_syntax)
        response = receive_report(self._request, self._data, syntax, self._reports)
        association.done(self, self._request.message_id)
        association.respond(context.context_id, response)

    def cancel(self) -> None:
        """A notification cannot be cancelled (PS3.7 10)."""

    def abort(self) -> None:
        """The association ended."""

    def when_relieved(self, resume: Callable[[], None]) -> None:
        """Never asked for."""
        resume()
