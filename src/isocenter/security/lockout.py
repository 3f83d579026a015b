"""Whoever fails too often is refused for a while: by user name, and by address."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import NamedTuple

MOST_REMEMBERED = 10_000
"""Names, and addresses, of which failures are remembered; beyond, the longest ago is forgotten."""

_IPV6_SITE = 64  # bits: whoever has one address of such a network has them all


class _Failures(NamedTuple):
    times: int
    until: float


class Lockout:
    """Counts failures. For any thread.

    After `failures` of them under one name, or from one address, attempts are refused until
    `seconds` have passed since the last; with 0 seconds, never. `clock` gives seconds that only
    grow.
    """

    def __init__(self, failures: int, seconds: float, clock: Callable[[], float]) -> None:
        self._failures = failures
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._names: OrderedDict[str, _Failures] = OrderedDict()
        self._hosts: OrderedDict[str, _Failures] = OrderedDict()

    def refuses(self, name: str | None, host: str) -> bool:
        """Whether an attempt is refused unseen."""
        now = self._clock()
        with self._lock:
            return self._is_out(self._hosts, _site(host), now) or (
                name is not None and self._is_out(self._names, name, now)
            )

    def failed(self, name: str | None, host: str) -> None:
        """An attempt failed."""
        until = self._clock() + self._seconds
        with self._lock:
            self._count(self._hosts, _site(host), until)
            if name is not None:
                self._count(self._names, name, until)

    def succeeded(self, name: str) -> None:
        """Forget the failures under a name; an address may have somebody else behind it."""
        with self._lock:
            self._names.pop(name, None)

    def _is_out(self, known: OrderedDict[str, _Failures], key: str, now: float) -> bool:
        found = known.get(key)
        if found is None:
            return False
        if found.until <= now:
            del known[key]
            return False
        return found.times >= self._failures

    def _count(self, known: OrderedDict[str, _Failures], key: str, until: float) -> None:
        earlier = known.pop(key, None)
        before = (
            earlier.times if earlier is not None and earlier.until > until - self._seconds else 0
        )
        known[key] = _Failures(before + 1, until)
        while len(known) > MOST_REMEMBERED:
            known.popitem(last=False)


def _site(host: str) -> str:
    """What one party has at hand: an IPv4 address, or a whole IPv6 network."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((address, _IPV6_SITE), strict=False))
    return str(address)
