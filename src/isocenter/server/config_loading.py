"""The configuration of a run: defaults, then the file, then the environment, then the flags.

Each later layer wins key by key. `LoadedConfig.origins` remembers where each value came from, so
that `config show` and the error messages can say it: a file and line, a variable, or a flag.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from isocenter.errors import IsocenterError
from isocenter.server.config import Config
from isocenter.server.config_file import DEFAULT_FILE, ENVIRONMENT_PREFIX, find_config_file
from isocenter.server.config_keys import NAMED_TABLES, SECTIONS, all_keys, find_key
from isocenter.server.config_lines import key_lines

MAXIMUM_FILE_SIZE = 1 << 20
COMMAND_LINE = "command line"

KeyPath = tuple[str, ...]

_PATHS = tuple(
    key for key in all_keys() if Path in (key.field.annotation, *get_args(key.field.annotation))
)


class ConfigProblem(NamedTuple):
    """One thing wrong with a configuration; `str()` is a sentence with its place."""

    where: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.where}: {self.sentence}" if self.where else self.sentence


class ConfigError(IsocenterError):
    """A configuration that cannot be used; `problems` has one sentence for each reason."""

    def __init__(self, *problems: ConfigProblem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration and where its values came from; a key without an origin is a default."""

    config: Config
    file: Path | None = None
    origins: Mapping[KeyPath, str] = field(default_factory=dict)


class _Environment(BaseSettings, Config):
    """The same keys as variables: `listen.port` is `ISOCENTER_LISTEN__PORT`."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
        enable_decoding=False,
        extra="forbid",
        frozen=True,
    )


def load_config(
    file: str | os.PathLike[str] | None = None,
    *,
    overrides: Mapping[KeyPath, Any] | None = None,
    environment: bool = True,
) -> LoadedConfig:
    """Read and check the configuration.

    `overrides` are the command line's flags by key path; None values count as not given. With
    `environment=False` only `file` is looked at. Raises ConfigError.
    """
    path = find_config_file(file) if environment else Path(file) if file is not None else None
    values: dict[str, Any] = {}
    origins: dict[KeyPath, str] = {}
    if path is not None:
        values, origins = _file_values(read_text(path), path)
    if environment:
        layer = _environment_values()
        origins |= {key: _variable(key) for key, _ in _leaves(layer)}
        _merge(values, layer)
    for key, value in (overrides or {}).items():
        if value is not None:
            _merge(values, _nested(key, value))
            origins[key] = COMMAND_LINE
    config = _validated(values, origins, path)
    if path is not None or environment:
        config.read_from(path or Path(DEFAULT_FILE))
    return LoadedConfig(config, path, origins)


def check_text(text: str, path: Path) -> Config:
    """The configuration that a file's text would be, by itself. Raises ConfigError."""
    values, origins = _file_values(text, path)
    return _validated(values, origins, path)


def _validated(
    values: Mapping[str, Any], origins: Mapping[KeyPath, str], path: Path | None
) -> Config:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        problems = (_problem(detail, origins, path) for detail in error.errors())
        raise ConfigError(*problems) from None


def _file_values(text: str, path: Path) -> tuple[dict[str, Any], dict[KeyPath, str]]:
    values = _parse(text, path)
    origins = {key: str(path) for key, _ in _leaves(values)}
    origins |= {key: f"{path}:{line}" for key, line in key_lines(text).items()}
    _resolve_paths(values, path)
    return values, origins


