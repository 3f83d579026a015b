"""The audit desk of one network process: what services tell of, as events of the audit trail.

`AuditDesk` opens an account for each association and takes alerts; what it records is written by
`audit_recorder`. Without an audit trail it keeps no accounts, and costs nothing.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from isocenter.archive.layout import AUDIT_FILE
from isocenter.security.audit import codes, kinds
from isocenter.security.audit.events import Event, Here, Party, Patient, Study
from isocenter.security.audit.query_subjects import make_query
from isocenter.security.audit.tally import STUDIES_TOGETHER, StudyTally, told
from isocenter.server.audit_recorder import AuditRecorder
from isocenter.server.audit_steps import step_patient, step_studies
from isocenter.services.accounts import (
    Account,
    AskedFor,
    Counts,
    NoAccount,
    Recipient,
    StepAction,
    StudyCount,
)
from isocenter.services.user_identity import user_name

if TYPE_CHECKING:
    from isocenter.encoding.elements import Elements
    from isocenter.security.audit.codes import Code
    from isocenter.server.config import Config
    from isocenter.services.provider import ProvidedAssociation
    from isocenter.services.storage_scp import Outcome

MOST_STUDIES = 500
"""Studies that an account counts before it tells of them, however little time has passed."""

NEW, KNOWN = "new", "known"
"""Fates of instances; any other is the reason for which they were refused."""

_FATES = {"STORED": NEW, "QUARANTINED": NEW, "DUPLICATE": KNOWN}


def this_node(config: Config) -> Here:
    """The node as its messages name it."""
    titles = (config.node.ae_title, *config.node.also_known_as)
    return Here(titles, socket.gethostname(), os.getpid())


class AuditDesk:
    """Keeps account of what peers do. For the loop's thread, but for what accounts say."""

    def __init__(self, config: Config) -> None:
        self._recorder = None
        if config.audit.enabled:
            path = config.node.data_directory / AUDIT_FILE
            self._recorder = AuditRecorder(path, this_node(config))
        self._interval = config.audit.interval
        self._accounts: set[AssociationAccount] = set()
        self._timer: asyncio.TimerHandle | None = None

    def open(self, association: ProvidedAssociation, user: str | None = None) -> Account:
        """The account of an association that was accepted; `user` is whom it was verified for."""
        if self._recorder is None:
            return NoAccount()
        return AssociationAccount(self, self._recorder, party_of(association, user))

    def rejected(self, association: ProvidedAssociation, why: str) -> None:
        """An association was rejected for who asked for it, or for what it called."""
        self.alert(codes.NODE_AUTHENTICATION, f"Association rejected: {why}", association)

    def alert(
        self, kind: Code, what: str, association: ProvidedAssociation | None = None, host: str = ""
    ) -> None:
        """Something that whoever watches over security should see; repetitions are counted."""
        if self._recorder is None:
            return
        peer = Party(host=host) if host else None
        if association is not None:
            peer = party_of(association)
        now = time.time()
        event = kinds.security_alert(self._recorder.here, kind, what, now, peer=peer)
        self._recorder.alert(event)

    def authenticated(self, association: ProvidedAssociation, user: str, failure: str = "") -> None:
        """A user identity was verified, or was not for a `failure`."""
        if self._recorder is not None:
            here, party = self._recorder.here, party_of(association, user)
            event = kinds.user_authentication(here, party, time.time(), failure=failure)
            self._recorder.alert(event)

    def vouched_for(self, requester_ae: str, studies: Sequence[StudyCount], failed: int) -> None:
        """Instances were read back for a storage commitment, of which so many failed."""
        if self._recorder is None:
            return
        here, now, who = self._recorder.here, time.time(), Party(requester_ae)
        what = "Storage Commitment"
        failure = f"{failed} instances cannot be committed" if failed else ""

        def events() -> Iterator[Event]:
            for patient, theirs in by_patient(studies, {}):
                yield kinds.accessed(
                    here, who, "R", theirs, patient, now, what=what, failure=failure
                )

        self._recorder.record(events)

    async def stop(self) -> None:
        """Write what is left, once all associations are over."""
        for account in list(self._accounts):
            account.tell()
        if self._timer is not None:
            self._timer.cancel()
        if self._recorder is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._recorder.close)

    def tell_later(self, account: AssociationAccount) -> None:
        """Have an account tell of what it counted, within the interval."""
        self._accounts.add(account)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._interval, self._tell_all)

    def told(self, account: AssociationAccount) -> None:
        """An account has nothing more to tell for now."""
        self._accounts.discard(account)

    def _tell_all(self) -> None:
        self._timer = None
        for account in list(self._accounts):
            account.tell()


