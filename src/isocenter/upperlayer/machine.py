"""The actions of the upper layer protocol machine (PS3.8 9.2.2), behind one dispatch.

`Machine` holds the state of one association, looks up Table 9-10 and performs what it finds;
`association.Association` adds the calls a driver and a user make. No socket, no clock: output is
a list of buffers, `now` is an argument. ARTIM runs exactly in Sta2 and Sta13, so it is started and
stopped by entering and leaving them.
"""

from __future__ import annotations

from collections.abc import Callable

from isocenter.upperlayer.agreement import accepted_contexts, provider_refusal
from isocenter.upperlayer.contexts import AcceptedContext
from isocenter.upperlayer.errors import LocalProtocolError, RemoteProtocolError
from isocenter.upperlayer.events import (
    Aborted,
    AssociationAccepted,
    AssociationRejected,
    AssociationRequested,
    ConnectionLost,
    Event,
    Released,
    ReleaseRequested,
)
from isocenter.upperlayer.framing import FrameReader
from isocenter.upperlayer.limits import (
    DEFAULT_LIMITS,
    DEFAULT_TIMEOUTS,
    AssociationLimits,
    Timeouts,
)
from isocenter.upperlayer.pdu import (
    PDU,
    Abort,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    ReleaseRP,
    ReleaseRQ,
)
from isocenter.upperlayer.reasons import AbortReason, AbortSource
from isocenter.upperlayer.state_machine import (
    RECEIVING_STATES,
    TRANSITIONS,
    Action,
    State,
    Transition,
    Trigger,
)

Subject = PDU | RemoteProtocolError | None
"""What an event of Table 9-10 is about: the PDU sent or received, or what is wrong with it."""


