"""Enumerated values and defined terms, PS3.5 6.3: lists of the tables, and ours where they err."""

from __future__ import annotations

from isocenter.objects.findings import Findings, Path
from isocenter.objects.instance import Scope
from isocenter.objects.structured_reports import VALUE_TYPES
from isocenter.objects.tables import Row, ValueList

QUOTED_IN_FULL = 32
"""Characters of a value that a finding quotes, of elements that hold nothing of the patient."""

_PATIENT_GROUP = 0x0010


def _enumerated(*values: str, number: int = 0) -> tuple[ValueList, ...]:
    return (ValueList(True, number, frozenset(values)),)


def _by_number(*lists: tuple[int, tuple[str, ...]]) -> tuple[ValueList, ...]:
    return tuple(ValueList(True, number, frozenset(values)) for number, values in lists)


_IMAGE_TYPE = _by_number((1, ("ORIGINAL", "DERIVED")), (2, ("PRIMARY", "SECONDARY")))
_YES_NO = _enumerated("YES", "NO")
_NONE: tuple[ValueList, ...] = ()

# (module, or sequence, or "*"; keyword): what the generated lists lack or have otherwise today.
VALUE_LISTS: dict[tuple[str, str], tuple[ValueList, ...]] = {
    ("patient", "PatientSex"): _enumerated("M", "F", "O"),
    ("patient", "PatientIdentityRemoved"): _YES_NO,
    ("patient-study", "SmokingStatus"): _enumerated("YES", "NO", "UNKNOWN"),
    ("general-image", "BurnedInAnnotation"): _YES_NO,
    ("general-image", "LossyImageCompression"): _enumerated("00", "01"),
    ("general-image", "PresentationLUTShape"): _enumerated("IDENTITY", "INVERSE"),
    ("general-image", "ImageType"): _IMAGE_TYPE,
    ("ct-image", "ImageType"): _IMAGE_TYPE,
    ("mr-image", "ImageType"): _IMAGE_TYPE,
    ("image-pixel", "PixelRepresentation"): _enumerated("0", "1"),
    ("image-pixel", "PlanarConfiguration"): _enumerated("0", "1"),
    ("ct-image", "SamplesPerPixel"): _enumerated("1"),
    ("ct-image", "PhotometricInterpretation"): _enumerated("MONOCHROME1", "MONOCHROME2"),
    ("ct-image", "BitsAllocated"): _enumerated("16"),
    ("mr-image", "SamplesPerPixel"): _enumerated("1"),
    ("mr-image", "PhotometricInterpretation"): _enumerated("MONOCHROME1", "MONOCHROME2"),
    ("mr-image", "BitsAllocated"): _enumerated("16"),
    ("general-series", "Laterality"): _enumerated("R", "L"),
    ("general-image", "ImageLaterality"): _enumerated("R", "L", "U", "B"),
    **{
        (owner, "ValueType"): _enumerated(*sorted(VALUE_TYPES))
        for owner in ("sr-document-content", "ContentSequence")
    },
    ("segmentation-image", "SegmentationType"): _enumerated("BINARY", "FRACTIONAL", "LABELMAP"),
    ("segmentation-image", "PhotometricInterpretation"): _enumerated(
        "MONOCHROME2", "PALETTE COLOR"
    ),
}
"""Lists of ours, before those of the tables."""


_NUMERIC_VRS = frozenset({"US", "SS", "UL", "SL"})


def _as_numbers(one: ValueList) -> ValueList:
    """Lists write some numbers with leading zeros: "01" of US is 1."""
    values = frozenset(str(int(v)) if v.isdecimal() else v for v in one.values)
    return one._replace(values=values)


def check_values(
    row: Row, lists: tuple[ValueList, ...], scope: Scope, path: Path, findings: Findings
) -> None:
    """Whether the values of an attribute are among those that its lists name."""
    if scope.elements[row.tag].vr in _NUMERIC_VRS:
        lists = tuple(_as_numbers(one) for one in lists)
    found = scope.values(row.tag)
    for enumerated, number, allowed in lists:
        for place, value in enumerate(found, 1):
            if number and place != number:
                continue
            if not value or value in allowed:
                continue
            quoted = "" if row.tag >> 16 == _PATIENT_GROUP else f" {value[:QUOTED_IN_FULL]!r}"
            known = ", ".join(sorted(allowed)[:12]) + (" ..." if len(allowed) > 12 else "")
            kind = "enumerated values" if enumerated else "defined terms"
            findings.add(
                "enumerated-value" if enumerated else "defined-term",
                f"Value {place} of {row.keyword}{quoted} is none of the {kind}: {known}.",
                path=path,
                tag=row.tag,
            )