class AssociationAccount:
    """What is done on one association; see `services.accounts.Account`."""

    def __init__(self, desk: AuditDesk, recorder: AuditRecorder, peer: Party) -> None:
        self._desk = desk
        self._recorder = recorder
        self._peer = peer
        self._tally = StudyTally()
        self._closed = False

    def received(self, outcome: Outcome) -> None:
        """Count an instance by its study and what became of it."""
        subject = outcome.subject
        if subject is None:  # nothing is known of it but that it was refused
            return
        fate = _FATES.get(outcome.disposition.name) or outcome.reason
        tally = self._tally
        if not tally:
            self._desk.tell_later(self)
        tally.add(subject.header, subject.sop_class_uid, fate)
        if self._closed or len(tally) >= MOST_STUDIES:
            self.tell()

    def tell(self) -> None:
        """Record what was counted, and count anew."""
        self._desk.told(self)
        taken = self._tally.take()
        if not taken:
            return
        here, peer, now = self._recorder.here, self._peer, time.time()

        def events() -> Iterator[Event]:
            for fate, patient, studies in told(taken):
                failure = "" if fate in (NEW, KNOWN) else fate
                yield kinds.received(
                    here, peer, studies, patient, now, known=fate == KNOWN, failure=failure
                )

        self._recorder.record(events)

    def queried(self, asked: AskedFor) -> None:
        """A query, whose identifier is looked into later."""
        here, peer, now = self._recorder.here, self._peer, time.time()
        self._recorder.record(lambda: (kinds.query(here, peer, make_query(*asked), now),))

    def sending(self, recipient: Recipient | None, studies: Sequence[StudyCount]) -> None:
        """The beginning of a retrieve: one event for each patient."""
        here, peer, now = self._recorder.here, self._peer, time.time()
        destination = None if recipient is None else Party(*recipient)

        def events() -> Iterator[Event]:
            for patient, theirs in by_patient(studies, {}):
                yield kinds.begin_sending(here, peer, destination, theirs, patient, now)

        self._recorder.record(events)

    def sent(
        self, recipient: Recipient | None, studies: Sequence[StudyCount], sent: Counts, why: str
    ) -> None:
        """The end of a retrieve: for each patient what went, and what did not."""
        here, peer, now = self._recorder.here, self._peer, time.time()
        destination = None if recipient is None else Party(*recipient)
        unsent = _difference(studies, sent)

        def events() -> Iterator[Event]:
            for patient, theirs in by_patient(studies, unsent):
                yield kinds.sent(here, peer, destination, theirs, patient, now)
            for patient, theirs in by_patient(studies, sent):
                yield kinds.sent(here, peer, destination, theirs, patient, now, failure=why)

        self._recorder.record(events)

    def step(self, action: StepAction, sop_instance_uid: str, attributes: Elements) -> None:
        """What a modality tells of its work is about a patient."""
        here, peer, now = self._recorder.here, self._peer, time.time()

        def events() -> Iterator[Event]:
            studies = step_studies(attributes, sop_instance_uid)
            patient = step_patient(attributes)
            yield kinds.procedure_record(here, peer, action, studies, patient, now)

        self._recorder.record(events)

    def denied(self, what: str) -> None:
        """Something was asked for that this peer may not have."""
        here, peer, now = self._recorder.here, self._peer, time.time()
        alert = kinds.security_alert(here, codes.RESTRICTED_FUNCTION, what, now, peer=peer)
        self._recorder.alert(alert)

    def close(self) -> None:
        """The association is over."""
        self._closed = True
        self.tell()


def party_of(association: ProvidedAssociation, user: str | None = None) -> Party:
    """Who is at the other end: the user is the verified one, or else the one that is claimed."""
    identity = association.user_identity
    if user is None and identity is not None:
        user = user_name(identity)
    return Party(association.calling_ae_title, association.host, user or "")


def by_patient(
    studies: Collection[StudyCount], without: Mapping[tuple[int, str], int]
) -> Iterator[tuple[Patient, list[Study]]]:
    """Studies as messages are about them: of one patient, not too many, less what is `without`."""
    grouped: dict[Patient, list[Study]] = {}
    for one in studies:
        left = [
            (sop_class, count - without.get((one.number, sop_class), 0))
            for sop_class, count in sorted(one.instances.items())
        ]
        counts = tuple((sop_class, count) for sop_class, count in left if count > 0)
        if not counts:
            continue
        patient = Patient(one.patient_id, one.issuer_of_patient_id, one.patient_name)
        study = Study(one.study_instance_uid, counts, one.accession_number)
        grouped.setdefault(patient, []).append(study)
    for patient, theirs in grouped.items():
        for start in range(0, len(theirs), STUDIES_TOGETHER):
            yield patient, theirs[start : start + STUDIES_TOGETHER]


def _difference(studies: Sequence[StudyCount], sent: Counts) -> dict[tuple[int, str], int]:
    """What was selected and not sent."""
    return {
        (one.number, sop_class): count - sent.get((one.number, sop_class), 0)
        for one in studies
        for sop_class, count in one.instances.items()
    }
