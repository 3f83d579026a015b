"""One association, either side of it, without socket or clock (PS3.8 sections 7 and 9).

Bytes and the time go in, events and bytes come out. A driver calls `connection_made`, then
`receive_data` for every read and `connection_lost` at the end; after every call it writes
`data_to_send()`, closes the transport when `closing` is set, and calls `expire` at `deadline`.
"""

from __future__ import annotations

from dataclasses import replace

from isocenter.upperlayer.agreement import (
    accepted_contexts,
    peer_sending_length,
    with_maximum_length,
)
from isocenter.upperlayer.errors import LocalProtocolError, RemoteProtocolError
from isocenter.upperlayer.events import Aborted, Event
from isocenter.upperlayer.limits import AssociationLimits, Timeouts
from isocenter.upperlayer.machine import Machine, Subject
from isocenter.upperlayer.pdu import (
    Abort,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    PDUType,
    check_ae_title,
    decode_body,
)
from isocenter.upperlayer.reasons import AbortReason, AbortSource
from isocenter.upperlayer.sending import Buffers, append_fragments
from isocenter.upperlayer.state_machine import (
    SENDING_STATES,
    TRANSITIONS,
    Action,
    State,
    Trigger,
)

__all__ = ["Association", "AssociationLimits", "Timeouts"]

_STA6 = State.Sta6
_TRIGGERS = {
    PDUType.ASSOCIATE_RQ: Trigger.Evt6,
    PDUType.ASSOCIATE_AC: Trigger.Evt3,
    PDUType.ASSOCIATE_RJ: Trigger.Evt4,
    PDUType.P_DATA_TF: Trigger.Evt10,
    PDUType.RELEASE_RQ: Trigger.Evt12,
    PDUType.RELEASE_RP: Trigger.Evt13,
    PDUType.ABORT: Trigger.Evt16,
}
# The actions that look into the PDU; for all others its arrival says everything.
_DECODING_ACTIONS = frozenset({Action.AE_3, Action.AE_4, Action.AE_6, Action.AA_3})


