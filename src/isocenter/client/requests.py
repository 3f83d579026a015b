"""From Python values to the keys of a request."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from isocenter.client.errors import InputError
from isocenter.services.information_models import (
    PATIENT_ROOT,
    PATIENT_STUDY_ONLY,
    STUDY_ROOT,
    InformationModel,
)
from isocenter.services.query_identifier import level_of
from isocenter.services.query_keys import Key, Step, parse_key

if TYPE_CHECKING:
    from pydicom import Dataset

    from isocenter.encoding.elements import Elements

Level = Literal["PATIENT", "STUDY", "SERIES", "IMAGE"]
Model = Literal["PATIENT", "STUDY", "PATIENT/STUDY"]

_MODELS: dict[str, InformationModel] = {
    "PATIENT": PATIENT_ROOT,
    "STUDY": STUDY_ROOT,
    "PATIENT/STUDY": PATIENT_STUDY_ONLY,
}


def keys_of(attributes: Mapping[str, object], within: tuple[Step, ...] = ()) -> Iterator[Key]:
    """The keys that name these attributes and values.

    An attribute is a keyword, a tag, or a path into sequences ("0010,0010",
    "ScheduledProcedureStepSequence[0].Modality"). None and "" ask for it; text, numbers, dates
    and times match, and a list of them matches any. A mapping is one item of a sequence, a list
    of mappings several. Raises InputError, QueryKeyError or DictionaryError.
    """
    for name, value in attributes.items():
        if "=" in name:
            raise InputError(f"{name!r} is not an attribute; give its value beside it.")
        key = parse_key(name)
        key = key._replace(within=(*within, *key.within))
        items = _items(value)
        if items is None:
            yield key._replace(value=_text(name, key.vr, value))
            continue
        if key.vr != "SQ":
            raise InputError(f"{name} is no sequence, so it has no items.")
        for number, item in enumerate(items):
            if item:
                yield from keys_of(item, (*key.within, Step(key.tag, number)))
            else:
                yield key._replace(item=number)


def given_keys(
    attributes: Mapping[str, object],
    more: Mapping[str, object] | None = None,
    returning: Iterable[str] | None = None,
) -> list[Key]:
    """The keys for keyword arguments, for `more` of them by tag or path, and for wishes."""
    given = dict(attributes) | dict(more or {})
    wishes = [name for name in returning or () if name not in given]
    return [*keys_of(given), *keys_of(dict.fromkeys(wishes))]


def base_of(identifier: Dataset | None) -> Elements | None:
    """A pydicom Dataset as the beginning of an identifier. Raises InputError, EncodingError."""
    if identifier is None:
        return None
    from pydicom import Dataset

    from isocenter.services.data_sets import from_dataset

    if not isinstance(identifier, Dataset):
        kind = type(identifier).__name__
        raise InputError(f"An identifier is a pydicom Dataset, not a {kind}.")
    return from_dataset(identifier)


def model_for(model: Model | None, level: Level | None, base: Elements | None) -> InformationModel:
    """The model that is meant; where none is named, the one that has the level."""
    if model is not None:
        if model not in _MODELS:
            raise InputError(f"{model!r} is not a model; it is one of {', '.join(_MODELS)}.")
        return _MODELS[model]
    return PATIENT_ROOT if (level or level_of(base or {})) == "PATIENT" else STUDY_ROOT


def _items(value: object) -> list[Mapping[str, object]] | None:
    """The items of a sequence, None for a value of any other kind."""
    if isinstance(value, Mapping):
        return [value]
    if isinstance(value, list | tuple) and value:
        items = [item for item in value if isinstance(item, Mapping)]
        return items if len(items) == len(value) else None
    return None


def _text(name: str, vr: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple | set | frozenset):
        return "\\".join(_text(name, vr, each) for each in value)
    if isinstance(value, datetime.datetime) and vr not in ("DA", "TM"):
        return value.strftime("%Y%m%d%H%M%S")
    if isinstance(value, datetime.date) and vr != "TM":  # a datetime is a date
        return value.strftime("%Y%m%d")
    if isinstance(value, datetime.datetime | datetime.time):
        return value.strftime("%H%M%S")
    if isinstance(value, str | int | float) or type(value).__module__.startswith("pydicom."):
        return str(value)
    raise InputError(
        f"{name}: a {type(value).__name__} cannot be matched; give text, a number, a date, "
        "a list of them, or a mapping for the item of a sequence."
    )
