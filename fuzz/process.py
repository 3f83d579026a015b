"""The process in which one harness runs under atheris: `python -m fuzz.process NAME OPTIONS`.

The options are libFuzzer's. Only Isocenter's own modules are instrumented: what foreign libraries
do inside is neither coverage nor worth its time. Of ours, those that write SQL are left out: where
a column is compared, the result is an expression, and atheris 3.0 never lets go of such a result.
"""

from __future__ import annotations

import resource
import sys
from importlib import import_module
from pathlib import Path

from fuzz.target import Guard, load_target

SOURCES = Path(__file__).parent.parent / "src"

ADDRESS_SPACE = 2 << 30
"""Bytes; a lying length that is believed becomes a MemoryError."""

# Loaded by the first call that needs them, which is too late to be instrumented.
_LOADED_LATE = ("isocenter.dictionary._element_table", "isocenter.dictionary._uid_table")


def sql_modules() -> list[str]:
    """The modules of Isocenter that write SQL."""
    return [
        ".".join(file.relative_to(SOURCES).with_suffix("").parts)
        for file in sorted(SOURCES.joinpath("isocenter").rglob("*.py"))
        if "sqlalchemy" in file.read_text()
    ]


def main() -> None:
    """Fuzzes until libFuzzer's options say that it is enough; does not return."""
    import atheris

    name, *options = sys.argv[1:]
    with atheris.instrument_imports(include=["isocenter"], exclude=sql_modules()):
        target = load_target(name)
        for module in _LOADED_LATE:
            import_module(module)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    atheris.Setup([sys.argv[0], *options], Guard(target))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
