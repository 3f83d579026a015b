"""The events of PS3.15 A.5.3, each with the participants and objects that its table asks for.

`now` is always the moment in seconds since the epoch. Studies given to one call are those of one
patient, because a message may be about one patient only.
"""

from __future__ import annotations

from collections.abc import Sequence

from isocenter.security.audit import codes
from isocenter.security.audit.codes import Action, Code, Outcome
from isocenter.security.audit.events import (
    Event,
    Here,
    Node,
    Object,
    Participant,
    Party,
    Patient,
    Query,
    Resource,
    Study,
)

TRAIL_NAME = "Security Audit Log"
"""What PS3.15 A.5.3.2 wants the trail to be called."""


def application_activity(here: Here, *, started: bool, now: float) -> Event:
    """The node started or stopped (A.5.3.1)."""
    kind = codes.APPLICATION_START if started else codes.APPLICATION_STOP
    us = here.participant(codes.APPLICATION)
    return _event(codes.APPLICATION_ACTIVITY, "E", now, (us,), types=(kind,))


def audit_log_used(person: Party, trail: str, what: str, now: float) -> Event:
    """Somebody read the trail, whose URI is `trail` (A.5.3.2); `what` says what they asked for."""
    log = Resource(trail, TRAIL_NAME)
    who = _persons(person)
    return _event(codes.AUDIT_LOG_USED, "R", now, who, (log,), description=what)


def query(here: Here, peer: Party, asked: Query, now: float) -> Event:
    """A peer asked us something (A.5.3.10), however the answer turned out."""
    who = (*_requesting(peer, codes.SOURCE), here.participant(codes.DESTINATION))
    return _event(codes.QUERY, "E", now, who, (asked,))


def begin_sending(
    here: Here,
    peer: Party,
    destination: Party | None,
    studies: Sequence[Study],
    patient: Patient,
    now: float,
) -> Event:
    """We begin to send what `peer` wants, to it or to the `destination` of its C-MOVE (A.5.3.3)."""
    who = _sending(here, peer, destination)
    return _event(codes.BEGIN_TRANSFERRING, "E", now, who, (*studies, patient))


def sent(
    here: Here,
    peer: Party,
    destination: Party | None,
    studies: Sequence[Study],
    patient: Patient,
    now: float,
    *,
    failure: str = "",
) -> Event:
    """We sent these instances, or with a `failure` could not send them (A.5.3.7).

    What went and what did not are two events (A.5.2). Whether the receiver had it already we
    do not know; the action is then "read".
    """
    who = _sending(here, peer, destination)
    outcome = Outcome.MINOR_FAILURE if failure else Outcome.SUCCESS
    objects: tuple[Object, ...] = (*studies, patient)
    return _event(codes.INSTANCES_TRANSFERRED, "R", now, who, objects, outcome, description=failure)


def received(
    here: Here,
    peer: Party,
    studies: Sequence[Study],
    patient: Patient,
    now: float,
    *,
    known: bool = False,
    failure: str = "",
) -> Event:
    """A peer sent us these instances, which we had (`known`), or refused with a `failure`."""
    who = (*_requesting(peer, codes.SOURCE), here.participant(codes.DESTINATION))
    action: Action = "R" if known or failure else "C"
    outcome = Outcome.MINOR_FAILURE if failure else Outcome.SUCCESS
    objects: tuple[Object, ...] = (*studies, patient)
    return _event(
        codes.INSTANCES_TRANSFERRED, action, now, who, objects, outcome, description=failure
    )


def accessed(
    here: Here,
    who: Party,
    action: Action,
    studies: Sequence[Study],
    patient: Patient,
    now: float,
    *,
    what: str = "",
    failure: str = "",
) -> Event:
    """Somebody used instances in place: vouched for, labelled, hidden or restored (A.5.3.6).

    `what` says how, in words.
    """
    participants = (*_persons(who), here.participant())
    outcome = Outcome.MINOR_FAILURE if failure else Outcome.SUCCESS
    text = "; ".join(part for part in (what, failure) if part)
    objects: tuple[Object, ...] = (*studies, patient)
    return _event(
        codes.INSTANCES_ACCESSED, action, now, participants, objects, outcome, description=text
    )


def study_deleted(
    here: Here,
    who: Party,
    studies: Sequence[Study],
    patient: Patient,
    now: float,
    *,
    reason: str = "",
    failure: str = "",
) -> Event:
    """Somebody deleted studies with all that is in them (A.5.3.8), for `reason`."""
    participants = (*_persons(who), here.participant())
    outcome = Outcome.MINOR_FAILURE if failure else Outcome.SUCCESS
    text = "; ".join(part for part in (reason, failure) if part)
    objects: tuple[Object, ...] = (*studies, patient)
    return _event(codes.STUDY_DELETED, "D", now, participants, objects, outcome, description=text)


