"""Can A send this to B: each storage SOP class, in which transfer syntax, and at what loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from isocenter.conformance.compare.results import Sending, Verdict
from isocenter.conformance.compare.views import Offer, View
from isocenter.conformance.facts import Conversion
from isocenter.dictionary.sop_classes import is_other_service, is_storage
from isocenter.dictionary.transfer_syntaxes import transfer_syntax_keyword
from isocenter.dictionary.uids import uid_name

MOST_NAMED = 4


def sendings(sender: View, receiver: View) -> Iterator[Sending]:
    """Every SOP class that A stores elsewhere, in its order."""
    for sop_class, offer in sender.offers("SCU").items():
        if offer.proposes and (is_storage(sop_class) or not is_other_service(sop_class)):
            yield _sending(sender, receiver, sop_class, offer)


def _sending(sender: View, receiver: View, sop_class: str, offer: Offer) -> Sending:
    taken = receiver.offer(sop_class, "SCP")
    if taken is None or not taken.accepts:
        return _untaken(receiver, sop_class, offer)
    converts = sender.any_entity("converts")
    conversions = sender.document.conversions if converts else ()
    as_they_are = tuple(uid for uid in offer.proposes if uid in taken.accepts)
    converted = tuple(
        found
        for uid in offer.proposes
        if uid not in taken.accepts
        and (found := _conversion(conversions, uid, taken.accepts)) is not None
    )
    done = {*as_they_are, *(one.source for one in converted)}
    not_sent = tuple(uid for uid in offer.proposes if uid not in done)
    return Sending(
        sop_class=sop_class,
        name=uid_name(sop_class),
        verdict=_verdict(as_they_are, converted, not_sent),
        as_they_are=as_they_are,
        converted=converted,
        not_sent=not_sent,
        lossless=all(one.lossless for one in converted) if done else None,
        reasons=tuple(_reasons(taken, not_sent, converted)),
    )


def _untaken(receiver: View, sop_class: str, offer: Offer) -> Sending:
    """Nothing is on record of how B takes this SOP class."""
    verdict: Verdict = "no"
    if not receiver.tried(sop_class):
        verdict, reason = "unknown", "the probe of B did not ask about this SOP class"
    elif receiver.stores_unknown() and not is_storage(sop_class):
        verdict = "unknown"
        reason = "B stores SOP classes that it does not know; in which transfer syntax is not told"
    else:
        reason = "B does not accept this SOP class"
    return Sending(
        sop_class=sop_class,
        name=uid_name(sop_class),
        verdict=verdict,
        not_sent=() if verdict == "unknown" else tuple(offer.proposes),
        reasons=(reason,),
    )


def _conversion(
    conversions: Sequence[Conversion], source: str, accepted: Sequence[str]
) -> Conversion | None:
    """The best one that B takes: without loss, in the order in which A prefers them."""
    possible = [one for one in conversions if one.source == source and one.target in accepted]
    return min(possible, key=lambda one: not one.lossless, default=None)


def _verdict(
    as_they_are: Sequence[str], converted: Sequence[Conversion], not_sent: Sequence[str]
) -> Verdict:
    if not_sent:
        return "partly" if as_they_are or converted else "no"
    return "converted" if converted else "yes"


def _reasons(
    taken: Offer, not_sent: Sequence[str], converted: Sequence[Conversion]
) -> Iterator[str]:
    if converted:
        targets = dict.fromkeys(transfer_syntax_keyword(one.target) for one in converted)
        yield f"A converts to {', '.join(targets)} what B does not take as it is"
        if any(not one.lossless for one in converted):
            yield "some of these conversions lose image quality"
    if not_sent:
        yield f"B takes {named(taken.accepts)} only, and A does not convert {named(not_sent)}"


def named(syntaxes: Sequence[str]) -> str:
    """Some transfer syntaxes by keyword, the others by their number."""
    names = [transfer_syntax_keyword(uid) for uid in syntaxes]
    shown = ", ".join(names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown
