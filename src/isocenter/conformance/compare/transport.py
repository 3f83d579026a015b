"""Can A call B over TLS: versions and suites in common, certificates, and the way in the clear."""

from __future__ import annotations

from isocenter.conformance.capabilities import TransportSecurity
from isocenter.conformance.compare.results import Transport
from isocenter.conformance.compare.views import View


def transport(caller: View, called: View) -> Transport:
    """The TLS of A's calls beside that of B's connections; the best one counts."""
    connections = called.document.connections
    secured = [one.tls for one in connections if one.tls is not None]
    in_the_clear = any(one.tls is None for one in connections) if connections else None
    if not connections:
        return Transport(over_tls="unknown", reasons=("nothing is told of B's connections",))
    if not secured:
        return Transport(
            over_tls="no", in_the_clear=in_the_clear, reasons=("B has no connection with TLS",)
        )
    ours = caller.document.client_tls
    if ours is None or not ours.versions:
        return Transport(
            over_tls="unknown",
            in_the_clear=in_the_clear,
            reasons=("nothing is told of the TLS that A calls with",),
        )
    ways = [_way(ours, one, in_the_clear=in_the_clear) for one in secured]
    return min(ways, key=lambda way: ("yes", "unknown", "no").index(way.over_tls))


def _way(
    ours: TransportSecurity, theirs: TransportSecurity, *, in_the_clear: bool | None
) -> Transport:
    if not theirs.versions:
        return Transport(
            over_tls="unknown", in_the_clear=in_the_clear, reasons=("B's TLS was not measured",)
        )
    versions = tuple(name for name in ours.versions if name in theirs.versions)
    suites = tuple(suite for suite in ours.suites if suite in theirs.suites)
    usable = tuple(
        name
        for name in versions
        # Every TLS 1.3 has TLS_AES_128_GCM_SHA256 (RFC 8446 9.1).
        if name == "TLS 1.3" or any(suite.version == name for suite in suites)
    )
    reasons = []
    if not versions:
        reasons.append(
            f"no version in common: A has {', '.join(ours.versions)}, "
            f"B {', '.join(theirs.versions)}"
        )
    elif not usable:
        reasons.append("no cipher suite in common")
    if theirs.client_certificate == "required":
        reasons.append("B demands a certificate of A that it trusts")
    return Transport(
        over_tls="yes" if usable else "no",
        versions=usable,
        suites=tuple(suite.name for suite in suites if suite.version in usable),
        in_the_clear=in_the_clear,
        reasons=tuple(reasons),
    )
