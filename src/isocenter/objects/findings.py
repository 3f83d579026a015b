"""What a validation says: findings, each under a stable name with its section of the standard.

`CHECKS` is the list of everything that can be found. Its names are an interface: scripts filter by
them, and SARIF calls them rules.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from isocenter.dictionary.elements import format_tag, lookup_element


class Severity(IntEnum):
    """How grave a finding is."""

    NOTE = 1
    """Legal, and worth knowing."""
    WARNING = 2
    """Doubtful, or wrong where no reader minds."""
    ERROR = 3
    """The object is not what the standard says."""


class Check(NamedTuple):
    """One thing that can be found."""

    id: str
    severity: Severity
    section: str
    summary: str


_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE

_ROWS = (
    # The file and its encoding
    ("not-dicom", _E, "PS3.10 7.1", "The file is no DICOM file and no data set."),
    ("too-large", _E, "PS3.10 7", "The file costs more than this validator spends on one."),
    ("preamble-missing", _E, "PS3.10 7.1", "The file begins without preamble and DICM prefix."),
    ("meta-missing", _E, "PS3.10 7.1", "An element of the File Meta Information is missing."),
    ("meta-value", _E, "PS3.10 7.1", "An element of the File Meta Information has a wrong value."),
    ("meta-mismatch", _E, "PS3.10 7.1", "File Meta Information and data set name different UIDs."),
    ("transfer-syntax-unknown", _W, "PS3.6 A", "The transfer syntax is not registered."),
    ("truncated", _E, "PS3.5 7.1", "The data set ends inside an element."),
    ("malformed", _E, "PS3.5 7.5", "The bytes cannot be a data set."),
    ("wrong-form", _E, "PS3.5 7.1", "VRs are explicit where implicit is stated, or the reverse."),
    ("trailing-bytes", _W, "PS3.10 7.2", "Bytes follow the data set that are no element."),
    ("tag-order", _E, "PS3.5 7.1", "Elements do not stand in ascending order."),
    ("tag-twice", _E, "PS3.5 7.1", "An element stands twice in a data set."),
    ("odd-length", _E, "PS3.5 7.1.1", "A value field has an odd length."),
    ("group-length", _N, "PS3.5 7.2", "A group length stands in the data set; these are retired."),
    ("vr-unknown", _E, "PS3.5 6.2", "An element has a VR that is none."),
    ("vr-differs", _W, "PS3.6 6", "An element has another VR than PS3.6 gives it."),
    ("private-without-creator", _W, "PS3.5 7.8.1", "A private element has no private creator."),
    ("unknown-element", _W, "PS3.6 6", "An element of an even group is not in PS3.6."),
    ("retired-element", _N, "PS3.6 6", "An element is retired."),
    # Values
    ("value-multiplicity", _E, "PS3.6 6", "An element has more or fewer values than it may have."),
    ("value-length", _E, "PS3.5 6.2", "A value is longer than its VR allows."),
    ("value-characters", _E, "PS3.5 6.2", "A value holds characters that its VR does not allow."),
    ("value-form", _E, "PS3.5 6.2", "A value has not the form of its VR."),
    ("value-range", _E, "PS3.5 6.2", "A value lies outside of its VR's range."),
    ("enumerated-value", _E, "PS3.5 6.3", "A value is none of the enumerated ones."),
    ("defined-term", _N, "PS3.5 6.3", "A value is none of the defined terms."),
    ("character-set", _E, "PS3.3 C.12.1.1.2", "Text does not follow Specific Character Set."),
    # Modules and attributes
    ("sop-class-missing", _E, "PS3.3 C.12.1", "The data set names no SOP class."),
    ("sop-class-unknown", _W, "PS3.4 B.5", "No IOD of PS3.3 is known for the SOP class."),
    ("type1-missing", _E, "PS3.5 7.4.1", "A type 1 attribute is missing."),
    ("type1-empty", _E, "PS3.5 7.4.1", "A type 1 attribute is empty."),
    ("type2-missing", _E, "PS3.5 7.4.3", "A type 2 attribute is missing."),
    ("type1c-missing", _E, "PS3.5 7.4.2", "A type 1C attribute is missing and its condition met."),
    ("type1c-empty", _E, "PS3.5 7.4.2", "A type 1C attribute is present and empty."),
    ("type2c-missing", _E, "PS3.5 7.4.4", "A type 2C attribute is missing, its condition met."),
    ("condition-unmet", _W, "PS3.5 7.4.2", "An attribute is there, its condition unmet."),
    ("module-missing", _E, "PS3.3 A.1.3", "A module is missing whose condition is met."),
    ("group-missing", _E, "PS3.3 C.7.6.16", "A mandatory functional group is missing."),
    ("group-twice", _E, "PS3.3 C.7.6.16", "A functional group is both shared and per frame."),
    ("group-unknown", _N, "PS3.3 C.7.6.16", "A functional group is not one of the IOD's."),
    ("attribute-extra", _N, "PS3.4 B.3.1", "An attribute is in no module of the IOD."),
    # Attributes beside each other
    ("bits", _E, "PS3.3 C.7.6.3.1.1", "Bits Allocated, Bits Stored, High Bit do not fit together."),
    ("pixel-description", _E, "PS3.3 C.7.6.3", "The pixel description contradicts itself."),
    ("pixel-length", _E, "PS3.5 8.1.1", "Pixel Data is not as long as its description says."),
    ("pixel-vr", _E, "PS3.5 A.4", "Pixel Data has not the VR of its transfer syntax."),
    ("pixel-fragments", _E, "PS3.5 A.4", "The fragments of Pixel Data do not make up the frames."),
    ("palette", _E, "PS3.3 C.7.6.3.1.5", "A palette's data is not as long as its descriptor says."),
    ("spacing", _W, "PS3.3 10.7.1.3", "Spacing attributes contradict each other."),
    ("orientation", _E, "PS3.3 C.7.6.2.1.1", "Orientation vectors are not orthogonal units."),
    ("image-type", _E, "PS3.3 C.7.6.1.1.2", "Image Type has not the values that its IOD demands."),
    ("uid-same", _E, "PS3.5 9", "Two attributes that name different things have the same UID."),
    ("frame-count", _E, "PS3.3 C.7.6.16.1.1", "Number of Frames contradicts the frames."),
    ("dimension", _E, "PS3.3 C.7.6.17", "Dimension indices do not match their declaration."),
    ("segment", _E, "PS3.3 C.8.20", "Segments are not numbered or referred to as they must be."),
    ("sr-content", _E, "PS3.3 C.17.3", "The content tree breaks a rule."),
    ("sr-evidence", _E, "PS3.3 C.17.2.3", "No evidence list names a referenced instance."),
    ("rt-reference", _E, "PS3.3 C.8.8", "A number refers to nothing in the RT object."),
    ("reference", _E, "PS3.3 10.3", "A reference to an instance is malformed."),
    ("date-order", _W, "PS3.3 C.7", "Dates contradict each other."),
    # Several instances
    ("instance-twice", _E, "PS3.5 9", "Two instances have the same SOP Instance UID."),
    ("study-differs", _E, "PS3.3 A.1.2", "Instances differ in the patient or study."),
    ("series-differs", _E, "PS3.3 A.1.2", "Instances of a series differ in the series."),
    ("series-in-two-studies", _E, "PS3.3 A.1.2", "A series lies in two studies."),
    ("frame-of-reference-differs", _W, "PS3.3 C.7.4.1", "A series has two frames of reference."),
    # The validation itself
    ("not-judged", _N, "PS3.3", "The validation stopped before everything was judged."),
)  # fmt: skip

CHECKS: dict[str, Check] = {row[0]: Check(*row) for row in _ROWS}
"""Every check by its id."""


class Finding(NamedTuple):
    """One thing that was found, in a sentence without the patient's data."""

    check: str
    severity: Severity
    path: str
    """Keywords from the data set down, items numbered from 1: "ContentSequence[2].TextValue"."""
    tag: str
    """The attribute's tag, "(0010,0010)"; "" where the finding is about no single attribute."""
    text: str
    reference: str
    """Section or table of the standard."""