class Machine:
    """The protocol machine of one association.

    `state` is the PS3.8 state; `deadline` is when `expire` wants to be called; `request` and
    `response` are the association PDUs once known; `accepted_contexts` is filled when the
    association is established; `closing` tells the driver to flush and close the transport;
    `opened_at` is the `now` of the making.
    """

    def __init__(
        self,
        *,
        requestor: bool,
        limits: AssociationLimits = DEFAULT_LIMITS,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        now: float,
    ) -> None:
        self.requestor = requestor
        self.limits = limits
        self.timeouts = timeouts
        self.opened_at = now
        self.state = State.Sta1
        self.deadline: float | None = None
        self.closing = False
        self.request: AssociateRQ | None = None
        self.response: AssociateAC | None = None
        self.accepted_contexts: dict[int, AcceptedContext] = {}
        self._reader = FrameReader(limits.association_pdu)
        self._output: list[bytes | memoryview] = []
        self._sending_length = limits.sending_length
        self._phase_deadline: float | None = None
        self._pdu_deadline: float | None = None
        self._deaf = False  # nothing that still arrives matters
        self._connected = False
        self.refusal: AssociateRJ | None = None
        self._release_answer_is_due = False
        self._idle = timeouts.idle

    def _fire(self, trigger: Trigger, now: float, subject: Subject = None) -> list[Event]:
        """Look up the cell of Table 9-10, perform its action, enter the next state."""
        transition = TRANSITIONS.get((self.state, trigger))
        if transition is None:
            raise self._not_allowed(trigger)
        events = _ACTIONS[transition.action](self, subject)
        self._enter(self._next_state(transition), now)
        if self.state is State.Sta12 and self._release_answer_is_due:
            self._fire(Trigger.Evt14, now)
        return events

    def _next_state(self, transition: Transition) -> State:
        """AE-6 leads on to Sta3 or, refusing, to Sta13; AR-8 to Sta9 or, accepting, to Sta10."""
        if transition.action is Action.AE_6:
            return transition.next_states[self.refusal is not None]
        if transition.action is Action.AR_8:
            return transition.next_states[not self.requestor]
        return transition.next_states[0]

    def _enter(self, state: State, now: float) -> None:
        """Change state, with the timers and the reader that belong to it."""
        if state is self.state:
            return
        self.state = state
        seconds = self.timeouts.of_state(state)
        self._phase_deadline = None if seconds is None else now + seconds
        if state in RECEIVING_STATES:
            self._reader.accept_data(self.accepted_contexts)
        else:
            self._reader.refuse_data()
        if state in (State.Sta1, State.Sta13):
            self._pdu_deadline = None
        self._deaf = self._deaf or state is State.Sta1
        self._set_deadline()

    def _set_deadline(self) -> None:
        """The earlier of what the phase and a begun PDU allow."""
        phase, pdu = self._phase_deadline, self._pdu_deadline
        self.deadline = phase if pdu is None or (phase is not None and phase < pdu) else pdu

    def _not_allowed(self, trigger: Trigger) -> LocalProtocolError:
        state = self.state
        return LocalProtocolError(
            f"{trigger.meaning} ({trigger.name}) is not possible in {state.name}: {state.meaning}."
        )

    def _send(self, pdu: PDU) -> None:
        self._output.append(pdu.encode())

    # The actions of PS3.8 9.2.2, each named as there.

    def _ae_1(self, subject: Subject) -> list[Event]:
        assert isinstance(subject, AssociateRQ)
        self.request = subject
        return []  # the driver opens the transport connection

    def _ae_2(self, _subject: Subject) -> list[Event]:
        assert self.request is not None
        self._reader.set_maximum_length(self.request.user_information.maximum_length)
        self._send(self.request)
        return []

    def _ae_3(self, subject: Subject) -> list[Event]:
        assert isinstance(subject, AssociateAC)
        assert self.request is not None
        self.response = subject
        contexts = accepted_contexts(self.request, subject, strict=False)
        self.accepted_contexts.update(contexts)
        return [AssociationAccepted(subject)]

    def _ae_4(self, subject: Subject) -> list[Event]:
        assert isinstance(subject, AssociateRJ)
        self.closing = True
        return [AssociationRejected(subject)]

    def _ae_6(self, subject: Subject) -> list[Event]:
        assert isinstance(subject, AssociateRQ)
        self.request = subject
        self.refusal = provider_refusal(subject, self.limits)
        if self.refusal is None:
            return [AssociationRequested(subject)]
        self._send(self.refusal)
        return []

    def _ae_7(self, subject: Subject) -> list[Event]:
        assert isinstance(subject, AssociateAC)
        self._send(subject)
        self.response = subject
        self._reader.set_maximum_length(subject.user_information.maximum_length)
        return []

    def _ae_8(self, subject: Subject) -> list[Event]:
        assert isinstance(subject, AssociateRJ)
        self._send(subject)
        return []

    def _nothing(self, _subject: Subject) -> list[Event]:
        """AE-5, AA-5, AA-6, AR-5: timers only; DT-1, DT-2, AR-6, AR-7: done on the fast path."""
        return []

    def _close(self, _subject: Subject) -> list[Event]:
        """AA-2, and the driver's side of AA-5 and AR-5: the transport has no more use."""
        self.closing = True
        return []

    def _ar_1(self, _subject: Subject) -> list[Event]:
        self._send(ReleaseRQ())
        return []

    def _ar_2(self, _subject: Subject) -> list[Event]:
        """Also AR-8: a release collision is indicated like any other release."""
        return [ReleaseRequested()]

    def _ar_3(self, _subject: Subject) -> list[Event]:
        self.closing = True
        return [Released()]

    def _ar_4(self, _subject: Subject) -> list[Event]:
        """Also AR-9."""
        self._send(ReleaseRP())
        return []

    def _ar_10(self, _subject: Subject) -> list[Event]:
        return [Released()]

    def _aa_1(self, subject: Subject) -> list[Event]:
        """Abort as the service user.

        On the wrong bytes in Sta2 no association exists that the standard could report as
        aborted; the driver hears of it all the same, for its log.
        """
        if isinstance(subject, Abort):
            self._send(subject)
            return []
        abort = Abort(AbortSource.SERVICE_USER, AbortReason.NOT_SPECIFIED)
        self._send(abort)
        return [Aborted(abort.source, abort.reason, False, str(subject))]

    def _aa_3(self, subject: Subject) -> list[Event]:
        assert isinstance(subject, Abort)
        self.closing = True
        return [Aborted(subject.source, subject.reason, True)]

    def _aa_4(self, _subject: Subject) -> list[Event]:
        self.closing = True
        return [ConnectionLost()]

    def _aa_7(self, _subject: Subject) -> list[Event]:
        """One answer is enough: a peer that keeps on must not fill our output."""
        self._send(Abort(AbortSource.SERVICE_PROVIDER, AbortReason.UNEXPECTED_PDU))
        self._deaf = True
        return []

    def _aa_8(self, subject: Subject) -> list[Event]:
        assert isinstance(subject, RemoteProtocolError)
        abort = Abort(AbortSource.SERVICE_PROVIDER, subject.abort_reason)
        self._send(abort)
        return [Aborted(abort.source, abort.reason, False, subject.diagnosis)]


_ACTIONS: dict[Action, Callable[[Machine, Subject], list[Event]]] = {
    Action.AE_1: Machine._ae_1,
    Action.AE_2: Machine._ae_2,
    Action.AE_3: Machine._ae_3,
    Action.AE_4: Machine._ae_4,
    Action.AE_5: Machine._nothing,
    Action.AE_6: Machine._ae_6,
    Action.AE_7: Machine._ae_7,
    Action.AE_8: Machine._ae_8,
    Action.DT_1: Machine._nothing,
    Action.DT_2: Machine._nothing,
    Action.AR_1: Machine._ar_1,
    Action.AR_2: Machine._ar_2,
    Action.AR_3: Machine._ar_3,
    Action.AR_4: Machine._ar_4,
    Action.AR_5: Machine._close,
    Action.AR_6: Machine._nothing,
    Action.AR_7: Machine._nothing,
    Action.AR_8: Machine._ar_2,
    Action.AR_9: Machine._ar_4,
    Action.AR_10: Machine._ar_10,
    Action.AA_1: Machine._aa_1,
    Action.AA_2: Machine._close,
    Action.AA_3: Machine._aa_3,
    Action.AA_4: Machine._aa_4,
    Action.AA_5: Machine._close,
    Action.AA_6: Machine._nothing,
    Action.AA_7: Machine._aa_7,
    Action.AA_8: Machine._aa_8,
}
