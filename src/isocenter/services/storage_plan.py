"""Sorting files into presentation contexts and associations (PS3.8 9.3.2.2, PS3.4 B.3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from isocenter.encoding.files import StorableFile
from isocenter.services.association import MAX_CONTEXTS

Context = tuple[str, tuple[str, ...]]


@dataclass(slots=True)
class AssociationPlan:
    """Files that fit one association, and the contexts it must propose for them."""

    contexts: list[Context] = field(default_factory=list)
    files: list[StorableFile] = field(default_factory=list)


def plan_associations(files: Iterable[StorableFile]) -> list[AssociationPlan]:
    """One context per SOP class and transfer syntax; more than 128 of them, more associations.

    A context of its own for every transfer syntax is what lets the peer accept each as it is: of
    several in one context it would choose a single one. The order of files is kept inside a plan.
    """
    plans: list[AssociationPlan] = []
    plan_of: dict[tuple[str, str], AssociationPlan] = {}
    for file in files:
        key = (file.sop_class_uid, file.transfer_syntax_uid)
        plan = plan_of.get(key)
        if plan is None:
            if not plans or len(plans[-1].contexts) == MAX_CONTEXTS:
                plans.append(AssociationPlan())
            plan = plan_of[key] = plans[-1]
            plan.contexts.append((file.sop_class_uid, (file.transfer_syntax_uid,)))
        plan.files.append(file)
    return plans
