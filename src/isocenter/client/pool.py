"""Associations opened as they are needed, and kept for the next request of the same kind.

Without an asynchronous operations window an association carries one request at a time (PS3.7
D.3.3.3), and the 128 contexts it can propose are too few for everything (PS3.8 9.3.2.2). So each
request borrows an association of its kind; who asks while another request is under way gets
another one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isocenter.errors import IsocenterError
from isocenter.services.errors import ServiceError
from isocenter.services.get_contexts import get_contexts, receiving
from isocenter.services.information_models import QUERY_MODELS
from isocenter.services.query_retrieve_scu import find_context
from isocenter.services.verification_scu import VERIFICATION_CONTEXT

if TYPE_CHECKING:
    from isocenter.services.association import ClientAssociation, Destination
    from isocenter.services.query_options import QueryOptions


@dataclass(frozen=True, slots=True)
class Kind:
    """What an association is for: these contexts, in `receiving` of which we take objects."""

    contexts: tuple[tuple[str, tuple[str, ...]], ...]
    receiving: tuple[str, ...] = ()


QUERY = Kind(
    (
        VERIFICATION_CONTEXT,
        *(find_context(model.find) for model in QUERY_MODELS),
        *(find_context(model.move) for model in QUERY_MODELS if model.move),
    )
)
"""Verification, every model of C-FIND, and C-MOVE."""


def receiving_kind(model_uid: str, sop_classes: Sequence[str] = ()) -> Kind:
    """For C-GET in a model: of the usual storage classes, or of those named."""
    contexts = get_contexts(model_uid, sop_classes)
    frozen = tuple((uid, tuple(syntaxes)) for uid, syntaxes in contexts)
    return Kind(frozen, tuple(receiving(contexts)))


class AssociationPool:
    """The associations with one peer; safe to use from several threads."""

    def __init__(self, destination: Destination, options: QueryOptions) -> None:
        self.destination = destination
        self._options = options
        self._idle: dict[Kind, list[ClientAssociation]] = {}
        self._lent: set[ClientAssociation] = set()
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def lend(self, kind: Kind) -> Iterator[ClientAssociation]:
        """An association of that kind, for one request; it is taken back if it is still usable.

        Raises the errors of `Destination.connect`, and ServiceError once the pool is closed.
        """
        self._check_open()
        association = self._take(kind) or self._open(kind)
        with self._lock:
            self._lent.add(association)
        try:
            self._check_open()  # it may have been closed since, without knowing of this one
            yield association
        finally:
            with self._lock:
                self._lent.discard(association)
            self._keep(kind, association)

    def open(self, kind: Kind) -> ClientAssociation:
        """Establish an association of that kind ahead of its first use."""
        association = self._open(kind)
        self._keep(kind, association)
        return association

    def _keep(self, kind: Kind, association: ClientAssociation) -> None:
        with self._lock:
            if not self._closed:
                self._idle.setdefault(kind, []).append(association)
                return
        association.abort()

    def _check_open(self) -> None:
        if self._closed:
            raise ServiceError(f"The connection with {self.destination} has been closed.")

    def release(self) -> None:
        """End all: those that are idle in good order, those in use at once."""
        idle, lent = self._forget()
        for association in lent:
            association.abort()
        for association in idle:
            with suppress(IsocenterError):  # what it acknowledged before stands
                association.release()

    def abort(self) -> None:
        """End all at once."""
        for associations in self._forget():
            for association in associations:
                association.abort()

    def _forget(self) -> tuple[list[ClientAssociation], list[ClientAssociation]]:
        with self._lock:
            self._closed = True
            idle = [association for kept in self._idle.values() for association in kept]
            lent = list(self._lent)
            self._idle.clear()
            self._lent.clear()
        return idle, lent

    def _take(self, kind: Kind) -> ClientAssociation | None:
        while True:
            with self._lock:
                kept = self._idle.get(kind)
                if not kept:
                    return None
                association = kept.pop()
            if association.is_usable():
                return association

    def _open(self, kind: Kind) -> ClientAssociation:
        uids = [uid for uid, _ in kind.contexts]
        queries = [model.find for model in QUERY_MODELS if model.find in uids]
        retrievals = [
            uid for model in QUERY_MODELS for uid in (model.move, model.get) if uid in uids
        ]
        return self.destination.connect(
            kind.contexts,
            receiving=kind.receiving,
            extended=(
                *self._options.query_proposals(*queries),
                *self._options.retrieval_proposals(*retrievals),
            ),
        )