def imported(
    here: Here, person: Party, medium: str, studies: Sequence[Study], patient: Patient, now: float
) -> Event:
    """Somebody took files into the archive from `medium`, a URI (A.5.3.5)."""
    source = Participant(medium, False, roles=(codes.SOURCE_MEDIA,), medium=codes.MEDIUM_URI)
    who = (*_persons(person), here.participant(codes.DESTINATION), source)
    return _event(codes.IMPORT, "C", now, who, (*studies, patient))


def exported(
    here: Here, person: Party, medium: str, studies: Sequence[Study], patient: Patient, now: float
) -> Event:
    """Somebody wrote instances out of the archive to `medium`, a URI (A.5.3.4)."""
    target = Participant(medium, False, roles=(codes.DESTINATION_MEDIA,), medium=codes.MEDIUM_URI)
    who = (*_persons(person), here.participant(codes.SOURCE), target)
    return _event(codes.EXPORT, "R", now, who, (*studies, patient))


def procedure_record(
    here: Here, peer: Party, action: Action, studies: Sequence[Study], patient: Patient, now: float
) -> Event:
    """A peer created, changed or read a performed procedure step (A.5.3.15)."""
    who = (*_requesting(peer), here.participant())
    return _event(codes.PROCEDURE_RECORD, action, now, who, (*studies, patient))


def security_alert(
    here: Here,
    kind: Code,
    alert: str,
    now: float,
    *,
    peer: Party | None = None,
    resource: Resource | None = None,
    outcome: Outcome = Outcome.MINOR_FAILURE,
) -> Event:
    """Something that whoever watches over security should see (A.5.3.11); `alert` says what.

    It is about the node of a peer, about a `resource`, or about this node. A minor failure says
    that it was fended off.
    """
    who = [here.participant(is_requestor=peer is None)]
    subject: Object = resource or Node(here.host, alert)
    if peer is not None:
        who += [_participant(peer, is_requestor=False)]
        subject = resource or Node(peer.host, alert)
    return _event(codes.SECURITY_ALERT, "E", now, tuple(who), (subject,), outcome, (kind,), alert)


def user_authentication(
    here: Here, peer: Party, now: float, *, login: bool = True, failure: str = ""
) -> Event:
    """Somebody logged in, or out, or was not let in for `failure` (A.5.3.12)."""
    kind = codes.LOGIN if login else codes.LOGOUT
    outcome = Outcome.MINOR_FAILURE if failure else Outcome.SUCCESS
    titles = (peer.ae_title,) if peer.ae_title else ()
    person = Participant(peer.user or peer.ae_title or peer.host, True, titles, host=peer.host)
    return _event(
        codes.USER_AUTHENTICATION,
        "E",
        now,
        (person, here.participant()),
        outcome=outcome,
        types=(kind,),
        description=failure,
    )


def _event(
    code: Code,
    action: Action,
    now: float,
    participants: tuple[Participant, ...],
    objects: tuple[Object, ...] = (),
    outcome: Outcome = Outcome.SUCCESS,
    types: tuple[Code, ...] = (),
    description: str = "",
) -> Event:
    return Event(code, action, outcome, participants, objects, types, description, now)


def _sending(here: Here, peer: Party, destination: Party | None) -> tuple[Participant, ...]:
    us = here.participant(codes.SOURCE)
    if destination is None:
        return (us, *_requesting(peer, codes.DESTINATION))
    receiver = _participant(destination, codes.DESTINATION, is_requestor=False)
    return (us, receiver, *_requesting(peer))


def _requesting(peer: Party, *roles: Code) -> tuple[Participant, ...]:
    """A node that asks for something, and its user, who then is the requestor."""
    node = _participant(peer, *roles, is_requestor=not peer.user)
    if not peer.user:
        return (node,)
    return (node, Participant(peer.user, True, host=peer.host))


def _persons(who: Party) -> tuple[Participant, ...]:
    """Whoever acts: a person at this machine, or a node."""
    if who.ae_title:
        return _requesting(who)
    return (Participant(who.user, True, host=who.host),)


def _participant(peer: Party, *roles: Code, is_requestor: bool) -> Participant:
    """A node as one who took part; who never said a title is named by its address."""
    titles = (peer.ae_title,) if peer.ae_title else ()
    return Participant(peer.ae_title or peer.host, is_requestor, titles, "", roles, peer.host)
