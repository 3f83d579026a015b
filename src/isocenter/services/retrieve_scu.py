"""Query/Retrieve Service Class (PS3.4 Annex C), user: C-MOVE and C-GET.

The provider's side is in `retrieve_scp`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple, Protocol

from isocenter.dictionary.transfer_syntaxes import transfer_syntax
from isocenter.dimse import status as codes
from isocenter.dimse.assembler import CommandReceived, DimseEvent
from isocenter.dimse.errors import DimseError, DimseProtocolError
from isocenter.dimse.messages import (
    CCancelRQ,
    CGetRQ,
    CGetRSP,
    CMoveRQ,
    CMoveRSP,
    CStoreRQ,
    CStoreRSP,
)
from isocenter.dimse.status import Service, Status, describe
from isocenter.encoding.elements import Elements, decode_elements, encode_elements
from isocenter.encoding.errors import EncodingError
from isocenter.services.query_retrieve_scu import CANCEL_PATIENCE
from isocenter.upperlayer.errors import ResponseTimeout, UpperLayerError

if TYPE_CHECKING:
    from isocenter.services.association import ClientAssociation
    from isocenter.upperlayer.contexts import AcceptedContext

FAILED_SOP_INSTANCE_UID_LIST = 0x00080058
_MAX_IDENTIFIER = 16 * 1024 * 1024  # bytes of a final response's identifier

RetrieveRSP = CGetRSP | CMoveRSP


class RetrieveProgress(NamedTuple):
    """One response: how far it is while `status.is_pending`, then the end.

    The counts are of sub-operations, None where the peer does not tell. `failed_uids` comes with
    the end, as does the peer's Error Comment.
    """

    status: Status
    remaining: int | None
    completed: int | None
    failed: int | None
    warning: int | None
    failed_uids: tuple[str, ...] = ()
    comment: str = ""


class Arriving(Protocol):
    """An instance on its way to a receiver."""

    def write(self, fragment: memoryview) -> None:
        """Take the next bytes of the data set; they are valid during the call only."""

    def finish(self) -> int:
        """The data set is complete; returns the C-STORE status to answer with."""

    def abort(self) -> None:
        """The rest will not come."""


class Receiver(Protocol):
    """Where the instances of a C-GET go."""

    def begin(self, request: CStoreRQ, context: AcceptedContext) -> Arriving | int:
        """Start taking an instance, or return the C-STORE status that refuses it."""


def move(
    association: ClientAssociation,
    model_uid: str,
    identifier: Elements,
    destination: str,
    *,
    cancel_after: int | None = None,
) -> Generator[RetrieveProgress, None, None]:
    """C-MOVE (PS3.4 C.4.2): every response as it arrives, the last with the final status.

    `destination` is an AE title that the peer knows. With `cancel_after`, C-CANCEL follows once
    that many sub-operations are done. Raises NoPresentationContext, and the errors of
    `ClientAssociation.receive_events`; the association is aborted then.
    """
    request = CMoveRQ(
        message_id=association.next_message_id(),
        affected_sop_class_uid=model_uid,
        move_destination=destination,
    )
    return _Retrieve(association, request, Service.MOVE, None, cancel_after).run(identifier)


def get(
    association: ClientAssociation,
    model_uid: str,
    identifier: Elements,
    receiver: Receiver,
    *,
    cancel_after: int | None = None,
) -> Generator[RetrieveProgress, None, None]:
    """C-GET (PS3.4 C.4.3): every response as it arrives; instances go to `receiver` meanwhile.

    The association must have been made with `receiving` the SOP classes that may come. Otherwise
    like `move`. Closing the generator of either early cancels, refuses what still comes, and waits
    for the peer's last response, so that the association stays usable.
    """
    request = CGetRQ(message_id=association.next_message_id(), affected_sop_class_uid=model_uid)
    return _Retrieve(association, request, Service.GET, receiver, cancel_after).run(identifier)


def get_each(
    association: ClientAssociation,
    model_uid: str,
    identifier: Elements,
    receiver: Receiver,
    *,
    cancel_after: int | None = None,
) -> Generator[RetrieveProgress | None, None, None]:
    """Like `get`, with a None behind each instance, for whoever wants them one by one."""
    request = CGetRQ(message_id=association.next_message_id(), affected_sop_class_uid=model_uid)
    return _Retrieve(association, request, Service.GET, receiver, cancel_after).steps(identifier)


class _Refusal:
    """A receiver for what comes after a C-CANCEL: nothing of it is kept."""

    def begin(self, request: CStoreRQ, context: AcceptedContext) -> int:  # noqa: ARG002
        """Out of resources: the peer may send it again another time."""
        return codes.OUT_OF_RESOURCES


class _Retrieve:
    """One C-GET or C-MOVE that is under way."""

    def __init__(
        self,
        association: ClientAssociation,
        request: CGetRQ | CMoveRQ,
        service: Service,
        receiver: Receiver | None,
        cancel_after: int | None,
    ) -> None:
        self._association = association
        self._request = request
        self._service = service
        self._receiver = receiver
        self._cancel_after = cancel_after
        self._cancelled_at: float | None = None
        self._context = association.context_for(request.affected_sop_class_uid)
        self._syntax = transfer_syntax(self._context.transfer_syntax)
        self._response: RetrieveRSP | None = None
        self._identifier = bytearray()
        self._storing: tuple[int, CStoreRQ, Arriving | int] | None = None
        self._received = 0
        self._events: deque[DimseEvent] = deque()
        self._finished = False

    def run(self, identifier: Elements) -> Generator[RetrieveProgress, None, None]:
        """Send the request and follow it to its end; every response."""
        with closing(self.steps(identifier)) as steps:
            for step in steps:
                if step is not None:
                    yield step

    def steps(self, identifier: Elements) -> Generator[RetrieveProgress | None, None, None]:
        """The same, with a None for each instance that was taken and answered.

        Closing the generator cancels and waits for the last response: the association stays
        usable. Any other exception aborts it.
        """
        data_set = encode_elements(identifier, self._syntax)
        self._association.send(self._context.context_id, self._request, data_set)
        try:
            while not self._finished:
                yield self._next_step()
        except GeneratorExit:
            self._give_up()
            raise
        except BaseException:
            self._break_off()
            raise

    def _next_step(self) -> RetrieveProgress | None:
        """Receive until a message is complete."""
        while True:
            while self._events:
                event = self._events.popleft()
                if isinstance(event, CommandReceived):
                    self._take_command(event)
                    ended = not event.message.has_data_set
                else:
                    self._take_fragment(event.data)
                    ended = event.is_last
                if ended:
                    return self._take_end()
            self._events.extend(self._association.receive_events())

    def _give_up(self) -> None:
        """Cancel, and refuse what still comes; an association that is lost by then stays lost."""
        self._receiver = _Refusal() if self._receiver is not None else None
        try:
            if not self._finished:
                self._cancel()
            while not self._finished:
                self._next_step()
        except (UpperLayerError, DimseError):
            self._break_off()

    def _break_off(self) -> None:
        if self._storing is not None and not isinstance(self._storing[2], int):
            self._storing[2].abort()
        self._association.abort()

    def _take_command(self, event: CommandReceived) -> None:
        message, request = event.message, self._request
        if isinstance(message, CStoreRQ) and self._receiver is not None and message.has_data_set:
            context = self._association.transport.accepted_contexts[event.context_id]
            self._storing = (
                event.context_id,
                message,
                self._receiver.begin(message, context),
            )
        elif (
            isinstance(message, (CGetRSP, CMoveRSP))
            and type(message) is request.response_class
            and message.message_id_being_responded_to == request.message_id
        ):
            self._response = message
        else:
            raise DimseProtocolError(
                f"The peer sent {message.command_name} where it had to answer "
                f"{request.command_name}; the association is aborted.",
                status=codes.MISTYPED_ARGUMENT,
            )

    def _take_fragment(self, data: memoryview) -> None:
        if self._storing is not None:
            if not isinstance(self._storing[2], int):
                self._storing[2].write(data)
        elif len(self._identifier) + len(data) > _MAX_IDENTIFIER:
            raise DimseProtocolError(
                f"The peer sent an identifier of more than {_MAX_IDENTIFIER} bytes; "
                "the association is aborted.",
                status=codes.RESOURCE_LIMITATION,
            )
        else:
            self._identifier += data

    def _take_end(self) -> RetrieveProgress | None:
        """A message is complete: answer an instance, or report a response."""
        if self._storing is not None:
            self._answer(*self._storing)
            self._storing = None
            return None
        assert self._response is not None
        progress = self._progress(self._response)
        self._identifier = bytearray()
        self._finished = not progress.status.is_pending
        if not self._finished:
            self._consider_cancel(progress.completed or 0)
        return progress

    def _answer(self, context_id: int, request: CStoreRQ, arriving: Arriving | int) -> None:
        code = arriving if isinstance(arriving, int) else arriving.finish()
        response = CStoreRSP(
            message_id_being_responded_to=request.message_id,
            affected_sop_class_uid=request.affected_sop_class_uid,
            affected_sop_instance_uid=request.affected_sop_instance_uid,
            status=code,
        )
        self._received += 1
        self._consider_cancel(self._received)  # ahead of the response, so that it is seen in time
        self._association.send(context_id, response)

    def _consider_cancel(self, done: int) -> None:
        if self._cancelled_at is not None:
            if time.monotonic() - self._cancelled_at > CANCEL_PATIENCE:
                raise ResponseTimeout(
                    f"{self._association.peer} went on for {CANCEL_PATIENCE:g} s after C-CANCEL; "
                    "the association is aborted: ask for less at a time."
                )
        elif self._cancel_after is not None and done >= self._cancel_after:
            self._cancel()

    def _cancel(self) -> None:
        if self._cancelled_at is None:
            self._cancelled_at = time.monotonic()
            cancel = CCancelRQ(message_id_being_responded_to=self._request.message_id)
            self._association.send(self._context.context_id, cancel)

    def _progress(self, response: RetrieveRSP) -> RetrieveProgress:
        status = describe(response.status, self._service)
        return RetrieveProgress(
            status,
            response.number_of_remaining_suboperations,
            response.number_of_completed_suboperations,
            response.number_of_failed_suboperations,
            response.number_of_warning_suboperations,
            () if status.is_pending else self._failed_uids(),
            response.error_comment or "",
        )

    def _failed_uids(self) -> tuple[str, ...]:
        """PS3.4 C.4.2.1.4.2; a list that cannot be read says nothing, the counts still do."""
        if not self._identifier:
            return ()
        try:
            elements = decode_elements(bytes(self._identifier), self._syntax)
        except EncodingError:
            return ()
        listed = elements.get(FAILED_SOP_INSTANCE_UID_LIST)
        if listed is None or not isinstance(listed.value, bytes):
            return ()
        text = listed.value.decode("ascii", "replace").strip("\0 ")
        return tuple(uid for uid in text.split("\\") if uid)
