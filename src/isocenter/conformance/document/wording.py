"""What several chapters say in the same words: names of UIDs, lists of syntaxes, proofs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from isocenter.conformance.capabilities import Capabilities, Role
from isocenter.conformance.facts import Proof
from isocenter.dictionary.sop_classes import is_storage
from isocenter.dictionary.transfer_syntaxes import TRANSFER_SYNTAXES
from isocenter.dictionary.uids import uid_name
from isocenter.services.service_names import SERVICE_OF_SOP_CLASS, ServiceName

SERVICE_TITLES: dict[ServiceName, str] = {
    "echo": "Verification",
    "store": "Storage",
    "find": "Query/Retrieve, C-FIND",
    "move": "Query/Retrieve, C-MOVE",
    "get": "Query/Retrieve, C-GET",
    "commitment": "Storage Commitment",
    "worklist": "Modality Worklist",
    "mpps": "Modality Performed Procedure Step",
}

NO_PROOF = "no interoperability test is on record"

_LISTED = 6


def yes_no(value: bool | None) -> str:
    """Y, N, or that it is not known."""
    return "not known" if value is None else ("Y" if value else "N")


def service_of(sop_class: str) -> ServiceName:
    """The service that a SOP class belongs to."""
    return SERVICE_OF_SOP_CLASS.get(sop_class, "store")


def syntaxes_in_words(syntaxes: Sequence[str]) -> str:
    """Few by name, all by saying so, all but a few by naming those."""
    if not syntaxes:
        return "-"
    missing = [uid for uid in TRANSFER_SYNTAXES if uid not in syntaxes]
    if not missing:
        return f"all {len(syntaxes)} of PS3.6"
    if len(missing) <= _LISTED < len(syntaxes):
        return f"all of PS3.6 but {', '.join(map(uid_name, missing))}"
    return "\n".join(f"{uid_name(uid)} ({uid})" for uid in syntaxes)


def has_role(document: Capabilities, service: ServiceName, role: Role) -> bool:
    """Whether some entity has a SOP class of a service in a role."""
    return any(
        one.role == role and service_of(one.sop_class) == service
        for entity in document.entities
        for one in entity.capabilities
        if service != "store" or is_storage(one.sop_class)
    )


def proven(document: Capabilities, service: ServiceName, role: Role) -> str:
    """The peers with which a service was proven, and when the tests last passed."""
    found = [
        proof
        for proof in document.behaviour.proofs
        if proof.service == service and proof.role == role
    ]
    return "\n".join(map(_proof, found)) or NO_PROOF


def _proof(proof: Proof) -> str:
    version = f" {proof.peer_version}" if proof.peer_version else ""
    when = f"passed {proof.passed_on}" if proof.passed_on else "no run is on record"
    return f"{proof.peer}{version} ({proof.program}): {when}"


def joined(words: Iterable[str]) -> str:
    """Words with commas, or a dash."""
    return ", ".join(words) or "-"
