"""Chapter 6: the keys of the configuration, with what they are set to."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from isocenter.conformance.capabilities import Capabilities
from isocenter.conformance.document.parts import Block, Section, Table, not_applicable, text
from isocenter.conformance.facts import ConfigurationKey

_BY_SERVICE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Basic Worklist Management Service", ("worklist",)),
    ("Modality Performed Procedure Step Service", ()),
    ("Unified Worklist and Procedure Step Service", ()),
    ("Instance Availability Notification Service", ()),
    ("Storage Service", ("storage", "transcoding", "deletion")),
    ("Storage Commitment Service", ("commitment",)),
    ("Query/Retrieve Service Class", ("find", "retrieve")),
    ("Print Management Service", ()),
)
_AUDIT = ("audit",)


def configuration(document: Capabilities) -> Section:
    """Chapter 6; every section of the configuration stands in one of its tables."""
    keys = document.behaviour.configuration
    named = {section for _, sections in _BY_SERVICE for section in sections} | set(_AUDIT)
    general = [key for key in keys if _section(key) not in named]
    return Section(
        "Configuration",
        text(
            "Every key has a default and works without being set. A change takes effect when the "
            "node is started again; one of [peers] does at once."
        ),
        [
            Section("General Configuration Parameters", [_table("General parameters", general)]),
            Section(
                "Configuration of DIMSE Services",
                (),
                [_service(title, sections, keys) for title, sections in _BY_SERVICE],
            ),
            not_applicable("Configuration of DICOM Web Services"),
            not_applicable("Configuration of Media Storage Services"),
            not_applicable("Configuration of Real-Time Video Services"),
            Section(
                "Configuration of Audit Trail - Syslog",
                [_table("Audit trail", _of(keys, _AUDIT))],
            ),
        ],
    )


def _service(title: str, sections: Collection[str], keys: Sequence[ConfigurationKey]) -> Section:
    if not sections:
        return not_applicable(title)
    blocks: list[Block] = [_table(title, _of(keys, sections))]
    return Section(title, blocks)


def _of(keys: Sequence[ConfigurationKey], sections: Collection[str]) -> list[ConfigurationKey]:
    return [key for key in keys if _section(key) in sections]


def _section(key: ConfigurationKey) -> str:
    return key.path.partition(".")[0]


def _table(caption: str, keys: Sequence[ConfigurationKey]) -> Table:
    return Table(
        caption,
        ("Key", "Value", "Default", "Range", "Meaning"),
        [(key.path, key.value or "-", key.default, key.allowed, key.meaning) for key in keys],
    )
