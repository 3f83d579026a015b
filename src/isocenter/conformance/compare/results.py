"""What a comparison comes to, as data: for JSON, and for the tables of the command."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from isocenter.conformance.facts import Conversion

Verdict = Literal["yes", "converted", "partly", "no", "unknown"]
"""Everything as it is; everything, some of it converted; some of it; nothing; not known."""


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True)


class Sending(_Result):
    """Whether objects of a SOP class get from A to B, by the transfer syntax that A has them in."""

    sop_class: str
    name: str
    verdict: Verdict
    as_they_are: tuple[str, ...] = ()
    converted: tuple[Conversion, ...] = ()
    not_sent: tuple[str, ...] = ()
    lossless: bool | None = None
    """Whether nothing is lost on the way; None where nothing is sent, or nobody knows."""
    reasons: tuple[str, ...] = ()


class Pairing(_Result):
    """Whether A can use a service of B."""

    sop_class: str
    name: str
    service: str
    verdict: Verdict
    transfer_syntaxes: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    """What B grants of extended negotiation."""
    reasons: tuple[str, ...] = ()


class Transport(_Result):
    """Whether A can call B over TLS, and in the clear."""

    over_tls: Verdict
    versions: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    in_the_clear: bool | None = None
    reasons: tuple[str, ...] = ()


class Comparison(_Result):
    """From A to B."""

    format: Literal["isocenter-comparison"] = "isocenter-comparison"
    version: Literal[1] = 1
    sender: str
    receiver: str
    transport: Transport
    storage: tuple[Sending, ...]
    services: tuple[Pairing, ...]
    remarks: tuple[str, ...] = ()


class Difference(_Result):
    """One point in which a claim and a measurement do not agree."""

    kind: Literal["claimed-not-done", "done-not-claimed", "different"]
    subject: str
    text: str
    sop_class: str = ""
    transfer_syntaxes: tuple[str, ...] = ()


class Claims(_Result):
    """A statement held against a probe of the same node."""

    format: Literal["isocenter-claims"] = "isocenter-claims"
    version: Literal[1] = 1
    statement: str
    probe: str
    checked: int
    """SOP classes in a role that both speak of."""
    differences: tuple[Difference, ...] = ()
    not_checked: tuple[str, ...] = ()
    """Claims that the probe did not try, in words."""
