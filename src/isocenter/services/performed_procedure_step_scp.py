"""Modality Performed Procedure Step (PS3.4 Annex F), provider: N-CREATE and N-SET of what a
modality does, N-GET of what is known of it.

Whoever keeps the steps enforces the rules of F.7.2 and has made a change durable before it is
answered. Requests are carried out one after the other, in the order in which they became complete.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import NamedTuple, Protocol

from isocenter.dictionary.sop_classes import MPPS, MPPS_RETRIEVE
from isocenter.dictionary.transfer_syntaxes import transfer_syntax
from isocenter.dimse import status
from isocenter.dimse.message import Request, Response
from isocenter.dimse.messages import (
    NCreateRQ,
    NCreateRSP,
    NGetRQ,
    NGetRSP,
    NSetRQ,
    NSetRSP,
)
from isocenter.dimse.status import Service
from isocenter.encoding.elements import Elements, decode_elements, encode_elements
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.limits import ScanLimits
from isocenter.encoding.recoding import neutral_elements, recoded_elements
from isocenter.errors import IsocenterError
from isocenter.services.collecting import Collected
from isocenter.services.provider import ProvidedAssociation, refuse, refuse_foreign_class
from isocenter.upperlayer.contexts import AcceptedContext

DATA_SET_LIMIT = 4 * 1024 * 1024
"""Bytes of a request's attributes; a series of 20,000 images is named in some three million."""

MAY_NO_LONGER_BE_UPDATED = 0xA710
"""Error ID of a change to a step that has ended (PS3.4 F.7.2.2.4)."""

_LIMITS = ScanLimits(max_elements=200_000)

StepRequest = NCreateRQ | NSetRQ | NGetRQ

_RESPONSES: dict[type[Request], type[NCreateRSP | NSetRSP | NGetRSP]] = {
    NCreateRQ: NCreateRSP,
    NSetRQ: NSetRSP,
    NGetRQ: NGetRSP,
}


