"""Instances beside each other: one patient in a study, one modality in a series (PS3.3 A.1.2)."""

from __future__ import annotations

from typing import NamedTuple

from isocenter.dictionary.elements import format_tag
from isocenter.objects.findings import CHECKS, Finding, name_of
from isocenter.objects.tables import definition_of
from isocenter.objects.validator import InstanceReport

_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
_FRAME_OF_REFERENCE = 0x00200052

# Attributes of the patient and the study, then of the series: the same in all their instances.
_OF_STUDY = (
    *(0x00100010, 0x00100020, 0x00100030, 0x00100040),
    *(0x00080020, 0x00080030, 0x00080050, 0x00200010),
)
_OF_SERIES = (0x00080060, 0x00200011, 0x00080070)

MOST_INSTANCES = 1_000_000
"""Instances that are remembered to be told apart."""


class StudyFinding(NamedTuple):
    """A finding about an instance in the light of those before it."""

    source: str
    finding: Finding


class StudyChecker:
    """Compares instances with the first one of their study and of their series.

    It remembers the values of one instance for each study and series, and every SOP Instance UID.
    """

    def __init__(self) -> None:
        self._studies: dict[str, dict[int, str]] = {}
        self._series: dict[str, tuple[str, dict[int, str]]] = {}
        self._instances: set[str] = set()
        self._told: set[tuple[str, str, int]] = set()

    def compare(self, report: InstanceReport) -> list[StudyFinding]:
        """What is wrong with an instance beside those seen before; each kind once per series."""
        facts = report.facts
        study, series, instance = (facts.get(tag, "") for tag in (_STUDY, _SERIES, _SOP_INSTANCE))
        found: list[Finding] = []
        if instance:
            if instance in self._instances:
                found.append(
                    _finding("instance-twice", _SOP_INSTANCE, "is that of another instance")
                )
            elif len(self._instances) < MOST_INSTANCES:
                self._instances.add(instance)
        if study:
            first = self._studies.setdefault(study, facts)
            found += self._differences("study-differs", study, _OF_STUDY, first, facts)
        if series:
            its_study, first = self._series.setdefault(series, (study, facts))
            if its_study != study and self._once("series-in-two-studies", series, _SERIES):
                found.append(_finding("series-in-two-studies", _SERIES, "is in another study, too"))
            found += self._differences("series-differs", series, _OF_SERIES, first, facts)
            if _has_one_frame_of_reference(facts):
                found += self._differences(
                    "frame-of-reference-differs", series, (_FRAME_OF_REFERENCE,), first, facts
                )
        return [StudyFinding(report.source, finding) for finding in found]

    def _differences(
        self,
        check: str,
        whose: str,
        tags: tuple[int, ...],
        first: dict[int, str],
        now: dict[int, str],
    ) -> list[Finding]:
        return [
            _finding(check, tag, "is another than in the instances before")
            for tag in tags
            if first.get(tag, "") != now.get(tag, "") and self._once(check, whose, tag)
        ]

    def _once(self, check: str, whose: str, tag: int) -> bool:
        if (check, whose, tag) in self._told:
            return False
        self._told.add((check, whose, tag))
        return True


def _has_one_frame_of_reference(facts: dict[int, str]) -> bool:
    """Whether the IOD has the Frame of Reference module as mandatory: then a series has one."""
    definition = definition_of(facts.get(_SOP_CLASS, ""))
    return definition is not None and ("frame-of-reference", "M") in definition.modules


def _finding(check: str, tag: int, clause: str) -> Finding:
    known, name = CHECKS[check], name_of(tag)
    return Finding(check, known.severity, name, format_tag(tag), f"{name} {clause}.", known.section)
