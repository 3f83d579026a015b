"""What else this node tells of itself: keys, character sets, configuration, IODs, proofs."""

from __future__ import annotations

from collections.abc import Iterator

from isocenter.archive.index.attributes import Level
from isocenter.archive.query.computed import COLUMNS
from isocenter.archive.query.criteria import AnyOf, Between, Rules, parse_key
from isocenter.archive.query.errors import InvalidQuery
from isocenter.archive.query_levels import QUERY_LEVELS
from isocenter.conformance.facts import (
    CharacterSet,
    ConfigurationKey,
    Definition,
    InformationModel,
    ModuleUse,
    QueryKey,
    QueryLevel,
)
from isocenter.dictionary.elements import format_tag, implicit_vr, lookup_element, parse_tag
from isocenter.encoding.character_sets import defined_terms
from isocenter.objects.tables import definitions, module, sop_classes_of
from isocenter.server.config import Config
from isocenter.server.config_keys import NAMED_TABLES, SECTIONS, ConfigKey, keys_of
from isocenter.services.information_models import QUERY_MODELS, WORKLIST

_EMPTY_VALUES = Rules(empty_values=True)
_ALL_RULES = Rules(True, True, True, True)

_SOURCES = {"index": "", "computed": "counted when asked", "header": "read from stored headers"}

_SECRET = ("key", "trusted", "revoked", "certificate", "directory", "data_directory", "jwt_key")


def information_models() -> tuple[InformationModel, ...]:
    """The models that can be queried here, with every key of the index at its level."""
    levels = {level.name: _level(level) for level in Level}
    queried = [
        InformationModel(
            name=model.name,
            sop_classes=tuple(uid for uid in (model.find, model.move, model.get) if uid),
            levels=tuple(levels[name] for name in model.levels),
            note="Any other attribute of the stored header can be a key, but private ones and bulk "
            "data (find.header_limit).",
        )
        for model in QUERY_MODELS
        if model.levels
    ]
    return (*queried, _worklist())


def character_sets() -> tuple[CharacterSet, ...]:
    """The defined terms that are read, and written where a requestor asks in them."""
    return tuple(CharacterSet(term=term, read=True, written=True) for term in defined_terms())


def configuration(config: Config) -> tuple[ConfigurationKey, ...]:
    """Every key with its value in force; of files it is said only whether one is named.

    Keys of peers and of further listeners are told without values: those name other machines.
    """
    return tuple(_configuration(config))


def iods() -> tuple[Definition, ...]:
    """The IODs of PS3.3 that are stored: none is created here, none is changed."""
    return tuple(
        Definition(
            name=one.name,
            reference=f"PS3.3 Table {one.reference}" if one.reference else "PS3.3",
            sop_classes=tuple(sop_classes_of(one.key)),
            modules=tuple(_module_uses(one.modules)),
        )
        for one in definitions().values()
        if sop_classes_of(one.key)
    )


def _level(level: Level) -> QueryLevel:
    tags = sorted(tag for tag, known in QUERY_LEVELS.items() if known.level == level.name)
    return QueryLevel(level=level.name, keys=tuple(map(_key, tags)))


def _key(tag: int) -> QueryKey:
    entry = lookup_element(tag)
    column = COLUMNS[tag]
    return QueryKey(
        tag=format_tag(tag),
        keyword=entry.keyword if entry else "",
        vr=column.vr,
        matching=tuple(matching(tag, column.vr)) if column.condition is not None else (),
        note=_SOURCES[QUERY_LEVELS[tag].source],
    )


def matching(tag: int, vr: str) -> Iterator[str]:
    """The types of matching (PS3.4 C.2.2.2) that the engine makes of values of a VR.

    It is asked, with a value of each type; what it takes for another type is none of its own.
    """
    yield "universal"
    yield "list of UID" if vr == "UI" else "single value"
    trials = {"DA": "20240229-20240301", "TM": "10-11", "DT": "20240229-20240301"}
    if isinstance(_parsed(tag, vr, trials.get(vr, "A-B")), Between):
        yield "range"
    found = _parsed(tag, vr, "A*")
    if isinstance(found, AnyOf) and found.patterns:
        yield "wildcard"
    several = _parsed(tag, vr, r"20240229\20240301" if vr in ("DA", "DT") else r"10\11")
    if vr != "UI" and isinstance(several, AnyOf) and len(several.values) > 1:
        yield "multiple values"
    empty = _parsed(tag, vr, '""')
    if isinstance(empty, AnyOf) and empty.empty:
        yield "empty value"
    fuzzy = _parsed(tag, vr, "A", _ALL_RULES)
    if isinstance(fuzzy, AnyOf) and fuzzy.fuzzy:
        yield "fuzzy"


def _parsed(tag: int, vr: str, value: str, rules: Rules = _EMPTY_VALUES) -> AnyOf | Between | None:
    try:
        return parse_key(tag, vr, value, rules)
    except InvalidQuery:
        return None


def _worklist() -> InformationModel:
    keys = []
    for name in WORKLIST.usual[""]:
        keyword = name.rpartition(".")[2]
        tag = parse_tag(keyword)
        keys.append(
            QueryKey(
                tag=format_tag(tag),
                keyword=name.replace("[0]", ""),
                vr=implicit_vr(tag),
                matching=tuple(matching(tag, implicit_vr(tag))),
            )
        )
    return InformationModel(
        name=WORKLIST.name,
        sop_classes=(WORKLIST.find,),
        levels=(QueryLevel(level="", keys=tuple(keys)),),
        note="Every attribute that an item holds can be a key, in sequences too; these are the "
        "usual ones.",
    )


def _configuration(config: Config) -> Iterator[ConfigurationKey]:
    for section, model in SECTIONS.items():
        values = getattr(config, section)
        for key in keys_of(section, model):
            yield _told(key, _shown(key, getattr(values, key.name)))
    for table, model in NAMED_TABLES.items():
        for key in keys_of(f"{table}.NAME", model):
            yield _told(key, "")


def _told(key: ConfigKey, value: str) -> ConfigurationKey:
    return ConfigurationKey(
        path=key.path,
        value=value,
        default="required" if key.required else key.to_toml(key.default),
        allowed=key.allowed,
        meaning=key.description,
    )


def _shown(key: ConfigKey, value: object) -> str:
    """A value; where it is a path, only whether there is one (it is about this machine)."""
    if key.name in _SECRET or key.allowed == "a path":
        return '""' if value is None else '"(set)"'
    return key.to_toml(value)


def _module_uses(uses: tuple[tuple[str, str], ...]) -> Iterator[ModuleUse]:
    for key, usage in uses:
        known = module(key)
        yield ModuleUse(
            module=known.name if known else key.replace("-", " ").capitalize(),
            reference=f"PS3.3 Table {known.reference}" if known and known.reference else "",
            usage="M" if usage == "M" else "C" if usage == "C" else "U",
        )