class StepNotTaken(IsocenterError):
    """A step that is not created, changed or known: with a status of PS3.7 Annex C.

    `tags` are the attributes at fault.
    """

    def __init__(
        self,
        code: int,
        message: str,
        *,
        tags: Sequence[int] = (),
        error_id: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.tags = tuple(tags)
        self.error_id = error_id


class StepKeeper(Protocol):
    """Who keeps performed procedure steps; attributes are neutral, and any call may block."""

    def create(self, sop_instance_uid: str, attributes: Elements, source_ae: str) -> None:
        """Make a new step durable. Raises StepNotTaken."""

    def change(self, sop_instance_uid: str, modifications: Elements) -> None:
        """Make a change of a step durable. Raises StepNotTaken."""

    def get(self, sop_instance_uid: str) -> Elements:
        """All attributes of a step. Raises StepNotTaken."""


class ProcedureStepProvider:
    """SCP of the SOP classes Modality Performed Procedure Step and its Retrieve.

    `threads` must have one thread, which keeps the order of a peer's requests.
    """

    def __init__(self, keeper: StepKeeper, threads: Executor) -> None:
        self.keeper = keeper
        self.threads = threads

    def begin(
        self, association: ProvidedAssociation, context: AcceptedContext, request: Request
    ) -> StepOperation | None:
        """Start taking a request (PS3.7 10.1.2, 10.1.3, 10.1.5)."""
        if not isinstance(request, StepRequest) or not _is_provided(context, request):
            text = f"{request.command_name} is not provided on this presentation context"
            refuse(association, context.context_id, request, status.UNRECOGNIZED_OPERATION, text)
            return None
        if refuse_foreign_class(association, context, request, _sop_class(request)):
            return None
        return StepOperation(self, association, context, request)


class _Answer(NamedTuple):
    """How a request ends; `attributes` goes out with it."""

    code: int
    comment: str = ""
    tags: tuple[int, ...] = ()
    error_id: int | None = None
    attributes: bytes | None = None


class StepOperation:
    """One N-CREATE, N-SET or N-GET."""

    congested = False

    def __init__(
        self,
        provider: ProcedureStepProvider,
        association: ProvidedAssociation,
        context: AcceptedContext,
        request: StepRequest,
    ) -> None:
        self._provider = provider
        self._association = association
        self._context = context
        self._request = request
        self._syntax = transfer_syntax(context.transfer_syntax)
        self._data_set = Collected(association.host, DATA_SET_LIMIT)
        self._complete = False
        self._sop_instance_uid = _sop_instance(request) or f"2.25.{uuid.uuid4().int}"

    # On the loop

    def write(self, fragment: memoryview) -> None:
        """Collect the attributes, up to their limit."""
        self._data_set.add(fragment)

    def finish(self) -> None:
        """The request is complete: carry it out."""
        self._complete = True
        if self._data_set.refused:
            self._respond(_Answer(status.RESOURCE_LIMITATION, "The attributes are too large"))
            return
        try:
            self._provider.threads.submit(self._run)
        except RuntimeError:  # the node is stopping and has no thread left
            self._respond(_Answer(status.PROCESSING_FAILURE, "The node is stopping"))

    def cancel(self) -> None:
        """An N-service cannot be cancelled (PS3.7 9.3.2.3)."""

    def abort(self) -> None:
        """The association is gone. What was requested completely is done all the same."""
        if not self._complete:
            self._data_set.take()

    def when_relieved(self, resume: Callable[[], None]) -> None:
        """Never asked for: the attributes are bounded, so their sender need not pause."""
        resume()

    def _respond(self, answer: _Answer) -> None:
        request, association = self._request, self._association
        response = _RESPONSES[type(request)](
            message_id_being_responded_to=request.message_id,
            affected_sop_class_uid=_sop_class(request),
            affected_sop_instance_uid=self._sop_instance_uid,
            status=answer.code,
            error_comment=answer.comment or None,
            error_id=answer.error_id,
            attribute_identifier_list=answer.tags or None,
            has_data_set=answer.attributes is not None,
        )
        self._note(response)
        association.done(self, request.message_id)
        association.respond(self._context.context_id, response, answer.attributes)

    def _note(self, response: Response) -> None:
        described = status.describe(response.status, Service.PROCEDURE_STEP)
        if described.is_failure:
            self._association.log.warning(
                "did not carry out a request about a procedure step",
                status=str(described),
                why=response.error_comment,
            )

    # On the thread

    def _run(self) -> None:
        try:
            answer = self._carry_out()
        except StepNotTaken as error:
            answer = _Answer(error.code, str(error), error.tags, error.error_id)
        except EncodingError as error:
            answer = _Answer(status.PROCESSING_FAILURE, str(error))
        except Exception:
            self._association.log.exception("a request about a procedure step failed")
            answer = _Answer(
                status.PROCESSING_FAILURE, "The request failed; the archive's log says why"
            )
        self._association.post(lambda: self._respond(answer))

    def _carry_out(self) -> _Answer:
        keeper, request = self._provider.keeper, self._request
        account, uid = self._association.account, self._sop_instance_uid
        if isinstance(request, NGetRQ):
            known = keeper.get(uid)
            account.step("R", uid, known)
            return self._selected(known)
        decoded = decode_elements(self._data_set.take(), self._syntax, _LIMITS)
        attributes = neutral_elements(decoded, self._syntax)
        if isinstance(request, NSetRQ):
            keeper.change(uid, attributes)
            account.step("U", uid, keeper.get(uid))
        else:
            keeper.create(uid, attributes, self._association.calling_ae_title)
            account.step("C", uid, attributes)
        return _Answer(status.SUCCESS)

    def _selected(self, attributes: Elements) -> _Answer:
        """The attributes that an N-GET asks for, all where it names none (PS3.4 F.8.2.1)."""
        assert isinstance(self._request, NGetRQ)
        wanted = self._request.attribute_identifier_list
        code = status.SUCCESS
        if wanted:
            if not attributes.keys() >= set(wanted):
                code = status.OPTIONAL_ATTRIBUTES_NOT_SUPPORTED
            attributes = {tag: attributes[tag] for tag in wanted if tag in attributes}
        encoded = encode_elements(recoded_elements(attributes, self._syntax, None), self._syntax)
        return _Answer(code, attributes=encoded)


def _is_provided(context: AcceptedContext, request: StepRequest) -> bool:
    """PS3.4 F.7.1 and F.8.1: one SOP class is for writing, the other for reading."""
    return context.abstract_syntax == (MPPS_RETRIEVE if isinstance(request, NGetRQ) else MPPS)


def _sop_class(request: StepRequest) -> str:
    if isinstance(request, NCreateRQ):
        return request.affected_sop_class_uid
    return request.requested_sop_class_uid


def _sop_instance(request: StepRequest) -> str | None:
    if isinstance(request, NCreateRQ):
        return request.affected_sop_instance_uid
    return request.requested_sop_instance_uid
