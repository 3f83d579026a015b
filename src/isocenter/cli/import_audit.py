"""What an import took in, told to the audit trail: a message for each patient."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from isocenter.cli.local_audit import opened_trail, record, this_person

if TYPE_CHECKING:
    from isocenter.archive.outcome import Outcome
    from isocenter.security.audit.trail import AuditTrail
    from isocenter.server.config import Config

MOST_STUDIES = 1000
"""Studies that are counted before they are told of."""

LONGEST_MEDIUM = 500


@contextmanager
def audited_import(settings: Config, paths: Sequence[Path]) -> Iterator[ImportAudit | None]:
    """What counts what is imported from `paths`; None where there is no audit trail.

    However the import ends, what was taken in until then is told of. Raises AuditUnusable before
    anything is imported.
    """
    if not settings.audit.enabled:
        yield None
        return
    medium = " ".join(path.absolute().as_uri() for path in paths)[:LONGEST_MEDIUM]
    with opened_trail(settings) as trail:
        audit = ImportAudit(settings, trail, medium)
        try:
            yield audit
        finally:
            audit.tell()


class ImportAudit:
    """Counts by study what an import kept; for one thread at a time."""

    def __init__(self, settings: Config, trail: AuditTrail, medium: str) -> None:
        from isocenter.security.audit.tally import StudyTally

        self._settings = settings
        self._trail = trail
        self._medium = medium
        self._tally = StudyTally()

    def count(self, outcome: Outcome) -> None:
        """Count an instance if it was kept. Raises AuditUnavailable."""
        if outcome.kept and outcome.subject is not None:
            self._tally.add(outcome.subject.header, outcome.subject.sop_class_uid, "kept")
            if len(self._tally) >= MOST_STUDIES:
                self.tell()

    def tell(self) -> None:
        """Record what was counted, and count anew. Raises AuditUnavailable."""
        from isocenter.security.audit.kinds import imported
        from isocenter.security.audit.tally import told
        from isocenter.server.audit import this_node

        here, person, now = this_node(self._settings), this_person(), time.time()
        events = [
            imported(here, person, self._medium, studies, patient, now)
            for _, patient, studies in told(self._tally.take())
        ]
        if events:
            record(self._settings, self._trail, events)
