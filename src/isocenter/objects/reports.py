"""Findings for programs: JSON, and SARIF 2.1.0 as code scanners and editors read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from isocenter.objects.findings import CHECKS, Finding, Severity
from isocenter.objects.study import StudyFinding
from isocenter.objects.tables import edition
from isocenter.objects.validator import InstanceReport

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}
SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

Json = dict[str, Any]


def finding_json(finding: Finding) -> Json:
    """One finding."""
    return {**finding._asdict(), "severity": _LEVELS[finding.severity]}


def report_json(report: InstanceReport, lowest: Severity = Severity.NOTE) -> Json:
    """One instance with its findings of at least `lowest`."""
    return {
        "source": report.source,
        "sop_class_uid": report.sop_class_uid,
        "sop_instance_uid": report.sop_instance_uid,
        "iod": report.iod,
        "findings": [finding_json(one) for one in report.findings if one.severity >= lowest],
    }


def validation_json(
    reports: Iterable[InstanceReport],
    across: Iterable[StudyFinding],
    lowest: Severity = Severity.NOTE,
) -> Json:
    """A whole validation: every instance, what was found across them, and how much of it."""
    instances = [report_json(report, lowest) for report in reports]
    between = [
        {"source": one.source, **finding_json(one.finding)}
        for one in across
        if one.finding.severity >= lowest
    ]
    counts = Counter(finding["severity"] for one in instances for finding in one["findings"])
    counts.update(finding["severity"] for finding in between)
    return {
        "edition": edition(),
        "instances": instances,
        "across_instances": between,
        "counts": {level: counts.get(level, 0) for level in ("error", "warning", "note")},
    }


def validation_sarif(
    reports: Iterable[InstanceReport],
    across: Iterable[StudyFinding],
    version: str,
    lowest: Severity = Severity.NOTE,
) -> Json:
    """The same as a SARIF 2.1.0 log with one run; `version` is Isocenter's."""
    order = {check: number for number, check in enumerate(CHECKS)}
    found = [(report.source, finding) for report in reports for finding in report.findings]
    found += [(one.source, one.finding) for one in across]
    return {
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "Isocenter",
                        "version": version,
                        "rules": [
                            {
                                "id": check.id,
                                "shortDescription": {"text": check.summary},
                                "help": {"text": f"{check.section}, DICOM {edition()}"},
                                "defaultConfiguration": {"level": _LEVELS[check.severity]},
                            }
                            for check in CHECKS.values()
                        ],
                    }
                },
                "results": [
                    _result(source, finding, order)
                    for source, finding in found
                    if finding.severity >= lowest
                ],
            }
        ],
    }


def _result(source: str, finding: Finding, order: dict[str, int]) -> Json:
    location: Json = {"physicalLocation": {"artifactLocation": {"uri": quote(source)}}}
    if finding.path:
        location["logicalLocations"] = [
            {"fullyQualifiedName": finding.path, "name": finding.path.rpartition(".")[2]}
        ]
    return {
        "ruleId": finding.check,
        "ruleIndex": order[finding.check],
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.text} ({finding.reference})"},
        "locations": [location],
    }
