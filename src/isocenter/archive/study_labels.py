"""The access labels of studies: given and taken by whoever runs the node.

A study may have several. Who may see what by them is `security.access.Scope`'s business, and
`archive.query.visibility` applies it.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, delete, select, true
from sqlalchemy.dialects.sqlite import insert

from isocenter.archive.index.interface import ReadableIndex
from isocenter.archive.index.schema import study
from isocenter.archive.index.uids import pack_uid, unpack_uid
from isocenter.errors import IsocenterError
from isocenter.security.access import is_label
from isocenter.security.database import AccessDatabase
from isocenter.security.schema import study_label

_AT_ONCE = 500


class InvalidLabel(IsocenterError, ValueError):
    """A text that cannot be a label."""


class LabelledStudy(NamedTuple):
    """A study and its labels, in the order of the alphabet."""

    study_instance_uid: str
    labels: tuple[str, ...]


class StudyLabels:
    """The labels in an access database. For any thread; each call is a transaction.

    Its calls raise AccessUnavailable where the database does not answer. They know studies by
    their UIDs only: whether there is such a study is the index's business (`unknown_studies`).
    """

    def __init__(self, database: AccessDatabase) -> None:
        self._database = database

    def add(self, label: str, study_uids: Collection[str]) -> int:
        """Give studies a label; return how many did not have it. Raises InvalidLabel."""
        check_label(label)
        with self._database.writing() as connection:
            return sum(
                connection.execute(
                    insert(study_label).on_conflict_do_nothing(),
                    {"study_uid": pack_uid(uid), "label": label},
                ).rowcount
                for uid in study_uids
            )

    def remove(self, label: str, study_uids: Collection[str] | None = None) -> int:
        """Take a label from studies, or from all that have it; return how many had it."""
        with self._database.writing() as connection:
            if study_uids is None:
                return connection.execute(
                    delete(study_label).where(study_label.c.label == label)
                ).rowcount
            return sum(
                connection.execute(
                    delete(study_label).where(
                        study_label.c.study_uid == pack_uid(uid), study_label.c.label == label
                    )
                ).rowcount
                for uid in study_uids
            )

    def list(
        self, *, label: str | None = None, study_uid: str | None = None, limit: int = 1000
    ) -> Sequence[LabelledStudy]:
        """The studies that have labels, at most so many: with all labels of each.

        `label` and `study_uid` narrow them down.
        """
        wanted: ColumnElement[bool] = true()
        if label is not None:
            wanted = and_(wanted, study_label.c.label == label)
        if study_uid is not None:
            wanted = and_(wanted, study_label.c.study_uid == pack_uid(study_uid))
        chosen = select(study_label.c.study_uid).where(wanted).distinct()
        chosen = chosen.order_by(study_label.c.study_uid).limit(limit)
        rows = (
            select(study_label.c.study_uid, study_label.c.label)
            .where(study_label.c.study_uid.in_(chosen))
            .order_by(study_label.c.study_uid, study_label.c.label)
        )
        labels: dict[str, list[str]] = {}
        with self._database.reading() as connection:
            for uid, held in connection.execute(rows):
                labels.setdefault(unpack_uid(uid), []).append(held)
        return [LabelledStudy(uid, tuple(held)) for uid, held in labels.items()]


def check_label(label: str) -> None:
    """Raises InvalidLabel for what cannot be one."""
    if not is_label(label):
        raise InvalidLabel(
            f"{label[:64]!r} cannot be a label; it has up to 64 letters, digits, '-', '_' and '.', "
            "the first a letter or digit."
        )


def unknown_studies(index: ReadableIndex, study_uids: Collection[str]) -> list[str]:
    """Those of some Study Instance UIDs that the index does not know, in their order."""
    known: set[str] = set()
    for some in _batches(study_uids):
        wanted = select(study.c.uid).where(study.c.uid.in_([pack_uid(uid) for uid in some]))
        with index.connect() as connection:
            known.update(map(unpack_uid, connection.execute(wanted).scalars()))
    return [uid for uid in study_uids if uid not in known]


def _batches(study_uids: Collection[str]) -> Iterator[list[str]]:
    rest = iter(study_uids)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
