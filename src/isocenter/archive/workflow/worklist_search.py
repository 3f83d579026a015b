"""What of the worklist a modality asked for (PS3.4 K.2.2, K.4.1)."""

from __future__ import annotations

import time
from collections.abc import Iterator

from isocenter.archive.query.criteria import Rules
from isocenter.archive.query.data_sets import condition, project
from isocenter.archive.query.watch import Clock, Watch
from isocenter.archive.workflow.database import WorkflowUnavailable
from isocenter.archive.workflow.worklist import Worklist
from isocenter.archive.workflow.worklist_filter import candidates
from isocenter.encoding.elements import Elements, RawElement

_PREGNANCY_STATUS = 0x001021C0
_ZERO = b"\0\0"
_UNMATCHABLE = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})


class WorklistMatches:
    """The items that a neutral identifier asks for, by scheduled date and time.

    Each is the data set to answer with: the attributes that the identifier names, of sequences
    the items that matched. Every attribute that an item holds can be matched and returned; ranges
    of start date and start time are one interval (PS3.4 Table K.6-1). After `time_limit` seconds of
    work, waits for the next question not counted, they end and `stopped` says so.

    Raises InvalidQuery; iterating raises WorkflowUnavailable.
    """

    def __init__(
        self,
        worklist: Worklist,
        identifier: Elements,
        hidden: frozenset[str] = frozenset(),
        *,
        fuzzy_names: bool = False,
        time_limit: float | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self.stopped = ""
        self.unsupported = _unsupported(identifier)
        self._worklist = worklist
        self._identifier = {
            tag: _as_meant(tag, element)
            for tag, element in identifier.items()
            if tag not in self.unsupported
        }
        self._rules = Rules(combined_date_time=True, fuzzy_names=fuzzy_names)
        self._matches = condition(self._identifier, self._rules)
        self._candidates = candidates(self._identifier, hidden)
        self._watch = Watch(time_limit, clock)

    def __iter__(self) -> Iterator[Elements]:
        watch = self._watch
        watch.begin()
        try:
            for data_set in self._worklist.data_sets(self._candidates, watch=watch):
                if watch.over:
                    self._say_why()
                    return
                if self._matches(data_set):
                    watch.pause()
                    yield project(self._identifier, data_set, self._rules)
                    watch.begin()
        except WorkflowUnavailable:
            if not watch.over:
                raise
            self._say_why()

    def _say_why(self) -> None:
        if not self._watch.given_up:
            self.stopped = f"after {self._watch.limit} of search"

    def give_up(self) -> None:
        """Have the search for the next match end soon; from any thread."""
        self._watch.give_up()

    def close(self) -> None:
        """Nothing is held between two items."""


def _as_meant(tag: int, element: RawElement) -> RawElement:
    """A key as its sender meant it: a Pregnancy Status of 0 does not exist (PS3.3 C.2.3).

    Who encodes an empty number as 0, as dcmjs-dimse does, asks for it and matches nothing.
    """
    if tag == _PREGNANCY_STATUS and element.value == _ZERO:
        return RawElement(element.vr, b"")
    return element


def _unsupported(identifier: Elements) -> frozenset[int]:
    """Keys of the top level whose values cannot be told apart: bulk data and unknown VRs."""
    return frozenset(tag for tag, (vr, _) in identifier.items() if vr in _UNMATCHABLE)
