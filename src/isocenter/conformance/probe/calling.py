"""One association after another with the peer that is probed: at a bounded rate, until a deadline.

Whatever a peer does is an answer: it accepts, rejects, aborts, hangs up, keeps silent or speaks
something else. Nothing of that is an error here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from isocenter.dimse.errors import DimseError
from isocenter.encoding.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from isocenter.services.association import ClientAssociation
from isocenter.services.errors import ServiceError
from isocenter.upperlayer.blocking import BlockingAssociation
from isocenter.upperlayer.contexts import ContextAnswer, ProposedContext
from isocenter.upperlayer.errors import (
    AssociateTimeout,
    AssociationAbortedError,
    AssociationRejectedError,
    ConnectFailed,
    ConnectionLostError,
    ConnectTimeout,
    UpperLayerError,
)
from isocenter.upperlayer.limits import AssociationLimits
from isocenter.upperlayer.pdu import AssociateRQ
from isocenter.upperlayer.reasons import AbortSource, RejectResult, RejectSource
from isocenter.upperlayer.user_information import (
    ExtendedNegotiation,
    RoleSelection,
    UserInformation,
)

if TYPE_CHECKING:
    from isocenter.services.association import Destination

Context = tuple[str, Sequence[str]]
Outcome = Literal[
    "accepted", "rejected", "aborted", "hung up", "silent", "unreachable", "not DICOM"
]

PATIENCE = (1.0, 2.0, 4.0)
"""Seconds to wait after a rejection that is not for good, before each further attempt."""


class TimeIsUp(Exception):
    """The time for the whole probe is over."""


@dataclass(frozen=True, slots=True)
class ContextAnswered:
    """A proposed context and its answer."""

    proposed: ProposedContext
    result: int
    transfer_syntax: str

    @property
    def usable(self) -> bool:
        """Whether it is accepted, in a transfer syntax that was proposed."""
        accepted = self.result == ContextAnswer.ACCEPTANCE
        return accepted and self.transfer_syntax in self.proposed.transfer_syntaxes


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an association that was asked for.

    `text` is a sentence with the peer's words; `trouble` says what went wrong afterwards.
    """

    outcome: Outcome
    text: str = ""
    contexts: tuple[ContextAnswered, ...] = ()
    information: UserInformation = field(default_factory=UserInformation)
    rejection: tuple[int, int, int] | None = None
    trouble: str = ""

    @property
    def accepted(self) -> bool:
        """Whether there was an association."""
        return self.outcome == "accepted"

    @property
    def is_transient(self) -> bool:
        """Whether the peer only was too busy."""
        if self.rejection is None:
            return False
        result, source, _ = self.rejection
        return (
            result == RejectResult.REJECTED_TRANSIENT
            or source == RejectSource.SERVICE_PROVIDER_PRESENTATION
        )


Use = Callable[[ClientAssociation], None]


