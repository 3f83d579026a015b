"""Isocenter: a DICOM archive and network node, laid out like the standard that it implements.

`isocenter.connect` is the way in for programs; see `isocenter.client`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isocenter.client import (
        Connection,
        KeysNotSupported,
        QueryOptions,
        RequestFailed,
        connect,
    )

__all__ = [
    "Connection",
    "KeysNotSupported",
    "QueryOptions",
    "RequestFailed",
    "__version__",
    "connect",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """The API, loaded when it is first asked for (PEP 562): `isocenter --help` does not need it."""
    if name in __all__:
        from isocenter import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