class Association(Machine):
    """The protocol machine of one association with the calls that drive it.

    Events and bytes of a call are complete when it returns. Calls of the local user that Table
    9-10 does not allow now raise `LocalProtocolError`; nothing the peer sends raises.
    """

    # The transport.

    def connection_made(self, now: float) -> list[Event]:
        """The transport connection exists: Evt2 for the requestor, Evt5 for the acceptor."""
        self._connected = True
        if not self.requestor:
            return self._fire(Trigger.Evt5, now)
        if self.state is State.Sta4:
            return self._fire(Trigger.Evt2, now)
        return []  # connected ahead of the request, which then goes out at once

    def connection_lost(self, now: float) -> list[Event]:
        """The transport connection is gone (Evt17); `ConnectionLost` if that came too soon."""
        self._connected = False
        if (self.state, Trigger.Evt17) not in TRANSITIONS:
            return []
        return self._fire(Trigger.Evt17, now)

    def receive_data(self, data: memoryview, now: float) -> list[Event]:
        """Take bytes from the transport, however they are cut; never raises for what they hold."""
        events: list[Event] = []
        if self._deaf:
            return events
        reader = self._reader
        completed = reader.pdus_completed
        try:
            position = reader.read(data, 0, events)
            while reader.whole_pdu is not None:
                self._receive_whole_pdu(now, events)
                if self._deaf:
                    return events
                position = reader.read(data, position, events)
        except RemoteProtocolError as error:
            # The stream is out of step: whatever follows cannot be told apart.
            events += self._fire(Trigger.Evt19, now, error)
            self._deaf = True
            return events
        if self.state is _STA6:
            self._phase_deadline = now + self._idle
        if not reader.inside_pdu():
            self._pdu_deadline = None
            self.deadline = self._phase_deadline
        else:
            if self._pdu_deadline is None or completed != reader.pdus_completed:
                self._pdu_deadline = now + self.timeouts.pdu
            self._set_deadline()
        return events

    @property
    def inside_pdu(self) -> bool:
        """Whether a PDU has begun to arrive and is not complete."""
        return self._reader.inside_pdu()

    def data_to_send(self) -> list[bytes | memoryview]:
        """The buffers to write now, in order, for one gather write; the list is handed over."""
        output = self._output
        if output:
            self._output = []
        return output

    def expire(self, now: float) -> list[Event]:
        """Act on a deadline that has passed; does nothing before `deadline`."""
        if self.deadline is None or now < self.deadline:
            return []
        if self.state in (State.Sta2, State.Sta13) and _passed(self._phase_deadline, now):
            return self._fire(Trigger.Evt18, now)
        if _passed(self._pdu_deadline, now):
            self._pdu_deadline = None
            error = RemoteProtocolError(
                f"a PDU that began did not end within {self.timeouts.pdu:g} s",
                AbortReason.NOT_SPECIFIED,
            )
            events = self._fire(Trigger.Evt19, now, error)
            self._deaf = True
            return [
                replace(event, timed_out=True) if isinstance(event, Aborted) else event
                for event in events
            ]
        if self.state is _STA6 and self.requestor:
            self.release(now)
            return []
        waited_for = self.state.meaning
        self.abort(AbortSource.SERVICE_USER, AbortReason.NOT_SPECIFIED, now)
        diagnosis = f"nothing came in time while {waited_for}"
        return [Aborted(AbortSource.SERVICE_USER, 0, False, diagnosis, timed_out=True)]

    # The local user.

    def request_association(self, request: AssociateRQ, now: float) -> None:
        """A-ASSOCIATE request; a maximum length of 0 is filled in from the limits."""
        check_ae_title(request.called_ae_title)
        check_ae_title(request.calling_ae_title)
        if not self.requestor:
            raise LocalProtocolError("The acceptor of a connection cannot request an association.")
        information = with_maximum_length(request.user_information, self.limits)
        request = replace(request, user_information=information)
        request.encode()  # what does not fit is an error now, not when the transport is there
        self._fire(Trigger.Evt1, now, request)
        if self._connected:
            self._fire(Trigger.Evt2, now)

    def accept(self, response: AssociateAC, now: float) -> None:
        """A-ASSOCIATE response (accept); a maximum length of 0 is filled in from the limits."""
        if self.request is None:
            raise LocalProtocolError("There is no association request to accept.")
        information = with_maximum_length(response.user_information, self.limits)
        response = replace(response, user_information=information)
        contexts = accepted_contexts(self.request, response, strict=True)
        self._fire(Trigger.Evt7, now, response)
        self.accepted_contexts.update(contexts)

    def reject(self, reject: AssociateRJ, now: float) -> None:
        """A-ASSOCIATE response (reject)."""
        self._fire(Trigger.Evt8, now, reject)

    def release(self, now: float) -> None:
        """A-RELEASE request; `Released` follows."""
        self._fire(Trigger.Evt11, now)

    def confirm_release(self, now: float) -> None:
        """A-RELEASE response.

        In a release collision the acceptor may answer only after the requestor did (Sta10); an
        early answer is kept and goes out then.
        """
        if self.state is State.Sta10:
            self._release_answer_is_due = True
            return
        self._fire(Trigger.Evt14, now)

    def abort(self, source: int, reason: int, now: float) -> None:
        """A-ABORT request; where there is nothing to abort any more, nothing happens."""
        if self.state is State.Sta2:
            self._fire(Trigger.Evt18, now)  # no association yet: as if ARTIM had run out
        elif (self.state, Trigger.Evt15) in TRANSITIONS:
            self._fire(Trigger.Evt15, now, Abort(source, reason))

    def send_data(
        self,
        context_id: int,
        is_command: bool,
        data: Buffers,
        now: float,
        *,
        is_last: bool = True,
    ) -> None:
        """P-DATA request: a command set or data set, or (`is_last` false) a part of one.

        The output holds views of `data` where it is larger than 1 KiB: it must not change before
        the output is written.
        """
        state = self.state
        if state not in SENDING_STATES:
            raise self._not_allowed(Trigger.Evt9)
        if context_id not in self.accepted_contexts:
            raise LocalProtocolError(
                f"Nothing can be sent on presentation context {context_id}: it was not accepted."
            )
        append_fragments(
            self._output, context_id, 1 if is_command else 0, data, self._sending_length, is_last
        )
        if state is _STA6:
            self._phase_deadline = now + self._idle
            self._set_deadline()

    def _receive_whole_pdu(self, now: float, events: list[Event]) -> None:
        whole_pdu = self._reader.whole_pdu
        self._reader.whole_pdu = None
        if whole_pdu is None:
            return
        pdu_type = PDUType(whole_pdu.pdu_type)
        trigger = _TRIGGERS[pdu_type]
        transition = TRANSITIONS[self.state, trigger]
        subject: Subject
        if transition.action in _DECODING_ACTIONS:
            subject = decode_body(pdu_type, whole_pdu.body)
            if isinstance(subject, (AssociateRQ, AssociateAC)):
                self._sending_length = peer_sending_length(subject.user_information, self.limits)
        else:
            subject = RemoteProtocolError(
                f"{pdu_type.name} arrived in {self.state.name} ({self.state.meaning})",
                AbortReason.UNEXPECTED_PDU,
            )
        events += self._fire(trigger, now, subject)


def _passed(deadline: float | None, now: float) -> bool:
    return deadline is not None and now >= deadline
