"""Which studies somebody sees, as SQL: those with one of their labels (`security.access.Scope`).

Every statement about patients, studies, series or instances that is run for somebody goes through
here, so that no two services can disagree. The conditions are correlated: they cost one look into
the labels' own index for each study that the rest of a statement comes upon, and never more than
that however many studies have labels.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, FromClause, bindparam, select

from isocenter.archive.index.labels import study_label
from isocenter.archive.index.schema import patient, study

Sees = Callable[[FromClause], ColumnElement[bool]]
"""Whether a row of the given table, `study` or an alias of it, is seen."""

_some_study = study.alias("seen_study")


def seeing(labels: Sequence[Any]) -> Sees:
    """What is seen with these labels: texts, or parameters that stand for them."""

    def sees(studies: FromClause) -> ColumnElement[bool]:
        held = study_label.c.label
        return (
            select(held)
            .where(
                study_label.c.study_uid == studies.c.uid,
                held == labels[0] if len(labels) == 1 else held.in_(labels),
            )
            .correlate(studies)
            .exists()
        )

    return sees


def label_parameters(count: int) -> list[Any]:
    """Parameters for so many labels, by the names that `label_values` gives them."""
    return [bindparam(f"label_{number}", required=False) for number in range(count)]


def label_values(labels: Sequence[str]) -> dict[str, str]:
    """Labels by the names of their parameters."""
    return {f"label_{number}": label for number, label in enumerate(labels)}


def patient_is_seen(sees: Sees) -> ColumnElement[bool]:
    """A patient is seen by whoever sees one of their studies."""
    return (
        select(_some_study.c.id)
        .where(_some_study.c.patient == patient.c.id, sees(_some_study))
        .correlate(patient)
        .exists()
    )
