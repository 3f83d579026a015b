"""What a node's C-GET and C-MOVE providers agree on: source, patience, and ways to end early."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

from isocenter.dictionary.transfer_syntaxes import TransferSyntax
from isocenter.encoding.elements import RawElement, encode_elements
from isocenter.security.access import Scope
from isocenter.services.query_retrieve_scp import Model
from isocenter.services.sub_operations import Selected

FAILED_SOP_INSTANCE_UID_LIST = 0x00080058


class InstanceSource(Protocol):
    """Where retrieved instances come from."""

    def select(self, model: Model, level: str, keys: Mapping[int, str], scope: Scope) -> Selected:
        """The instances within `scope` that an identifier names.

        Raises InvalidIdentifier, IsocenterError.
        """


@dataclass(frozen=True, slots=True)
class RetrieveTerms:
    """How a node retrieves; times are in seconds.

    With a `pending_interval` of 0 a pending response follows each sub-operation. A C-MOVE opens up
    to `associations` with its destination, and tries an instance that could not be delivered
    `attempts` times in all, `retry_delay` after the first failure, twice that after the second.
    """

    source: InstanceSource
    threads: Executor
    pending_interval: float
    response_timeout: float
    associations: int = 2
    attempts: int = 3
    retry_delay: float = 1.0


class Refused(Exception):
    """The retrieve ends with this status before anything is sent."""

    def __init__(self, code: int, comment: str, offending_tag: int | None = None) -> None:
        super().__init__(comment)
        self.code = code
        self.offending_tag = offending_tag


class BrokenOff(Exception):
    """An object ended half-way, so that the association that carries it cannot go on."""


def encode_failed_list(uids: list[str], syntax: TransferSyntax) -> bytes | None:
    """The identifier with Failed SOP Instance UID List (PS3.4 C.4.2.1.4.2); None without any."""
    if not uids:
        return None
    value = "\\".join(uids).encode("ascii", "replace")
    return encode_elements({FAILED_SOP_INSTANCE_UID_LIST: RawElement("UI", value)}, syntax)