def read_text(path: Path) -> str:
    """What a configuration file says. Raises ConfigError."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAXIMUM_FILE_SIZE + 1)
    except OSError as error:
        raise ConfigError(
            ConfigProblem(str(path), f"cannot be read as a configuration: {error.strerror}")
        ) from error
    if len(data) > MAXIMUM_FILE_SIZE:
        raise ConfigError(ConfigProblem(str(path), "is too large for a configuration (over 1 MiB)"))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(
            ConfigProblem(str(path), f"is not UTF-8 text at byte {error.start}, as TOML must be")
        ) from error


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        reason = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "nested too deep"
        raise ConfigError(ConfigProblem(str(path), f"is not valid TOML: {reason}")) from None


def _resolve_paths(values: dict[str, Any], path: Path) -> None:
    """A relative path in a file counts from that file, wherever the command is run."""
    for key in _PATHS:
        table = values.get(key.section)
        if isinstance(table, dict) and isinstance(given := table.get(key.name), str) and given:
            table[key.name] = str(path.parent / Path(given).expanduser())


def _environment_values() -> dict[str, Any]:
    for name in os.environ:
        section = name.removeprefix(ENVIRONMENT_PREFIX).partition("__")[0].lower()
        if name.startswith(ENVIRONMENT_PREFIX) and "__" in name and section not in _tables():
            sentence = f"unknown section [{section}]{_suggestion(section, _tables())}"
            raise ConfigError(ConfigProblem(name, sentence))
    return EnvSettingsSource(_Environment)()


def _tables() -> tuple[str, ...]:
    return (*SECTIONS, *NAMED_TABLES)


def _problem(
    detail: ErrorDetails, origins: Mapping[KeyPath, str], path: Path | None
) -> ConfigProblem:
    location = tuple(str(part) for part in detail["loc"])
    if detail["type"] == "insecure_listener":
        location = (*location, "host")
    key = find_key(location)
    name = f"{key.section}.{key.name}" if key else ".".join(location)
    where = _origin(location, origins, path)
    match detail["type"]:
        case "extra_forbidden":
            return ConfigProblem(where, f"unknown key {name}{_advice(location)}")
        case "missing":
            return ConfigProblem(where, f"{name} is missing; it must be {_allowed(location)}")
        case "model_type" | "dict_type" | "model_attributes_type":
            return ConfigProblem(where, f"{name} must be a table, written [{name}]")
        case "insecure_listener":
            return ConfigProblem(where, detail["msg"])
    given = repr(detail["input"])
    given = given if len(given) <= 60 else f"{given[:57]}..."
    return ConfigProblem(where, f"{name} = {given} is not allowed; it must be {_allowed(location)}")


def _allowed(location: KeyPath) -> str:
    key = find_key(location)
    return key.allowed if key else "as described in docs/configuration.md"


def _origin(location: KeyPath, origins: Mapping[KeyPath, str], path: Path | None) -> str:
    """Where a value was given; for a table or a list item, where the nearest key was."""
    for length in range(len(location), 0, -1):
        if origin := origins.get(location[:length]):
            return origin
    inside = (origin for key, origin in origins.items() if key[: len(location)] == location)
    return next(inside, str(path) if path else "")


def _advice(location: KeyPath) -> str:
    """A suggestion for an unknown key: the same name elsewhere, else a similar one here."""
    *table, name = location
    homes = [key.section for key in all_keys() if key.name == name and key.section in SECTIONS]
    if homes:
        return f"; it belongs under [{homes[0]}]"
    if not table:
        return _suggestion(name, _tables())
    model = NAMED_TABLES.get(table[0]) or SECTIONS.get(table[0])
    return _suggestion(name, tuple(model.model_fields) if model else ())


def _suggestion(name: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known here: {', '.join(known)}"


def _variable(key: KeyPath) -> str:
    return ENVIRONMENT_PREFIX + "__".join(key).upper()


def _leaves(values: Mapping[str, Any], prefix: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """The keys that hold values, not tables. Three levels are all that the models have."""
    for name, value in values.items():
        if isinstance(value, dict) and value and len(prefix) < 2:
            yield from _leaves(value, (*prefix, name))
        else:
            yield (*prefix, name), value


def _merge(values: dict[str, Any], layer: Mapping[str, Any]) -> None:
    for name, value in layer.items():
        below = values.get(name)
        if isinstance(below, dict) and isinstance(value, dict):
            _merge(below, value)
        else:
            values[name] = value


def _nested(key: KeyPath, value: Any) -> dict[str, Any]:
    for name in reversed(key[1:]):
        value = {name: value}
    return {key[0]: value}
