"""Query/Retrieve Service Class (PS3.4 Annex C), user: C-FIND.

The provider's side, which answers, is in `query_retrieve_scp`.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from isocenter.dictionary.sop_classes import MODALITY_WORKLIST_FIND
from isocenter.dictionary.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
    transfer_syntax,
)
from isocenter.dimse.errors import DimseError
from isocenter.dimse.messages import CCancelRQ, CFindRQ, CFindRSP
from isocenter.dimse.status import Service, Status, describe
from isocenter.encoding.elements import Elements, decode_elements, encode_elements
from isocenter.encoding.errors import EncodingError
from isocenter.upperlayer.errors import ResponseTimeout, UpperLayerError

if TYPE_CHECKING:
    from isocenter.services.association import ClientAssociation

# How long a peer may go on sending matches after a C-CANCEL before the association is aborted.
CANCEL_PATIENCE = 30.0  # seconds

_SYNTAXES = (EXPLICIT_VR_LITTLE_ENDIAN.uid, IMPLICIT_VR_LITTLE_ENDIAN.uid)


def find_context(model_uid: str) -> tuple[str, tuple[str, ...]]:
    """The presentation context to propose for an information model, for `connect`."""
    return model_uid, _SYNTAXES


class FindMatch(NamedTuple):
    """One C-FIND response: a match while `status.is_pending`, then the end.

    `identifier` is empty with the last one; `comment` is the peer's Error Comment, if any.
    """

    status: Status
    identifier: Elements
    comment: str = ""


def find(
    association: ClientAssociation,
    model_uid: str,
    identifier: Elements,
    *,
    cancel_after: int | None = None,
) -> Generator[FindMatch, None, None]:
    """C-FIND (PS3.4 C.4.1): every match as it arrives, and last the final status.

    The request is sent when the first match is asked for. With `cancel_after`, C-CANCEL follows
    that number of matches, and those still under way are dropped. Closing the generator early
    cancels too and waits for the peer's last response, so the association stays usable.

    Raises NoPresentationContext, EncodingError for an unreadable match (the query is then
    canceled), and the errors of `ClientAssociation.receive_response`.
    """
    context = association.context_for(model_uid)
    syntax = transfer_syntax(context.transfer_syntax)
    service = Service.WORKLIST if model_uid == MODALITY_WORKLIST_FIND else Service.QUERY
    query = _Query(association, context.context_id, association.next_message_id())
    request = CFindRQ(message_id=query.message_id, affected_sop_class_uid=model_uid)
    association.send(context.context_id, request, encode_elements(identifier, syntax))
    try:
        for number, (response, data_set) in enumerate(query.responses(), start=1):
            status = describe(response.status, service)
            if status.is_pending and cancel_after is not None and number >= cancel_after:
                query.cancel()
                if number > cancel_after:
                    continue
            yield _match(status, response, data_set, syntax)
    except (GeneratorExit, EncodingError):
        query.give_up()
        raise


def _match(
    status: Status, response: CFindRSP, data_set: bytes, syntax: TransferSyntax
) -> FindMatch:
    identifier = decode_elements(data_set, syntax) if status.is_pending and data_set else {}
    return FindMatch(status, identifier, response.error_comment or "")


class _Query:
    """One C-FIND that is under way."""

    def __init__(self, association: ClientAssociation, context_id: int, message_id: int) -> None:
        self.association = association
        self.context_id = context_id
        self.message_id = message_id
        self._finished = False
        self._canceled_at: float | None = None

    def responses(self) -> Generator[tuple[CFindRSP, bytes], None, None]:
        """The responses that have not come yet, the final one included."""
        while not self._finished:
            response, data_set = self.association.receive_response(CFindRSP, self.message_id)
            self._finished = not describe(response.status).is_pending
            self._check_patience()
            yield response, data_set

    def cancel(self) -> None:
        """C-CANCEL, once, unless the final response is there already."""
        if self._canceled_at is None and not self._finished:
            self._canceled_at = time.monotonic()
            cancel = CCancelRQ(message_id_being_responded_to=self.message_id)
            self.association.send(self.context_id, cancel)

    def give_up(self) -> None:
        """Cancel and read what still comes; an association that is lost by then stays lost."""
        with suppress(UpperLayerError, DimseError):
            self.cancel()
            for _ in self.responses():
                pass

    def _check_patience(self) -> None:
        if self._finished or self._canceled_at is None:
            return
        if time.monotonic() - self._canceled_at > CANCEL_PATIENCE:
            self.association.abort()
            raise ResponseTimeout(
                f"{self.association.peer} went on sending matches for {CANCEL_PATIENCE:g} s after "
                "C-CANCEL; the association is aborted: ask for less at a time."
            )
