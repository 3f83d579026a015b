"""The whole comparison of two nodes, from A to B."""

from __future__ import annotations

from collections.abc import Iterator

from isocenter.conformance.capabilities import Capabilities
from isocenter.conformance.compare.pairing import pairings
from isocenter.conformance.compare.results import Comparison
from isocenter.conformance.compare.sending import sendings
from isocenter.conformance.compare.transport import transport
from isocenter.conformance.compare.views import View


def compare(sender: Capabilities, receiver: Capabilities) -> Comparison:
    """What A, the sender and user, can do with B, the receiver and provider."""
    a, b = View(sender), View(receiver)
    return Comparison(
        sender=sender.title,
        receiver=receiver.title,
        transport=transport(a, b),
        storage=tuple(sendings(a, b)),
        services=tuple(pairings(a, b)),
        remarks=tuple(_remarks(a, b)),
    )


def _remarks(a: View, b: View) -> Iterator[str]:
    senders = [one for one in a.document.entities if one.initiates]
    if any(one.converts for one in senders) and not all(one.converts for one in senders):
        yield (
            "A converts what its network node sends (C-MOVE, C-GET); its commands send objects as "
            "they are."
        )
    if b.any_entity("checks_calling_ae"):
        yield "B turns unknown calling AE titles away: enter A's AE title there."
    if b.any_entity("checks_called_ae"):
        titles = ", ".join(dict.fromkeys(one.ae_title for one in b.document.entities))
        yield f"B must be called by its AE title: {titles}."
    if b.document.tried is not None and not b.document.tried.complete:
        yield "The probe of B was not complete: what is missing here may work all the same."
    if a.document.kind == "probe":
        yield "A was probed, which shows what it answers and hardly what it asks others for."
    # A request of C-STORE goes out in the acceptor's choice, which is one syntax for a context.
    if any(entity.association.contexts not in (None, 128) for entity in b.document.entities):
        yield "B took fewer than 128 presentation contexts at a time: propose no more than needed."
