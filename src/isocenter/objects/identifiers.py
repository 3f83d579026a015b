"""UIDs beside each other, references to other instances, and dates in their order."""

from __future__ import annotations

from itertools import combinations

from isocenter.objects.findings import Findings, Path, name_of
from isocenter.objects.instance import Scope

_DISTINCT = (0x0020000D, 0x0020000E, 0x00080018, 0x00200052)
"""Study, series, instance, frame of reference: four things, four UIDs."""

_REFERENCED_CLASS, _REFERENCED_INSTANCE = 0x00081150, 0x00081155
_REFERENCED_FRAME = 0x00081160
_BIRTH_DATE = 0x00100030
_DATES = (0x00080020, 0x00080021, 0x00080022, 0x00080023)

_SINGLE_FRAME = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.1",
        "1.2.840.10008.5.1.4.1.1.2",
        "1.2.840.10008.5.1.4.1.1.4",
        "1.2.840.10008.5.1.4.1.1.6.1",
        "1.2.840.10008.5.1.4.1.1.7",
        "1.2.840.10008.5.1.4.1.1.128",
    }
)
"""CR, CT, MR, US, SC, PET: classes whose images have one frame."""

_SOP_CLASS, _FRAMES = 0x00080016, 0x00280008

MOST_DEPTH = 16


def check_identifiers(root: Scope, findings: Findings) -> None:
    """Judge the instance's own UIDs, every reference in it, and its dates."""
    values = {tag: root.value(tag) for tag in _DISTINCT}
    for one, other in combinations(_DISTINCT, 2):
        if values[one] and values[one] == values[other]:
            findings.add(
                "uid-same",
                f"{name_of(one)} and {name_of(other)} are the same UID.",
                path=(name_of(other),),
                tag=other,
            )
    frames = root.integer(_FRAMES)
    if root.value(_SOP_CLASS) in _SINGLE_FRAME and frames is not None and frames != 1:
        findings.add(
            "frame-count",
            f"NumberOfFrames is {frames} in an object of a single-frame SOP class.",
            path=("NumberOfFrames",),
            tag=_FRAMES,
        )
    _check_references(root, findings, ())
    _check_dates(root, findings)


def _check_references(scope: Scope, findings: Findings, path: Path) -> None:
    referenced = scope.value(_REFERENCED_CLASS)
    if referenced in _SINGLE_FRAME and scope.has_value(_REFERENCED_FRAME):
        findings.add(
            "reference",
            "ReferencedFrameNumber stands in a reference to an image of one frame.",
            path=(*path, "ReferencedFrameNumber"),
            tag=_REFERENCED_FRAME,
        )
    if len(path) > 2 * MOST_DEPTH:
        return
    for tag, element in scope.elements.items():
        if isinstance(element.value, list) and not tag >> 16 & 1:
            for number, item in enumerate(scope.items(tag), 1):
                _check_references(item, findings, (*path, name_of(tag), number))


def _check_dates(root: Scope, findings: Findings) -> None:
    born = root.value(_BIRTH_DATE)
    for tag in _DATES:
        value = root.value(tag)
        if len(born) == len(value) == 8 and born.isdecimal() and value < born:
            findings.add(
                "date-order",
                f"{name_of(tag)} lies before PatientBirthDate.",
                path=(name_of(tag),),
                tag=tag,
            )
