"""The configuration's keys as a list: for error messages, `config show|init` and the manual."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin

import annotated_types
from pydantic import AfterValidator, BeforeValidator
from pydantic.fields import FieldInfo

from isocenter.server.addressing import RULE
from isocenter.server.config import Config, Peer
from isocenter.server.config_security import (
    Listener,
    checked_binding,
    checked_label,
    checked_network,
)
from isocenter.server.config_values import (
    GIB,
    KIB,
    MIB,
    Section,
    TransferSyntaxUID,
    checked_ae_title,
    parsed_size,
)


@dataclass(frozen=True, slots=True)
class ConfigKey:
    """One key: `listen.port`, what it may be, and what it does."""

    section: str
    name: str
    field: FieldInfo

    @property
    def path(self) -> str:
        return f"{self.section}.{self.name}"

    @property
    def description(self) -> str:
        return self.field.description or ""

    @property
    def required(self) -> bool:
        return self.field.is_required()

    @property
    def default(self) -> Any:
        return self.field.get_default(call_default_factory=False)

    @property
    def is_size(self) -> bool:
        """Whether the value is a number of bytes."""
        return any(
            isinstance(m, BeforeValidator) and m.func is parsed_size for m in self.field.metadata
        )

    @property
    def allowed(self) -> str:
        """The allowed values, in words: "1 to 64", "group or os"."""
        return _allowed(self)

    def to_toml(self, value: Any) -> str:
        """`value` of this key as it would be written in a file."""
        return f'"{format_size(value)}"' if self.is_size else toml_value(value)


# The tables of the file, in the order in which they are shown.
SECTIONS: MappingProxyType[str, type[Section]] = MappingProxyType(
    {
        name: field.annotation
        for name, field in Config.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    }
)
PEERS = "peers"
LISTENERS = "listeners"

# Tables of tables: what one of those that stand in them, under a name, may say.
NAMED_TABLES: MappingProxyType[str, type[Section]] = MappingProxyType(
    {LISTENERS: Listener, PEERS: Peer}
)


def keys_of(section: str, model: type[Section]) -> Iterator[ConfigKey]:
    """The keys of one table, in the order of the model."""
    for name, field in model.model_fields.items():
        yield ConfigKey(section, name, field)


def all_keys() -> Iterator[ConfigKey]:
    """Every key of the configuration; those of a peer stand under `peers.NAME`."""
    for section, model in SECTIONS.items():
        yield from keys_of(section, model)
    for table, model in NAMED_TABLES.items():
        yield from keys_of(f"{table}.NAME", model)


def find_key(path: tuple[str | int, ...]) -> ConfigKey | None:
    """The key at a path such as `("listen", "port")` or `("peers", "pacs", "host")`."""
    model: type[Section]
    if path and path[0] in NAMED_TABLES:
        model, section = NAMED_TABLES[str(path[0])], ".".join(str(p) for p in path[:2])
        rest = path[2:]
    elif path and path[0] in SECTIONS:
        model, section, rest = SECTIONS[str(path[0])], str(path[0]), path[1:]
    else:
        return None
    field = model.model_fields.get(str(rest[0])) if rest else None
    return ConfigKey(section, str(rest[0]), field) if field else None


def format_size(size: int) -> str:
    """A number of bytes in the largest unit that divides it: "128 KiB"."""
    for unit, factor in (("GiB", GIB), ("MiB", MIB), ("KiB", KIB)):
        if size and size % factor == 0:
            return f"{size // factor} {unit}"
    return f"{size} B"


def toml_value(value: Any) -> str:
    """A value as TOML 1.0 writes it; of none, a text that is empty."""
    match value:
        case None:
            return '""'
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() else repr(value)
        case list() | tuple():
            return "[" + ", ".join(toml_value(item) for item in value) + "]"
        case _:
            return _toml_string(str(value))


def _toml_string(text: str) -> str:
    escaped = "".join(
        f"\\{c}" if c in '"\\' else c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}"
        for c in text
    )
    return f'"{escaped}"'


def _allowed(key: ConfigKey) -> str:
    annotation, metadata = key.field.annotation, key.field.metadata
    if annotation is bool:
        return "true or false"
    if get_origin(annotation) is Literal:
        *head, last = get_args(annotation)
        return f"{', '.join(head)} or {last}"
    if isinstance(annotation, type) and issubclass(annotation, int | float):
        low, high = _bounds(metadata)
        shown = format_size if key.is_size else toml_value
        return f"{shown(low)} to {shown(high)}"
    if annotation is Path or Path in get_args(annotation):
        return "a path"
    if any(isinstance(m, AfterValidator) and m.func is checked_ae_title for m in metadata):
        return RULE
    if annotation is str:
        return "a text that is not empty" if metadata else "a text"
    return _allowed_list(get_args(annotation)[0])


def _allowed_list(item: Any) -> str:
    if get_origin(item) is Literal:
        return f"a list of {', '.join(get_args(item))}"
    if item is TransferSyntaxUID:
        return "a list of transfer syntaxes, by name or UID"
    checks = {getattr(m, "func", None) for m in get_args(item)[1:]}
    for check, words in _LISTS.items():
        if check in checks:
            return f"a list of {words}"
    return "a list of AE titles"


_LISTS: MappingProxyType[Any, str] = MappingProxyType(
    {
        checked_network: "IP addresses and networks",
        checked_binding: "sha256:FINGERPRINT, CN:NAME, DNS:NAME or *",
        checked_label: "labels: letters, digits, '-', '_' and '.'",
    }
)


def _bounds(metadata: list[Any]) -> tuple[Any, Any]:
    low = next(m.ge for m in metadata if isinstance(m, annotated_types.Ge))
    high = next(m.le for m in metadata if isinstance(m, annotated_types.Le))
    return low, high
