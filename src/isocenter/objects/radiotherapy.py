"""Numbers that refer to each other inside RT objects: PS3.3 C.8.8."""

from __future__ import annotations

from typing import NamedTuple

from isocenter.objects.findings import Findings, Path, name_of
from isocenter.objects.instance import Scope

MOST_DEPTH = 12


class _Link(NamedTuple):
    """A number inside `where` that must be one of those that `declared` has in `number`."""

    where: int
    reference: int
    declared: int
    number: int


_LINKS = (
    # RT Structure Set: contours and observations of regions of interest
    _Link(0x30060039, 0x30060084, 0x30060020, 0x30060022),
    _Link(0x30060080, 0x30060084, 0x30060020, 0x30060022),
    # RT Plan: fraction groups to beams and brachy setups, beams to patient setups and devices
    _Link(0x300A0070, 0x300C0006, 0x300A00B0, 0x300A00C0),
    _Link(0x300A0070, 0x300C000C, 0x300A0230, 0x300A0234),
    _Link(0x300A00B0, 0x300C006A, 0x300A0180, 0x300A0182),
    _Link(0x300A00B0, 0x300C0051, 0x300A0010, 0x300A0012),
    # RT Ion Plan
    _Link(0x300A0070, 0x300C0006, 0x300A03A2, 0x300A00C0),
    _Link(0x300A03A2, 0x300C006A, 0x300A0180, 0x300A0182),
)
_BEAM_SEQUENCES = frozenset({0x300A00B0, 0x300A03A2})
_CONTROL_POINTS = {0x300A00B0: 0x300A0111, 0x300A03A2: 0x300A03A8}
_NUMBER_OF_CONTROL_POINTS, _CONTROL_POINT_INDEX = 0x300A0110, 0x300A0112
_CONTOURS, _ROI_CONTOURS = 0x30060040, 0x30060039
_POINTS, _CONTOUR_DATA = 0x30060046, 0x30060050
_GRID_OFFSETS, _FRAMES = 0x3004000C, 0x00280008


def check_references(root: Scope, findings: Findings) -> None:
    """Judge every link of RT objects; what has none of these sequences passes at once."""
    declared_tags = {link.declared for link in _LINKS} & root.elements.keys()
    for link in _LINKS:
        if link.where not in root.elements:
            continue
        alternatives = [one.declared for one in _LINKS if (one.where, one.reference) == link[:2]]
        if link.declared not in declared_tags and declared_tags & set(alternatives):
            continue  # a photon plan has no ion beams, and the reverse
        known = {item.integer(link.number) for item in root.items(link.declared)}
        for number, item in enumerate(root.items(link.where), 1):
            _search(item, link, known, findings, (name_of(link.where), number))
    _check_control_points(root, findings)
    _check_contours(root, findings)
    offsets, frames = root.values(_GRID_OFFSETS), root.integer(_FRAMES)
    if offsets and frames is not None and len(offsets) != frames:
        findings.add(
            "frame-count",
            f"GridFrameOffsetVector has {len(offsets)} values for {frames} frames.",
            path=(name_of(_GRID_OFFSETS),),
            tag=_GRID_OFFSETS,
            reference="PS3.3 C.8.8.3.2",
        )


def _search(
    scope: Scope, link: _Link, known: set[int | None], findings: Findings, path: Path
) -> None:
    number = scope.integer(link.reference)
    if number is not None and number not in known:
        name = name_of(link.reference)
        findings.add(
            "rt-reference",
            f"{name} is {number}, which {name_of(link.declared)} does not have.",
            path=(*path, name),
            tag=link.reference,
        )
    if len(path) > 2 * MOST_DEPTH:
        return
    for tag, element in scope.elements.items():
        if isinstance(element.value, list):
            for place, item in enumerate(scope.items(tag), 1):
                _search(item, link, known, findings, (*path, name_of(tag), place))


def _check_control_points(root: Scope, findings: Findings) -> None:
    for beams in _BEAM_SEQUENCES & root.elements.keys():
        for number, beam in enumerate(root.items(beams), 1):
            points = beam.items(_CONTROL_POINTS[beams])
            stated = beam.integer(_NUMBER_OF_CONTROL_POINTS)
            path: Path = (name_of(beams), number)
            if stated is not None and stated != len(points):
                findings.add(
                    "rt-reference",
                    f"NumberOfControlPoints is {stated}, and {len(points)} are there.",
                    path=(*path, name_of(_NUMBER_OF_CONTROL_POINTS)),
                    tag=_NUMBER_OF_CONTROL_POINTS,
                )
            indices = [point.integer(_CONTROL_POINT_INDEX) for point in points]
            if None not in indices and indices != list(range(len(indices))):
                findings.add(
                    "rt-reference",
                    "Control points are not numbered from 0 in steps of 1.",
                    path=(*path, name_of(_CONTROL_POINTS[beams])),
                    tag=_CONTROL_POINT_INDEX,
                )


def _check_contours(root: Scope, findings: Findings) -> None:
    for number, region in enumerate(root.items(_ROI_CONTOURS), 1):
        for place, contour in enumerate(region.items(_CONTOURS), 1):
            element = contour.elements.get(_CONTOUR_DATA)
            if element is None or not isinstance(element.value, bytes):
                continue
            count = element.value.count(b"\\") + 1 if element.value.strip() else 0
            points = contour.integer(_POINTS)
            if count % 3 or (points is not None and points * 3 != count):
                findings.add(
                    "rt-reference",
                    f"ContourData has {count} numbers for {points} points.",
                    path=(name_of(_ROI_CONTOURS), number, name_of(_CONTOURS), place),
                    tag=_CONTOUR_DATA,
                    reference="PS3.3 C.8.8.6",
                )
