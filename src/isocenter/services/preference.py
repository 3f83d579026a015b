"""The order in which transfer syntaxes are proposed to a peer that has favourites."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def preferred_first(
    items: Iterable[T], favourites: Sequence[str], transfer_syntax: Callable[[T], str]
) -> list[T]:
    """`items` with those in a favourite transfer syntax in front, else in the order they had."""
    rank = {uid: position for position, uid in enumerate(favourites)}
    return sorted(items, key=lambda item: rank.get(transfer_syntax(item), len(rank)))
