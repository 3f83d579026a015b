"""Functional groups, PS3.3 C.7.6.16: what is said once for all frames, and what for each."""

from __future__ import annotations

from isocenter.dictionary.elements import tag_for_keyword
from isocenter.objects.conditions import GROUP_CONDITIONS
from isocenter.objects.findings import Findings, name_of
from isocenter.objects.instance import Scope
from isocenter.objects.tables import Definition, Usage

SHARED_GROUPS = 0x52009229
PER_FRAME_GROUPS = 0x52009230
NUMBER_OF_FRAMES = 0x00280008

_REFERENCE = "PS3.3 C.7.6.16"


def check_groups(definition: Definition, root: Scope, findings: Findings) -> None:
    """Whether every mandatory group is there, in one of the two places, and once only."""
    shared_items = root.items(SHARED_GROUPS)
    frames = root.items(PER_FRAME_GROUPS)
    shared = set(shared_items[0].elements) if shared_items else set()
    for keyword, usage in definition.groups.items():
        tag = tag_for_keyword(keyword)
        if tag is None:
            continue
        lacking = sum(tag not in frame.elements for frame in frames)
        in_frames = len(frames) - lacking
        if tag in shared and in_frames:
            findings.add(
                "group-twice",
                f"{keyword} is both shared and in {in_frames} frames.",
                path=("SharedFunctionalGroupsSequence", 1, keyword),
                tag=tag,
                reference=_REFERENCE,
            )
        elif tag not in shared and lacking and _is_demanded(keyword, usage, root):
            where = "neither shared nor in any frame" if not in_frames else (
                f"missing in {lacking} of {len(frames)} frames"
            )  # fmt: skip
            findings.add(
                "group-missing",
                f"{keyword}, a functional group that {definition.name} demands, is {where}.",
                path=("PerFrameFunctionalGroupsSequence", keyword),
                tag=tag,
                reference=_REFERENCE,
            )


def _is_demanded(keyword: str, usage: Usage, root: Scope) -> bool:
    if usage != "C":
        return usage == "M"
    condition = GROUP_CONDITIONS.get(keyword)
    return condition is not None and condition(root) is True


def check_frames(root: Scope, findings: Findings) -> None:
    """Whether there are as many per-frame items as frames."""
    frames = root.integer(NUMBER_OF_FRAMES)
    if frames is None or not root.has(PER_FRAME_GROUPS):
        return
    items = len(root.items(PER_FRAME_GROUPS))
    if items != frames:
        findings.add(
            "frame-count",
            f"{name_of(PER_FRAME_GROUPS)} has {items} items for {frames} frames.",
            path=(name_of(PER_FRAME_GROUPS),),
            tag=PER_FRAME_GROUPS,
            reference="PS3.3 C.7.6.16.1.1",
        )
