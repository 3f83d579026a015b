"""Storage Service Class (PS3.4 Annex B), provider: C-STORE into whatever keeps instances.

The user's side, which sends, is in `storage_scu`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import NamedTuple, Protocol

from isocenter.dimse import status
from isocenter.dimse.message import Request
from isocenter.dimse.messages import CStoreRQ, CStoreRSP
from isocenter.dimse.status import Service
from isocenter.services.provider import ProvidedAssociation, refuse
from isocenter.upperlayer.contexts import AcceptedContext


class Subject(Protocol):
    """What is known of an instance: its SOP class, and its header's values as they came."""

    @property
    def sop_class_uid(self) -> str: ...
    @property
    def header(self) -> Mapping[int, bytes]: ...


class Outcome(Protocol):
    """What a sink made of an instance."""

    @property
    def disposition(self) -> Enum:
        """A member whose name is a key of STATUS_BY_DISPOSITION."""

    @property
    def reason(self) -> str:
        """One sentence without patient data; empty where nothing needs explaining."""

    @property
    def subject(self) -> Subject | None:
        """The instance, as far as it was known when its fate was decided."""


class Incoming(Protocol):
    """An instance on its way into a sink."""

    on_progress: Callable[[], None] | None
    received: int
    """Bytes of the data set; final once there is an outcome."""

    def write(self, fragment: memoryview) -> None:
        """Take the next bytes; they are copied before this returns."""

    def finish(self) -> None:
        """The data set is complete: report its outcome, from any thread."""

    def abort(self) -> None:
        """The rest will not come."""

    @property
    def congested(self) -> bool:
        """Whether the sender should pause until `on_progress` is called."""


class Announcement(NamedTuple):
    """What is known of an instance before its data set."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    source_ae: str
    receiving_ae: str


class StorageSink(Protocol):
    """Where received instances go."""

    def begin(self, announcement: Announcement, on_outcome: Callable[[Outcome], None]) -> Incoming:
        """Start taking an instance."""


STATUS_BY_DISPOSITION = {
    "STORED": status.SUCCESS,
    "DUPLICATE": status.SUCCESS,
    # Nothing is wrong with the request and the bytes are safe; the conflict is ours to settle.
    "QUARANTINED": status.SUCCESS,
    "CONFLICT": status.DUPLICATE_SOP_INSTANCE,
    "INVALID_UID": status.INVALID_SOP_INSTANCE,
    "MISMATCH": status.DATA_SET_DOES_NOT_MATCH_SOP_CLASS,
    "UNREADABLE": status.CANNOT_UNDERSTAND,
    "OUT_OF_RESOURCES": status.OUT_OF_RESOURCES,
    "ABANDONED": status.PROCESSING_FAILURE,
}


class StorageProvider:
    """C-STORE SCP."""

    def __init__(self, sink: StorageSink) -> None:
        self._sink = sink

    def begin(
        self, association: ProvidedAssociation, context: AcceptedContext, request: Request
    ) -> StoreOperation | None:
        """Start receiving one instance (PS3.7 9.1.1)."""
        if not isinstance(request, CStoreRQ):
            text = f"{request.command_name} is no operation of the Storage service"
            refuse(association, context.context_id, request, status.UNRECOGNIZED_OPERATION, text)
            return None
        if not request.has_data_set:
            text = "C-STORE without a data set"
            refuse(association, context.context_id, request, status.MISTYPED_ARGUMENT, text)
            return None
        allowance = association.allowance
        if allowance is not None and not allowance.begin_object():
            text = "This peer has stored as much in this minute as it may; try again later"
            refuse(association, context.context_id, request, status.OUT_OF_RESOURCES, text)
            return None
        return StoreOperation(self._sink, association, context, request)


class StoreOperation:
    """One C-STORE that is being received."""

    __slots__ = ("_association", "_context_id", "_incoming", "_kept_as", "_request", "write")

    def __init__(
        self,
        sink: StorageSink,
        association: ProvidedAssociation,
        context: AcceptedContext,
        request: CStoreRQ,
    ) -> None:
        self._association = association
        self._context_id = context.context_id
        self._request = request
        # Senders that negotiate for one SOP class and send another exist. Nothing is gained by
        # losing the object; the status tells them (PS3.4 B.2.3).
        self._kept_as = (
            status.SUCCESS
            if request.affected_sop_class_uid == context.abstract_syntax
            else status.DATA_SET_DOES_NOT_MATCH_SOP_CLASS_WARNING
        )
        announcement = Announcement(
            request.affected_sop_class_uid,
            request.affected_sop_instance_uid,
            context.transfer_syntax,
            association.calling_ae_title,
            association.called_ae_title,
        )
        self._incoming = sink.begin(announcement, self._decided)
        self.write = self._incoming.write

    def finish(self) -> None:
        """The data set is complete."""
        self._incoming.finish()

    def cancel(self) -> None:
        """C-STORE cannot be cancelled (PS3.7 9.3.2.3 knows only find, get and move)."""

    def abort(self) -> None:
        """The association ended."""
        self._incoming.abort()

    @property
    def congested(self) -> bool:
        """Whether the sink lags behind."""
        return self._incoming.congested

    def when_relieved(self, resume: Callable[[], None]) -> None:
        """Have `resume` called when the sink has caught up."""
        incoming = self._incoming

        def progress() -> None:
            if not incoming.congested:
                incoming.on_progress = None
                resume()

        incoming.on_progress = progress
        if not incoming.congested:  # it caught up while we were asking
            progress()

    def _decided(self, outcome: Outcome) -> None:
        self._association.post(lambda: self._respond(outcome))

    def _respond(self, outcome: Outcome) -> None:
        request, association = self._request, self._association
        code = STATUS_BY_DISPOSITION[outcome.disposition.name] or self._kept_as
        if association.allowance is not None:
            association.allowance.took(self._incoming.received)
        association.account.received(outcome)
        if association.over:
            association.log.info(
                "the sender of an object was gone before its answer", why=outcome.reason
            )
            return
        association.done(self, request.message_id)
        response = CStoreRSP(
            message_id_being_responded_to=request.message_id,
            affected_sop_class_uid=request.affected_sop_class_uid,
            affected_sop_instance_uid=request.affected_sop_instance_uid,
            status=code,
        )
        if code != status.SUCCESS:
            response.error_comment = outcome.reason
            association.log.warning(
                "did not store an object",
                status=str(status.describe(code, Service.STORAGE)),
                why=outcome.reason,
            )
        association.respond(self._context_id, response)
