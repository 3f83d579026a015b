"""Deletions in the audit trail: written before the deletion goes on, or it is tried again later."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from isocenter.archive.layout import AUDIT_FILE
from isocenter.security.audit import kinds
from isocenter.security.audit.chain import draft
from isocenter.security.audit.events import Party, Patient, Study
from isocenter.security.audit.messages import source_name
from isocenter.security.audit.trail import AuditTrail
from isocenter.server.audit import this_node
from isocenter.server.audit_recorder import broken_trail

if TYPE_CHECKING:
    from isocenter.archive.deletion.course import DeletionEvent
    from isocenter.security.audit.events import Event
    from isocenter.server.config import Config


class AuditedDeletions:
    """A `DeletionAudit` that keeps its events in the trail; for one thread. A context manager."""

    def __init__(self, config: Config) -> None:
        self._enabled = config.audit.enabled
        self._here = this_node(config)
        self._trail = AuditTrail(config.node.data_directory / AUDIT_FILE, required=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def on_deleted(self, event: DeletionEvent) -> None:
        """Keep an event durably. Raises AuditUnavailable."""
        if self._enabled:
            source = source_name(self._here.ae_titles, self._here.host)
            self._trail.append(
                [draft(self._event(event), source)],
                lambda what: draft(broken_trail(self._here, what), source),
            )

    def close(self) -> None:
        """Close the trail."""
        self._trail.close()

    def _event(self, event: DeletionEvent) -> Event:
        who, now = Party(user=event.who), time.time()
        studies = [Study(event.study_instance_uid, ())]
        patient = Patient(event.patient_id)
        how = f"{event.what.capitalize()}, {event.instances} instances, by {event.role}"
        reason = f"{how}: {event.reason}"
        if event.what == "restored":
            return kinds.accessed(self._here, who, "U", studies, patient, now, what=reason)
        return kinds.study_deleted(self._here, who, studies, patient, now, reason=reason)
