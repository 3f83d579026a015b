"""A node's capabilities by SOP class and role, whichever of its application entities has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from isocenter.conformance.capabilities import Capabilities, Role


@dataclass(slots=True)
class Offer:
    """A SOP class in one role, over all entities."""

    proposes: list[str] = field(default_factory=list)
    accepts: list[str] = field(default_factory=list)
    accepts_by_default: bool = False
    options: list[str] = field(default_factory=list)

    def add(self, proposes: tuple[str, ...], accepts: tuple[str, ...]) -> None:
        """What another entity has of it."""
        self.proposes += [uid for uid in proposes if uid not in self.proposes]
        self.accepts += [uid for uid in accepts if uid not in self.accepts]


class View:
    """What a document says of a node."""

    def __init__(self, capabilities: Capabilities) -> None:
        self.document = capabilities
        self._offers: dict[tuple[str, Role], Offer] = {}
        for entity in capabilities.entities:
            for one in entity.capabilities:
                offer = self._offers.setdefault((one.sop_class, one.role), Offer())
                offer.add(one.proposes, one.accepts)
                offer.accepts_by_default |= bool(one.accepts) and not one.by_role_selection
                offer.options += [name for name in one.options if name not in offer.options]

    def offers(self, role: Role) -> Mapping[str, Offer]:
        """By SOP class, in the document's order."""
        return {uid: one for (uid, its_role), one in self._offers.items() if its_role == role}

    def offer(self, sop_class: str, role: Role) -> Offer | None:
        """One of them."""
        return self._offers.get((sop_class, role))

    def tried(self, sop_class: str) -> bool:
        """Whether the document can know of a SOP class: a probe only of those it asked about."""
        tried = self.document.tried
        return tried is None or sop_class in tried.sop_classes

    def stores_unknown(self) -> bool:
        """Whether some entity stores SOP classes that nobody has listed."""
        return any(one.stores_unknown_sop_classes for one in self.document.entities)

    def any_entity(self, name: str) -> bool:
        """Whether a flag of the entities, such as `checks_calling_ae`, is set for one of them."""
        return any(getattr(entity, name) for entity in self.document.entities)
