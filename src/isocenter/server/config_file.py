"""Which configuration a command uses. Imports nothing heavy: `isocenter echo` asks here first."""

from __future__ import annotations

import os
from pathlib import Path

ENVIRONMENT_PREFIX = "ISOCENTER_"
FILE_VARIABLE = "ISOCENTER_CONFIG"
DEFAULT_FILE = "isocenter.toml"


def find_config_file(given: str | os.PathLike[str] | None = None) -> Path | None:
    """The file to read: the given one, else $ISOCENTER_CONFIG, else ./isocenter.toml if there."""
    if given or (given := os.environ.get(FILE_VARIABLE)):
        return Path(given)
    default = Path(DEFAULT_FILE)
    return default if default.is_file() else None


def is_configured(given: str | os.PathLike[str] | None = None) -> bool:
    """Whether anything beyond the built-in defaults applies: a file, or a variable."""
    return find_config_file(given) is not None or any(
        name.startswith(ENVIRONMENT_PREFIX) for name in os.environ
    )
