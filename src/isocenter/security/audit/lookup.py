"""Finding messages: the newest, one by its number, all that name a patient or their studies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree

from sqlalchemy import Select, select, union

from isocenter.security.audit.codes import EVENTS
from isocenter.security.audit.schema import export, message, subject
from isocenter.security.audit.trail import AuditTrail


class Kept(NamedTuple):
    """A message of the trail."""

    id: int
    moment: float
    event: str
    event_type: str
    outcome: int
    xml: bytes


class Actor(NamedTuple):
    """Who took part in an event, and from where."""

    user_id: str
    ae_titles: str
    host: str
    is_requestor: bool
    roles: tuple[str, ...]


class Summary(NamedTuple):
    """What a message says, for people."""

    id: int
    moment: float
    what: str
    kinds: tuple[str, ...]
    action: str
    outcome: int
    description: str
    actors: tuple[Actor, ...]
    studies: tuple[str, ...]
    instances: int

    @property
    def requestor(self) -> Actor | None:
        """Who wanted it."""
        return next((actor for actor in self.actors if actor.is_requestor), None)


class ExportState(NamedTuple):
    """How far a syslog server has been sent the messages."""

    target: str
    through: int
    waiting: int
    changed_at: float
    last_error: str | None


_KEPT = select(
    message.c.id,
    message.c.moment,
    message.c.event,
    message.c.event_type,
    message.c.outcome,
    message.c.xml,
)


def newest(trail: AuditTrail, count: int) -> list[Kept]:
    """The last messages, the newest first. Raises AuditUnavailable."""
    return _fetched(trail, _KEPT.order_by(message.c.id.desc()).limit(count))


def find_message(trail: AuditTrail, number: int) -> Kept | None:
    """The message of that number. Raises AuditUnavailable."""
    found = _fetched(trail, _KEPT.where(message.c.id == number))
    return found[0] if found else None


def messages_after(trail: AuditTrail, number: int, count: int) -> list[Kept]:
    """Up to `count` messages behind a number, in their order. Raises AuditUnavailable."""
    return _fetched(trail, _KEPT.where(message.c.id > number).order_by(message.c.id).limit(count))


def who_saw(trail: AuditTrail, patient_id: str, issuer: str | None, count: int) -> list[Kept]:
    """The newest messages about a patient, or about a study that some message says is theirs.

    Without an `issuer` all patients with that ID are meant. Raises AuditUnavailable.
    """
    theirs = [subject.c.kind == "patient", subject.c.value == patient_id.strip()]
    if issuer is not None:
        theirs.append(subject.c.issuer == issuer.strip())
    named = select(subject.c.message).where(*theirs)
    other = subject.alias("other")
    # Queries name patients and studies that need not belong together; all else does.
    studies = (
        select(other.c.value)
        .join(message, message.c.id == other.c.message)
        .where(other.c.kind == "study", other.c.message.in_(named), message.c.event != "110112")
    )
    of_studies = select(subject.c.message).where(
        subject.c.kind == "study", subject.c.value.in_(studies)
    )
    wanted = union(named, of_studies)
    newest_first = message.c.id.desc()
    return _fetched(
        trail, _KEPT.where(message.c.id.in_(wanted)).order_by(newest_first).limit(count)
    )


def export_states(trail: AuditTrail) -> list[ExportState]:
    """How far each syslog server has been sent the messages. Raises AuditUnavailable."""
    with trail.database.reading() as connection:
        last = connection.execute(
            select(message.c.id).order_by(message.c.id.desc()).limit(1)
        ).scalar()
        rows = connection.execute(select(export).order_by(export.c.target)).all()
    return [
        ExportState(
            row.target,
            row.through,
            max(0, (last or 0) - row.through),
            row.changed_at,
            row.last_error,
        )
        for row in rows
    ]


def summarize(kept: Kept) -> Summary:
    """What a message says; a damaged one says what its row does."""
    known = EVENTS.get(kept.event)
    what = kept.event if known is None else known.meaning
    try:
        root = ElementTree.fromstring(kept.xml)
        instances = sum(int(one.get("NumberOfInstances", "0")) for one in root.iter("SOPClass"))
    except (ElementTree.ParseError, ValueError):
        return Summary(
            kept.id, kept.moment, what, (), "", kept.outcome, "The message is damaged", (), (), 0
        )
    event = root.find("EventIdentification")
    return Summary(
        kept.id,
        kept.moment,
        what,
        tuple(kind.get("originalText", "") for kind in root.iter("EventTypeCode")),
        "" if event is None else event.get("EventActionCode", ""),
        kept.outcome,
        root.findtext("EventIdentification/EventOutcomeDescription", ""),
        tuple(_actor(element) for element in root.iter("ActiveParticipant")),
        tuple(_studies(root)),
        instances,
    )


def _actor(element: ElementTree.Element) -> Actor:
    return Actor(
        element.get("UserID", ""),
        element.get("AlternativeUserID", "").removeprefix("AETITLES="),
        element.get("NetworkAccessPointID", ""),
        element.get("UserIsRequestor") == "true",
        tuple(role.get("originalText", "") for role in element.iter("RoleIDCode")),
    )


def _studies(root: ElementTree.Element) -> Iterator[str]:
    for element in root.iter("ParticipantObjectIdentification"):
        code = element.find("ParticipantObjectIDTypeCode")
        if code is not None and code.get("csd-code") == "110180":
            yield element.get("ParticipantObjectID", "")


def _fetched(trail: AuditTrail, wanted: Select[Any]) -> list[Kept]:
    with trail.database.reading() as connection:
        rows: Sequence[Any] = connection.execute(wanted).all()
    return [Kept(*row) for row in rows]
