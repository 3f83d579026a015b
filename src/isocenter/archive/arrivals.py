"""What has arrived since an instance that the index numbered, by series.

Nothing on the way in takes part in this: instances are numbered in the order of commits, so
whoever wants to know what is new asks from where it stopped.
"""

from array import array
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from isocenter.archive.index.errors import IndexUnavailable
from isocenter.archive.index.schema import instance, series, study
from isocenter.archive.index.uids import pack_uid, unpack_uid
from isocenter.archive.query.engine import Queryable
from isocenter.archive.retrieve import Selection


class Arrival(NamedTuple):
    """New instances of a series, by the numbers of the first and the last of them."""

    study_instance_uid: str
    series_instance_uid: str
    first: int
    last: int


def newest_instance(index: Queryable) -> int:
    """The number of the newest instance, 0 where there is none. Raises IndexUnavailable."""
    try:
        with index.connect() as connection:
            newest: int | None = connection.execute(select(func.max(instance.c.id))).scalar()
    except DBAPIError as error:
        raise IndexUnavailable(f"The index could not be read: {error.orig}.") from error
    return newest or 0


def arrivals_since(index: Queryable, number: int) -> list[Arrival]:
    """The series of all instances after `number`. Raises IndexUnavailable."""
    new = (
        select(
            instance.c.series.label("series"),
            func.min(instance.c.id).label("first"),
            func.max(instance.c.id).label("last"),
        )
        .where(instance.c.id > number)
        .group_by(instance.c.series)
        .subquery()
    )
    named = (
        select(study.c.uid, series.c.uid, new.c.first, new.c.last)
        .join_from(new, series, series.c.id == new.c.series)
        .join(study, study.c.id == series.c.study)
    )
    try:
        with index.connect() as connection:
            rows = connection.execute(named).all()
    except DBAPIError as error:
        raise IndexUnavailable(f"The index could not be read: {error.orig}.") from error
    return [Arrival(unpack_uid(row[0]), unpack_uid(row[1]), row[2], row[3]) for row in rows]


def instances_of_series(
    index: Queryable, study_uid: str, series_uid: str, after: int, upto: int
) -> Selection:
    """The instances of a series with numbers beyond `after`, up to `upto`.

    Raises IndexUnavailable.
    """
    numbers = (
        select(instance.c.id)
        .join_from(instance, series, instance.c.series == series.c.id)
        .join(study, study.c.id == series.c.study)
        .where(
            study.c.uid == pack_uid(study_uid),
            series.c.uid == pack_uid(series_uid),
            instance.c.id > after,
            instance.c.id <= upto,
        )
        .order_by(instance.c.pack, instance.c.offset)
    )
    try:
        with index.connect() as connection:
            found = array("q", connection.execute(numbers).scalars())
    except DBAPIError as error:
        raise IndexUnavailable(f"The index could not be read: {error.orig}.") from error
    return Selection(index, found, (), ())