Path = tuple["str | int", ...]
"""Keywords and numbers of items, from the data set down."""


def path_text(path: Path) -> str:
    """A path as people write it: "PixelMeasuresSequence[1].PixelSpacing"."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


@lru_cache(maxsize=8192)
def name_of(tag: int) -> str:
    """The keyword of a tag, the tag itself where it has none."""
    entry = lookup_element(tag)
    return (entry.keyword if entry else "") or format_tag(tag)


MOST_FINDINGS = 1000
"""Findings of one instance; the rest is counted only."""

MOST_ALIKE = 20
"""Findings of the same check on the same attribute, in the items of long sequences."""


class Findings:
    """The findings of one instance as they come, each once, bounded in number."""

    def __init__(self) -> None:
        self.found: list[Finding] = []
        self.left_out = 0
        self._seen: set[tuple[str, str]] = set()
        self._alike: dict[tuple[str, str], int] = {}

    def add(
        self,
        check: str,
        text: str,
        *,
        path: Path = (),
        tag: int | None = None,
        reference: str = "",
        severity: Severity | None = None,
    ) -> None:
        """Note a finding; `text` is a sentence, `path` leads to the attribute `tag`."""
        known = CHECKS[check]
        where = path_text(path)
        if (check, where) in self._seen and where:
            return
        attribute = format_tag(tag) if tag is not None else ""
        alike = self._alike.get((check, attribute), 0)
        if len(self.found) >= MOST_FINDINGS or (attribute and alike >= MOST_ALIKE):
            self.left_out += 1
            return
        self._seen.add((check, where))
        self._alike[check, attribute] = alike + 1
        self.found.append(
            Finding(
                check,
                known.severity if severity is None else severity,
                where,
                attribute,
                text,
                reference or known.section,
            )
        )

    def result(self) -> list[Finding]:
        """All findings, the gravest first, and a note about those that were left out."""
        found = sorted(self.found, key=lambda finding: (-finding.severity, finding.path))
        if self.left_out:
            check = CHECKS["not-judged"]
            found.append(
                Finding(
                    check.id,
                    check.severity,
                    "",
                    "",
                    f"{self.left_out:,} more findings of the same kinds are not listed.",
                    check.section,
                )
            )
        return found
