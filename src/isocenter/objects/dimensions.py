"""Dimensions and segments of many-framed objects: PS3.3 C.7.6.17, C.8.20."""

from __future__ import annotations

from isocenter.objects.findings import Findings, Path, name_of
from isocenter.objects.functional_groups import PER_FRAME_GROUPS, SHARED_GROUPS
from isocenter.objects.instance import Scope

_DIMENSIONS, _FRAME_CONTENT, _INDEX_VALUES = 0x00209222, 0x00209111, 0x00209157
_ORGANIZATIONS, _ORGANIZATION_UID = 0x00209221, 0x00209164
_SEGMENTS, _SEGMENT_NUMBER, _SEGMENTATION_TYPE = 0x00620002, 0x00620004, 0x00620001
_SEGMENT_IDENTIFICATION, _REFERENCED_SEGMENT = 0x0062000A, 0x0062000B

_REFERENCE = "PS3.3 C.7.6.17"


def check_dimensions(root: Scope, findings: Findings) -> None:
    """Whether every frame has as many index values as there are dimensions, and known ones."""
    dimensions = root.items(_DIMENSIONS)
    organizations = {item.value(_ORGANIZATION_UID) for item in root.items(_ORGANIZATIONS)}
    for number, item in enumerate(dimensions, 1):
        uid = item.value(_ORGANIZATION_UID)
        if uid and organizations and uid not in organizations:
            findings.add(
                "dimension",
                "A dimension belongs to an organization that is not declared.",
                path=(name_of(_DIMENSIONS), number, name_of(_ORGANIZATION_UID)),
                tag=_ORGANIZATION_UID,
                reference=_REFERENCE,
            )
    if not dimensions:
        return
    for number, frame in enumerate(root.items(PER_FRAME_GROUPS), 1):
        for content in frame.items(_FRAME_CONTENT)[:1]:
            count = len(content.values(_INDEX_VALUES))
            if count and count != len(dimensions):
                findings.add(
                    "dimension",
                    f"A frame has {count} index values for {len(dimensions)} dimensions.",
                    path=(name_of(PER_FRAME_GROUPS), number, "FrameContentSequence", 1),
                    tag=_INDEX_VALUES,
                    reference=_REFERENCE,
                )


def check_segments(root: Scope, findings: Findings) -> None:
    """Whether segments are numbered from 1 without gaps, and every reference finds one."""
    segments = root.items(_SEGMENTS)
    if not segments:
        return
    numbers = [item.integer(_SEGMENT_NUMBER) for item in segments]
    known = {number for number in numbers if number is not None}
    # PS3.3 C.8.20.2: a label map's numbers are its pixel values, which may have gaps.
    if root.value(_SEGMENTATION_TYPE) != "LABELMAP" and numbers != list(range(1, len(numbers) + 1)):
        findings.add(
            "segment",
            "Segments are not numbered from 1 in steps of 1.",
            path=(name_of(_SEGMENTS),),
            tag=_SEGMENTS,
        )
    elif len(known) != len(segments):
        findings.add(
            "segment",
            "Two segments have the same number, or one has none.",
            path=(name_of(_SEGMENTS),),
            tag=_SEGMENTS,
        )
    for groups in (SHARED_GROUPS, PER_FRAME_GROUPS):
        for number, frame in enumerate(root.items(groups), 1):
            for place, item in enumerate(frame.items(_SEGMENT_IDENTIFICATION), 1):
                wanted = item.integer(_REFERENCED_SEGMENT)
                if wanted is not None and wanted not in known:
                    path: Path = (name_of(groups), number, name_of(_SEGMENT_IDENTIFICATION), place)
                    findings.add(
                        "segment",
                        f"A frame refers to segment {wanted}, which is not there.",
                        path=(*path, name_of(_REFERENCED_SEGMENT)),
                        tag=_REFERENCED_SEGMENT,
                    )
