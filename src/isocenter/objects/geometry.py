"""Positions, orientations and spacings of images: PS3.3 C.7.6.2, 10.7.1.3, and Image Type."""

from __future__ import annotations

from isocenter.objects.findings import Findings, Path, Severity, name_of
from isocenter.objects.instance import Scope

_IMAGE_TYPE, _SOP_CLASS, _BODY = 0x00080008, 0x00080016, 0x00180015
_ORIENTATIONS = (0x00200037, 0x00480102)
_PIXEL_SPACING, _IMAGER_SPACING, _ASPECT = 0x00280030, 0x00181164, 0x00280034
_SPACING_BETWEEN, _THICKNESS = 0x00180088, 0x00180050
_WINDOW_WIDTH, _VOI_FUNCTION = 0x00281051, 0x00281056
_POSITION, _ORIENTATION_CODES = 0x00185100, 0x00540410
_MULTI_FRAME_TAGS = (0x52009229, 0x52009230)

_TOLERANCE = 1e-3
_NEEDS_THREE_VALUES = {
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.4": "MR",
}
# Groups in which an orientation or spacing may stand, each once per frame.
_GROUP_SEQUENCES = (0x00209116, 0x00289110, 0x00289132)  # orientation, measures, VOI LUT

MOST_FRAMES = 200
"""Frames whose geometry is judged."""


def check_geometry(root: Scope, findings: Findings) -> None:
    """Judge what places an image in space, on the top level and in functional groups."""
    _check_image_type(root, findings)
    _check_place(root, findings, ())
    for groups in _MULTI_FRAME_TAGS:
        for number, frame in enumerate(root.items(groups)[:MOST_FRAMES], 1):
            for sequence in _GROUP_SEQUENCES:
                for place, item in enumerate(frame.items(sequence), 1):
                    path: Path = (name_of(groups), number, name_of(sequence), place)
                    _check_place(item, findings, path)
    if root.has_value(_POSITION) and root.has_value(_ORIENTATION_CODES):
        _add(findings, "spacing", _POSITION, "stands beside Patient Orientation Code Sequence", ())


def _check_image_type(root: Scope, findings: Findings) -> None:
    kind = _NEEDS_THREE_VALUES.get(root.value(_SOP_CLASS))
    values = root.values(_IMAGE_TYPE)
    if values and len(values) < 2:
        _add(findings, "image-type", _IMAGE_TYPE, "has fewer than two values", ())
    elif kind is not None and values and len(values) < 3:
        _add(findings, "image-type", _IMAGE_TYPE, f"has no value 3, which {kind} images need", ())


def _check_place(scope: Scope, findings: Findings, path: Path) -> None:
    for tag in _ORIENTATIONS:
        numbers = scope.decimals(tag)
        if len(numbers) == 6:
            _check_orientation(tag, numbers, findings, path)
    if scope.has_value(_ASPECT):
        ratio = scope.values(_ASPECT)
        if any(scope.has_value(tag) for tag in (_PIXEL_SPACING, _IMAGER_SPACING)):
            _add(
                findings, "spacing", _ASPECT, "stands beside a spacing, which says it already", path
            )
        elif len(ratio) == 2 and ratio[0] == ratio[1]:
            _add(findings, "spacing", _ASPECT, "is 1:1, which is not to be said", path)
    for tag in (_PIXEL_SPACING, _IMAGER_SPACING, _THICKNESS, _SPACING_BETWEEN):
        numbers = scope.decimals(tag)
        if any(number < 0 for number in numbers):
            _add(findings, "spacing", tag, "is negative", path, Severity.ERROR)
        elif tag == _PIXEL_SPACING and any(number == 0 for number in numbers):
            _add(findings, "spacing", tag, "is zero", path)
    _check_window(scope, findings, path)


def _check_window(scope: Scope, findings: Findings, path: Path) -> None:
    """PS3.3 C.11.2.1.2.1: a linear window is at least one wide."""
    if scope.value(_VOI_FUNCTION) in ("LINEAR_EXACT", "SIGMOID"):
        return
    if any(width < 1 for width in scope.decimals(_WINDOW_WIDTH)):
        _add(findings, "spacing", _WINDOW_WIDTH, "is less than 1", path, Severity.ERROR)


def _check_orientation(tag: int, numbers: list[float], findings: Findings, path: Path) -> None:
    row, column = numbers[:3], numbers[3:]
    for name, vector in (("row", row), ("column", column)):
        if abs(sum(part * part for part in vector) - 1) > _TOLERANCE:
            _add(findings, "orientation", tag, f"has a {name} vector that is no unit vector", path)
            return
    if abs(sum(a * b for a, b in zip(row, column, strict=True))) > _TOLERANCE:
        _add(findings, "orientation", tag, "has vectors that are not orthogonal", path)


def _add(
    findings: Findings,
    check: str,
    tag: int,
    clause: str,
    path: Path,
    severity: Severity | None = None,
) -> None:
    name = name_of(tag)
    findings.add(check, f"{name} {clause}.", path=(*path, name), tag=tag, severity=severity)
