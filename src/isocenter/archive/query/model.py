"""The Query/Retrieve information models and their rule of hierarchy (PS3.4 C.4.1.3.1, C.6)."""

from collections.abc import Mapping
from typing import Literal

from isocenter.archive.index.attributes import ATTRIBUTE_BY_TAG, Level
from isocenter.archive.query.criteria import AnyOf, Criterion
from isocenter.archive.query.errors import InvalidQuery
from isocenter.dictionary.elements import format_tag

Model = Literal["PATIENT", "STUDY", "PATIENT_STUDY"]
"""Patient Root, Study Root, and Patient/Study Only, which is retired."""

_LEVELS: dict[Model, tuple[Level, ...]] = {
    "PATIENT": tuple(Level),
    "STUDY": (Level.STUDY, Level.SERIES, Level.IMAGE),
    "PATIENT_STUDY": (Level.PATIENT, Level.STUDY),
}
_NAMES: dict[Model, str] = {
    "PATIENT": "Patient Root",
    "STUDY": "Study Root",
    "PATIENT_STUDY": "Patient/Study Only",
}

QUERY_RETRIEVE_LEVEL = 0x00080052

UNIQUE_KEY = {
    Level.PATIENT: 0x00100020,
    Level.STUDY: 0x0020000D,
    Level.SERIES: 0x0020000E,
    Level.IMAGE: 0x00080018,
}


def query_level(model: Model, level: str) -> Level:
    """Return the level that Query/Retrieve Level (0008,0052) names.

    Raises:
        InvalidQuery: there is no such level in `model`.
    """
    levels = [each.name for each in _LEVELS[model]]
    if level not in levels:
        raise InvalidQuery(
            f"Query/Retrieve Level {format_tag(QUERY_RETRIEVE_LEVEL)} must be one of "
            f"{', '.join(levels)} in the {_NAMES[model]} model.",
            QUERY_RETRIEVE_LEVEL,
        )
    return Level[level]


def check_hierarchy(model: Model, level: Level, criteria: Mapping[int, Criterion]) -> None:
    """Hold a query against PS3.4 C.4.1.2.1: above its level, unique keys have single values.

    Only the key next above is insisted on, and not where the level's own unique key is given:
    higher ones would not change the answer, and many clients leave them out.

    Raises:
        InvalidQuery: a unique key is missing or holds more than a single value.
    """
    root = _LEVELS[model][0]
    for upper in (each for each in Level if root <= each < level):
        tag = UNIQUE_KEY[upper]
        criterion = criteria.get(tag)
        if criterion is None:
            needed = upper == level - 1 and UNIQUE_KEY[level] not in criteria
            if needed:
                raise _hierarchy_error(level, tag)
        elif not (isinstance(criterion, AnyOf) and _is_single(criterion)):
            raise _hierarchy_error(level, tag)


def _is_single(criterion: AnyOf) -> bool:
    return not criterion.patterns and len(criterion.values) <= 1


def _hierarchy_error(level: Level, tag: int) -> InvalidQuery:
    keyword = ATTRIBUTE_BY_TAG[tag].keyword
    return InvalidQuery(
        f"A query at {level.name} level needs {keyword} {format_tag(tag)} as a single value.", tag
    )
