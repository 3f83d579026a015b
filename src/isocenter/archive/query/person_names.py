"""PN matching on comparable keys: no case, no accents, each component group by itself."""

import re
from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    column,
    false,
    literal_column,
    or_,
    select,
    table,
    union_all,
)

from isocenter.archive.index.schema import patient, patient_name_group, person
from isocenter.archive.names import person_name_keys
from isocenter.archive.query.criteria import AnyOf
from isocenter.archive.query.patterns import SQLiteText, TextMatching, literal_prefix

_TRIGRAM = 3
_MAX_TRIGRAMS = 16  # more do not narrow the candidates any further

_trigrams = table("patient_name_trigram", column("rowid"))
_WILDCARDS = re.compile(r"[*?]+")

_Ids = Select[tuple[int]]


def patient_named(criterion: AnyOf, text: TextMatching | None = None) -> ColumnElement[bool]:
    """Whether a row of `patient` has one of the names.

    A value with one component group is sought in every group, because a person who types a name
    does not say which writing it is; one with several groups must match in each.
    """
    text = text or SQLiteText()
    if criterion.fuzzy:
        return _any(_resembles_any_group(text, key) for key in _fuzzy_keys(criterion))
    return _any(
        _in_every_group(text, keys) if len(keys) > 1 else _in_any_group(text, keys[0])
        for keys in _keys(criterion)
    )


def person_named(
    reference: ColumnElement[Any], criterion: AnyOf, text: TextMatching | None = None
) -> ColumnElement[bool]:
    """Whether `reference`, the id of a `person`, is of somebody who has one of the names.

    Few distinct people are named in an archive, so their table is simply read through.
    """
    text = text or SQLiteText()
    if criterion.fuzzy:
        alike = [text.alike(person.c.name_key, key) for key in _fuzzy_keys(criterion)]
        return reference.in_(select(person.c.id).where(_any(alike)))
    conditions = [
        and_(*[text.pattern(person.c.name_key, f"*\\{key}\\*") for key in keys if key])
        for keys in _keys(criterion)
    ]
    return reference.in_(select(person.c.id).where(_any(conditions)))


def _resembles_any_group(text: TextMatching, key: str) -> ColumnElement[bool]:
    """No index knows how names sound: all patients are compared, a few microseconds each."""
    other_groups = select(patient_name_group.c.patient).where(
        text.alike(patient_name_group.c.name_key, key)
    )
    alphabetic = select(patient.c.id).where(text.alike(patient.c.name_key, key))
    return patient.c.id.in_(union_all(alphabetic, other_groups))


def _in_any_group(text: TextMatching, key: str) -> ColumnElement[bool]:
    other_groups = select(patient_name_group.c.patient).where(
        _compare(text, patient_name_group.c.name_key, key)
    )
    alphabetic = _compare(text, patient.c.name_key, key)
    candidates = _candidates(key, alphabetic)
    if candidates is None:
        # Without the hint, SQLite would read all studies and look up the patient of each.
        return text.rare(or_(alphabetic, patient.c.id.in_(other_groups)))
    found = patient.c.id.in_(union_all(candidates, other_groups))
    # Candidates contain the right letters; the comparison says whether in the right order.
    return and_(found, or_(alphabetic, patient.c.id.in_(other_groups)))


def _in_every_group(text: TextMatching, keys: list[str]) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [
        patient.c.id.in_(
            select(patient_name_group.c.patient).where(
                patient_name_group.c.component_group == number,
                _compare(text, patient_name_group.c.name_key, key),
            )
        )
        for number, key in enumerate(keys[1:], 1)
        if key
    ]
    if keys[0]:
        conditions.append(_compare(text, patient.c.name_key, keys[0]))
    return and_(*conditions)


def _compare(text: TextMatching, keys: ColumnElement[Any], key: str) -> ColumnElement[bool]:
    return text.pattern(keys, key) if "*" in key or "?" in key else keys == key


def _candidates(key: str, alphabetic: ColumnElement[bool]) -> _Ids | None:
    """The patients that may have `key` as alphabetic group; None to compare them all."""
    prefix = literal_prefix(key)
    if len(prefix) < _TRIGRAM and (trigrams := _trigrams_of(key)):
        expression = " AND ".join('"' + trigram.replace('"', '""') + '"' for trigram in trigrams)
        matches = literal_column("patient_name_trigram").op("MATCH", is_comparison=True)
        return select(_trigrams.c.rowid).where(matches(expression))
    return select(patient.c.id).where(alphabetic) if prefix else None


def _trigrams_of(key: str) -> list[str]:
    runs = _WILDCARDS.split(key)
    found = [
        run[start : start + _TRIGRAM] for run in runs for start in range(len(run) - _TRIGRAM + 1)
    ]
    return list(dict.fromkeys(found))[:_MAX_TRIGRAMS]


def _fuzzy_keys(criterion: AnyOf) -> list[str]:
    return [key for name in criterion.values for key in person_name_keys(str(name)) if key]


def _keys(criterion: AnyOf) -> list[list[str]]:
    keys = [person_name_keys(str(name)) for name in (*criterion.values, *criterion.patterns)]
    # "DOE^*" means the Does without a given name too, whose trailing delimiter is not kept.
    shorter = [[key.removesuffix("^*")] for key, *more in keys if key.endswith("^*") and not more]
    return [groups for groups in keys + shorter if any(groups)]


def _any(conditions: Iterable[ColumnElement[bool]]) -> ColumnElement[bool]:
    return or_(false(), *conditions)
