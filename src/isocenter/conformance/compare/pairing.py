"""Can A use what B provides: queries, retrievals, commitment, worklist, procedure steps, others."""

from __future__ import annotations

from collections.abc import Iterator

from isocenter.conformance.compare.results import Pairing, Verdict
from isocenter.conformance.compare.views import Offer, View
from isocenter.dictionary.sop_classes import is_other_service, is_storage
from isocenter.dictionary.uids import uid_name
from isocenter.services.service_names import SERVICE_OF_SOP_CLASS


def pairings(user: View, provider: View) -> Iterator[Pairing]:
    """Every SOP class of another service than storage that A uses, in its order."""
    for sop_class, offer in user.offers("SCU").items():
        if is_other_service(sop_class) and offer.proposes:
            yield _pairing(user, provider, sop_class, offer)


def _pairing(user: View, provider: View, sop_class: str, offer: Offer) -> Pairing:
    service = SERVICE_OF_SOP_CLASS.get(sop_class, "other")
    provided = provider.offer(sop_class, "SCP")
    reasons: list[str] = []
    verdict: Verdict = "no"
    common: tuple[str, ...] = ()
    if provided is None or not provided.accepts:
        known = provider.tried(sop_class)
        verdict = "no" if known else "unknown"
        reasons.append(
            "B does not provide it" if known else "the probe of B did not ask about this SOP class"
        )
    else:
        common = tuple(uid for uid in offer.proposes if uid in provided.accepts)
        verdict = "yes" if common else "no"
        if not common:
            reasons.append("no transfer syntax in common")
    if common and service == "get":
        verdict, why = _receiving(user, provider)
        reasons += why
    if common and service == "move":
        reasons.append("B must know the destination's AE title and be able to send to it")
    return Pairing(
        sop_class=sop_class,
        name=uid_name(sop_class),
        service=service,
        verdict=verdict,
        transfer_syntaxes=common,
        options=tuple(provided.options) if provided else (),
        reasons=tuple(reasons),
    )


def _receiving(user: View, provider: View) -> tuple[Verdict, list[str]]:
    """C-GET: what B can send on the association of A, and A takes (PS3.4 C.5.3)."""
    wanted = {
        uid: offer.proposes
        for uid, offer in user.offers("SCP").items()
        if is_storage(uid) and offer.proposes
    }
    if not wanted:
        return "no", ["A takes no objects on its own associations"]
    sent = provider.offers("SCU")
    possible = [
        uid
        for uid, syntaxes in wanted.items()
        if uid in sent and set(syntaxes) & set(sent[uid].accepts)
    ]
    if not possible:
        return "no", ["B takes the SCU role of storage for no SOP class that A wants"]
    if len(possible) == len(wanted):
        return "yes", []
    return "partly", [f"objects of {len(possible)} of {len(wanted)} SOP classes can be sent"]
