"""Which presentation context carries an instance, and whether it must be converted for that.

An instance leaves as it is stored where the receiver takes it so, else in the best uncompressed
transfer syntax that the receiver does take. Nothing is ever compressed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from isocenter.encoding.transcoding import TARGETS, can_convert
from isocenter.upperlayer.contexts import AcceptedContext

MAX_CONTEXTS = 128  # odd identifiers in one byte, PS3.8 9.3.2.2

Kind = tuple[str, str]
"""A SOP class and the transfer syntax of an instance of it."""


class Instance(Protocol):
    """A stored instance that can be sent."""

    @property
    def sop_class_uid(self) -> str: ...
    @property
    def sop_instance_uid(self) -> str: ...
    @property
    def transfer_syntax_uid(self) -> str: ...
    @property
    def dataset_length(self) -> int: ...
    @property
    def study(self) -> int:
        """Tells the studies of a retrieve apart."""


class _Way(NamedTuple):
    context_id: int
    conversion: str


class StoreContexts:
    """The presentation contexts on which instances can be sent."""

    def __init__(self, contexts: Iterable[AcceptedContext]) -> None:
        self._by_kind: dict[Kind, int] = {}
        for context in contexts:
            kind = (context.abstract_syntax, context.transfer_syntax)
            self._by_kind.setdefault(kind, context.context_id)
        self._classes = {sop_class for sop_class, _ in self._by_kind}
        self._ways: dict[Kind, _Way | None] = {}

    def context_for(self, instance: Instance) -> int:
        """The context's identifier; only for an instance without `objection`."""
        way = self._way(instance)
        assert way is not None
        return way.context_id

    def conversion_for(self, instance: Instance) -> str:
        """The transfer syntax to convert an instance to; "" where it goes as it is stored."""
        way = self._way(instance)
        return "" if way is None else way.conversion

    def objection(self, instance: Instance) -> str:
        """Why an instance cannot be sent, in the 64 characters of an Error Comment, or ""."""
        if self._way(instance) is not None:
            return ""
        if instance.sop_class_uid in self._classes:
            return f"Transfer syntax not accepted: {instance.transfer_syntax_uid}"
        return f"SOP class not accepted: {instance.sop_class_uid}"

    def _way(self, instance: Instance) -> _Way | None:
        kind = instance.sop_class_uid, instance.transfer_syntax_uid
        if kind not in self._ways:
            self._ways[kind] = self._find_way(*kind)
        return self._ways[kind]

    def _find_way(self, sop_class: str, stored: str) -> _Way | None:
        if (as_stored := self._by_kind.get((sop_class, stored))) is not None:
            return _Way(as_stored, "")
        for target in TARGETS:
            context_id = self._by_kind.get((sop_class, target))
            if context_id is not None and can_convert(stored, target):
                return _Way(context_id, target)
        return None


def proposed_kinds(kinds: Sequence[Kind]) -> list[tuple[str, tuple[str, ...]]]:
    """What to propose in order to send instances of these kinds: at most 128 contexts.

    Each kind gets a context of its own, so that a receiver who can takes it as it is stored, and
    each SOP class one for what it can be converted to. Where all of that is too much, those of
    the second sort go first: whatever is converted arrives, whatever has no context does not.
    """
    as_stored = [(sop_class, (syntax,)) for sop_class, syntax in kinds]
    converted = []
    for sop_class in dict.fromkeys(sop_class for sop_class, _ in kinds):
        stored = {syntax for name, syntax in kinds if name == sop_class}
        targets = tuple(
            target
            for target in TARGETS
            if target not in stored and any(can_convert(syntax, target) for syntax in stored)
        )
        if targets:
            converted.append((sop_class, targets))
    room = max(MAX_CONTEXTS - len(converted), 0)
    # GDCM reads everything in the transfer syntax of the last context that it accepted, so what is
    # needed most comes last.
    return [*converted, *as_stored[:room]][:MAX_CONTEXTS]


def in_shares(kinds: Sequence[Kind]) -> list[list[Kind]]:
    """The kinds in groups, for each of which an association has contexts enough.

    Those of a SOP class stay together, for they share the context for what is converted.
    """
    by_class: dict[str, list[Kind]] = {}
    for kind in kinds:
        by_class.setdefault(kind[0], []).append(kind)
    shares: list[list[Kind]] = []
    room = 0
    for of_class in by_class.values():
        needed = len(proposed_kinds(of_class))
        if needed > room:
            shares.append([])
            room = MAX_CONTEXTS
        shares[-1] += of_class
        room -= needed
    return shares