class Caller:
    """Asks for associations; counts them, paces them (`rate` in a second) and stops in time."""

    def __init__(
        self,
        destination: Destination,
        rate: float,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.destination = destination
        self.associations = 0
        self.contexts = 0
        self._pause = 1 / rate
        self._clock, self._sleep = clock, sleep
        self._began = clock()
        self._deadline = self._began + seconds
        self._next = self._began

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return self._clock() - self._began

    @property
    def left(self) -> float:
        """Seconds that are left. Raises TimeIsUp when there are none."""
        left = self._deadline - self._clock()
        if left <= 0:
            raise TimeIsUp
        return left

    def pace(self) -> None:
        """Wait for the turn of the next connection. Raises TimeIsUp."""
        wait = self._next - self._clock()
        if wait >= self.left:
            raise TimeIsUp
        if wait > 0:
            self._sleep(wait)
        self._next = self._clock() + self._pause

    def call(
        self,
        contexts: Sequence[Context],
        *,
        roles: Sequence[RoleSelection] = (),
        extended: Sequence[ExtendedNegotiation] = (),
        window: tuple[int, int] | None = None,
        called_ae: str | None = None,
        calling_ae: str | None = None,
        use: Use | None = None,
    ) -> Answer:
        """Ask for an association, do with it what `use` does, release it. Raises TimeIsUp.

        A peer that is too busy is asked again, a few times.
        """
        request = AssociateRQ(
            called_ae_title=called_ae or self.destination.called_ae,
            calling_ae_title=calling_ae or self.destination.calling_ae,
            presentation_contexts=tuple(
                ProposedContext(2 * number + 1, abstract_syntax, tuple(syntaxes))
                for number, (abstract_syntax, syntaxes) in enumerate(contexts)
            ),
            user_information=UserInformation(
                maximum_length=self.destination.maximum_length,
                implementation_class_uid=IMPLEMENTATION_CLASS_UID,
                implementation_version_name=IMPLEMENTATION_VERSION_NAME,
                asynchronous_operations_window=window,
                role_selections=tuple(roles),
                extended_negotiations=tuple(extended),
                user_identity=self.destination.user_identity,
            ),
        )
        for wait in (*PATIENCE, None):
            answer = self._call(request, use)
            if wait is None or not answer.is_transient:
                return answer
            if wait >= self.left:
                raise TimeIsUp
            self._sleep(wait)
        raise AssertionError("the last attempt returns")

    def _call(self, request: AssociateRQ, use: Use | None) -> Answer:
        self.pace()
        to, left = self.destination, self.left
        self.associations += 1
        self.contexts += len(request.presentation_contexts)
        timeouts = replace(
            to.timeouts,
            association=min(to.timeouts.association, left),
            release=min(to.timeouts.release, left),
        )
        try:
            transport = BlockingAssociation.connect(
                to.host,
                to.port,
                request,
                timeouts=timeouts,
                limits=AssociationLimits(maximum_length=to.maximum_length),
                connect_timeout=min(to.connect_timeout, left),
                ssl_context=to.ssl_context,
                examine=to.examine,
            )
        except UpperLayerError as error:
            return _failed(error)
        return self._used(request, transport, use)

    def _used(
        self, request: AssociateRQ, transport: BlockingAssociation, use: Use | None
    ) -> Answer:
        response, trouble = transport.response, ""
        timeout = min(self.destination.response_timeout, max(self._deadline - self._clock(), 0.1))
        try:
            with ClientAssociation(transport, response_timeout=timeout) as association:
                if use is not None:
                    use(association)
        except (UpperLayerError, DimseError, ServiceError) as error:
            trouble = str(error)
        answers = {one.context_id: one for one in response.presentation_contexts}
        return Answer(
            "accepted",
            contexts=tuple(
                ContextAnswered(one, answered.result, answered.transfer_syntax)
                if (answered := answers.get(one.context_id)) is not None
                else ContextAnswered(one, ContextAnswer.NO_REASON, "")
                for one in request.presentation_contexts
            ),
            information=response.user_information,
            trouble=trouble,
        )


def _failed(error: UpperLayerError) -> Answer:
    """What a failure says of the peer."""
    outcome: Outcome = "not DICOM"
    rejection = None
    if isinstance(error, AssociationRejectedError):
        outcome, rejection = "rejected", (error.result, error.source, error.reason)
    elif isinstance(error, (ConnectFailed, ConnectTimeout)):
        outcome = "unreachable"
    elif isinstance(error, AssociateTimeout):
        outcome = "silent"
    elif isinstance(error, ConnectionLostError):
        outcome = "hung up"
    elif isinstance(error, AssociationAbortedError) and _by_peer(error):
        outcome = "aborted"
    return Answer(outcome, str(error), rejection=rejection)


def _by_peer(error: AssociationAbortedError) -> bool:
    """An abort of ours answers what is no DICOM; its text says that it "was broken off"."""
    ours = "was broken off" in str(error)
    return not ours and error.source in (AbortSource.SERVICE_USER, AbortSource.SERVICE_PROVIDER)
