"""The configuration as text: the effective one, a commented beginning, and the manual's page.

All three are made from the models, so they cannot disagree with what is read.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from isocenter.server.config_keys import (
    LISTENERS,
    NAMED_TABLES,
    PEERS,
    SECTIONS,
    ConfigKey,
    keys_of,
    toml_value,
)
from isocenter.server.config_loading import LoadedConfig
from isocenter.server.config_values import Section

_WIDTH = 96
_EXAMPLES = {LISTENERS: "hospital", PEERS: "workstation"}


def effective_toml(loaded: LoadedConfig) -> str:
    """The configuration in force as TOML, with each value's origin as a comment."""
    blocks = []
    for section, model in SECTIONS.items():
        values = getattr(loaded.config, section)
        blocks.append(f"[{section}]\n" + "".join(_assignments(loaded, (section,), model, values)))
    for table, model in NAMED_TABLES.items():
        for name, values in getattr(loaded.config, table).items():
            heading = f"[{table}.{name if _is_bare(name) else toml_value(name)}]\n"
            blocks.append(heading + "".join(_assignments(loaded, (table, name), model, values)))
    return "\n".join(blocks)


def commented_toml() -> str:
    """A file to begin with: every key, explained, commented out at its default."""
    blocks = [
        "# The configuration of an Isocenter node. Each key stands here at its default; remove\n"
        "# the `#` before a key to change it. A change takes effect when the node is restarted;\n"
        "# that of a peer does at once, and `isocenter peer add` writes one.\n"
        "# Check it with `isocenter config check FILE`.\n"
    ]
    for section, model in SECTIONS.items():
        keys = "".join(_commented(key) for key in keys_of(section, model))
        blocks.append(f"{_comment(_first_line(model))}[{section}]\n{keys}")
    for table, model in NAMED_TABLES.items():
        keys = "".join(_commented(key) for key in keys_of(table, model))
        blocks.append(f"{_comment(_first_line(model))}# [{table}.{_EXAMPLES[table]}]\n{keys}")
    return "\n".join(blocks)


def manual() -> str:
    """`docs/configuration.md`."""
    named = ((f"{table}.NAME", model) for table, model in NAMED_TABLES.items())
    sections: list[tuple[str, type[Section]]] = [*SECTIONS.items(), *named]
    tables = "\n".join(_section_manual(name, model) for name, model in sections)
    return f"{_INTRODUCTION}\n{tables}"


_INTRODUCTION = """\
# Configuration

<!-- Made from `isocenter.server.config` by `isocenter config manual`; do not edit. -->

A node runs without any configuration: it then listens on loopback, port 11112, and keeps its
data in `./isocenter-data`. To change something, write a TOML file:

```console
$ isocenter config init isocenter.toml     # every key, explained, at its default
$ isocenter config check isocenter.toml    # errors as sentences, with line and allowed range
$ isocenter config show                    # what is in force, and where each value comes from
$ isocenter serve -c isocenter.toml
```

What is not given keeps its default. Later sources win, key by key:

1. the built-in defaults;
2. the file: `-c FILE`, else `$ISOCENTER_CONFIG`, else `isocenter.toml` in the working directory;
3. environment variables: `listen.port` is `ISOCENTER_LISTEN__PORT`, a list is separated by commas;
4. the flags of the command.

A key that does not exist is an error, not a silent no-op. Sizes are bytes or texts like
`"256 MiB"`; times are seconds. The file is read once: **a change takes effect when the node is
started again**, except in `[peers]`: those are read anew as soon as the file has changed, by the
commands and by a running node. `isocenter peer add|list|test|remove` takes care of them.
"""


def _section_manual(section: str, model: type[Section]) -> str:
    rows = "".join(
        f"| `{key.name}` | {_default(key)} | {key.allowed} | {_cell(key.description)} |\n"
        for key in keys_of(section, model)
    )
    return (
        f"## [{section}]\n\n{_first_line(model)}\n\n"
        f"| Key | Default | Allowed | Meaning |\n|---|---|---|---|\n{rows}"
    )


def _assignments(
    loaded: LoadedConfig, table: tuple[str, ...], model: type[Section], values: object
) -> Iterator[str]:
    for key in keys_of(".".join(table), model):
        origin = loaded.origins.get((*table, key.name), "default")
        yield f"{key.name} = {key.to_toml(getattr(values, key.name))}  # {origin}\n"


def _commented(key: ConfigKey) -> str:
    value = '"127.0.0.1"' if key.required else key.to_toml(key.default)
    return f"{_comment(f'{key.description} Allowed: {key.allowed}.')}# {key.name} = {value}\n"


def _default(key: ConfigKey) -> str:
    return "required" if key.required else f"`{key.to_toml(key.default)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in textwrap.wrap(text, _WIDTH))


def _first_line(model: type[Section]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


def _is_bare(name: str) -> bool:
    return bool(name) and name.isascii() and name.replace("-", "_").replace("_", "a").isalnum()
