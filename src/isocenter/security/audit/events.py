"""What happened, as the audit trail sees it: an event, who took part, and what it was about.

Nothing here knows XML, a database or a network. `kinds` makes the events that PS3.15 A.5.3 lists.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from isocenter.security.audit.codes import Action, Code, Outcome


@dataclass(frozen=True, slots=True)
class Participant:
    """A person, process or node that took part (ActiveParticipant).

    `host` is the name or address of its machine, `ae_titles` those of a DICOM application. Of all
    who took part in an event at most one is the requestor (PS3.15 A.5.2).
    """

    user_id: str
    is_requestor: bool
    ae_titles: tuple[str, ...] = ()
    user_name: str = ""
    roles: tuple[Code, ...] = ()
    host: str = ""
    medium: Code | None = None


@dataclass(frozen=True, slots=True)
class Patient:
    """Whose data it was about. An identifier without `issuer` is one of this institution's."""

    patient_id: str
    issuer: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Study:
    """A study, and how many instances of each SOP class it was about."""

    uid: str
    sop_classes: tuple[tuple[str, int], ...] = ()
    accession_number: str = ""
    mpps_uid: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """A query's identifier as it was sent: encoded in `transfer_syntax_uid`.

    `length` is that of the whole, of which `identifier` may be the beginning. `patient_ids` and
    `study_uids` are the single values in it, by which the event is found again.
    """

    sop_class_uid: str
    identifier: bytes
    transfer_syntax_uid: str
    length: int
    patient_ids: tuple[tuple[str, str], ...] = ()
    study_uids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """The node that an alert is about."""

    address: str
    alert: str


@dataclass(frozen=True, slots=True)
class Resource:
    """A file or other resource by its URI; `alert` says what an alert about it means."""

    uri: str
    name: str
    alert: str = ""


Object = Patient | Study | Query | Node | Resource
"""What an event was about (ParticipantObjectIdentification)."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that the audit trail keeps; `moment` is in seconds since the epoch.

    Two events are equal when they differ in nothing but their moments.
    """

    code: Code
    action: Action
    outcome: Outcome
    participants: tuple[Participant, ...]
    objects: tuple[Object, ...] = ()
    types: tuple[Code, ...] = ()
    description: str = ""
    moment: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody else: a node by its AE title and address, a person by user name, or both."""

    ae_title: str = ""
    host: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True)
class Here:
    """This node: its AE titles, its machine, and the process that speaks."""

    ae_titles: tuple[str, ...]
    host: str
    process: int

    def participant(self, *roles: Code, is_requestor: bool = False) -> Participant:
        """This node as one who took part."""
        return Participant(
            str(self.process), is_requestor, self.ae_titles, "isocenter", roles, self.host
        )
