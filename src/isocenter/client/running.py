"""Requests that bring many responses, followed to their ends."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from isocenter.client.errors import KeysNotSupported, RequestFailed
from isocenter.client.pool import QUERY, AssociationPool, receiving_kind
from isocenter.services.retrieve_outcome import RetrieveOutcome

if TYPE_CHECKING:
    from pydicom import Dataset, FileDataset

    from isocenter.encoding.elements import Elements
    from isocenter.services.retrieve_scu import RetrieveProgress

_PENDING_WARNING = 0xFF01  # PS3.4 C.4.1.1.4: some optional keys are neither matched nor returned

OnProgress = Callable[["RetrieveProgress"], object]


class Requests:
    """The requests that a retrieve takes, one after the other, and what became of them so far.

    Iterating gives each request with the number of objects that `limit` leaves for it.
    """

    def __init__(
        self, requests: Sequence[Elements], limit: int | None, on_progress: OnProgress | None
    ) -> None:
        self.outcome = RetrieveOutcome()
        self._requests = requests
        self._limit = limit
        self._on_progress = on_progress

    def __iter__(self) -> Iterator[tuple[Elements, int | None]]:
        for request in self._requests:
            left = None if self._limit is None else self._limit - self.outcome.done
            if left is not None and left <= 0:
                return
            yield request, left

    def follow(self, responses: Generator[RetrieveProgress, None, None]) -> None:
        """Note the responses to one request."""
        with closing(responses):  # at once: that is what cancels when `on_progress` raises
            for response in responses:
                self.note(response)

    def note(self, response: RetrieveProgress) -> None:
        """Take in one response."""
        if not response.status.is_pending:
            self.outcome.add(response)
        if self._on_progress is not None:
            self._on_progress(response)

    def judge(self, what: str, trouble: str = "") -> RetrieveOutcome:
        """The outcome; raises RequestFailed where not everything came."""
        outcome = self.outcome
        if outcome.status is not None and (outcome.status.is_failure or outcome.failed):
            raise RequestFailed(what, outcome.status, outcome.comment or trouble, outcome)
        return outcome


def find_matches(
    pool: AssociationPool, model_uid: str, request: Elements, limit: int | None
) -> Iterator[Dataset]:
    """The matches of a C-FIND, as data sets. Raises RequestFailed.

    Warns once with KeysNotSupported where the peer did not support every key.
    """
    from isocenter.services.data_sets import to_dataset

    warned = False

    with pool.lend(QUERY) as association:
        responses = association.find(model_uid, request, cancel_after=limit)
        with closing(responses):
            for response in responses:
                status = response.status
                if status.code == _PENDING_WARNING and not warned:
                    warned = True
                    text = f"{pool.destination} does not support all of these keys (FF01H)."
                    warnings.warn(text, KeysNotSupported, stacklevel=2)
                if status.is_pending:
                    yield to_dataset(response.identifier)
                elif status.is_failure:
                    raise RequestFailed(f"C-FIND at {pool.destination}", status, response.comment)


def get_datasets(
    pool: AssociationPool, model_uid: str, sop_classes: Sequence[str], requests: Requests
) -> Iterator[FileDataset]:
    """The objects of a C-GET, one at a time. Raises RequestFailed."""
    from isocenter.client.arriving import DatasetReceiver
    from isocenter.services.retrieve_scu import get_each

    receiver = DatasetReceiver()
    with pool.lend(receiving_kind(model_uid, sop_classes)) as association:
        for request, left in requests:
            steps = get_each(association, model_uid, request, receiver, cancel_after=left)
            with closing(steps):
                for step in steps:
                    while receiver.arrived:
                        yield receiver.arrived.popleft()
                    if step is not None:
                        requests.note(step)
    requests.judge(f"C-GET at {pool.destination}", receiver.trouble)
