"""What a probe has to say beside its tables: sentences with an identifier, and the evidence."""

from __future__ import annotations

from isocenter.conformance.capabilities import Finding
from isocenter.conformance.probe.calling import Answer, Outcome

_UNUSABLE: dict[Outcome, tuple[str, str]] = {
    "rejected": ("association-rejected", "The peer rejects every association of ours."),
    "aborted": ("association-aborted", "The peer aborts instead of answering."),
    "hung up": ("connection-closed", "The peer closes the connection instead of answering."),
    "silent": ("no-answer", "The peer takes the connection and never answers."),
    "unreachable": ("no-connection", "There is no connection to the peer."),
    "not DICOM": ("not-dicom", "The peer does not speak the DICOM upper layer."),
}

MOST_EVIDENCE = 1000
"""Characters of a peer's words that are kept."""


class Findings:
    """Collects findings, each text once."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, str], Finding] = {}

    def note(self, identifier: str, text: str, evidence: str = "") -> None:
        """Something worth knowing."""
        self._add(Finding(id=identifier, severity="note", text=text, evidence=_cut(evidence)))

    def warn(self, identifier: str, text: str, evidence: str = "") -> None:
        """Something that may do harm."""
        self._add(Finding(id=identifier, severity="warning", text=text, evidence=_cut(evidence)))

    def fail(self, identifier: str, text: str, evidence: str = "") -> None:
        """Something that is wrong, or ended the probe."""
        self._add(Finding(id=identifier, severity="error", text=text, evidence=_cut(evidence)))

    def unusable(self, answer: Answer) -> None:
        """There was no association at all."""
        identifier, text = _UNUSABLE[answer.outcome]
        self.fail(identifier, text, answer.text)

    def all(self) -> tuple[Finding, ...]:
        """In the order in which they were made."""
        return tuple(self._all.values())

    def _add(self, finding: Finding) -> None:
        self._all.setdefault((finding.id, finding.text), finding)


def _cut(evidence: str) -> str:
    return evidence if len(evidence) <= MOST_EVIDENCE else evidence[:MOST_EVIDENCE] + " ..."
