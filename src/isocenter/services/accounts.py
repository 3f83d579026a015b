"""What peers did here, told to whoever keeps account of it.

Providers tell it in their own terms, as it happens. What an account costs must hardly be felt where
an object is stored, so it is told of outcomes and keeps counts; nothing here blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from isocenter.encoding.elements import Elements
    from isocenter.services.storage_scp import Outcome

StepAction = Literal["C", "R", "U"]
"""What was done to a performed procedure step: created, read, updated."""

Counts = Mapping[tuple[int, str], int]
"""Instances by the number of their study (`StudyCount.number`) and their SOP class."""


class StudyCount(Protocol):
    """A study of a retrieve, its patient, and how many instances of each SOP class it is about."""

    @property
    def number(self) -> int: ...
    @property
    def study_instance_uid(self) -> str: ...
    @property
    def accession_number(self) -> str: ...
    @property
    def patient_id(self) -> str: ...
    @property
    def issuer_of_patient_id(self) -> str: ...
    @property
    def patient_name(self) -> str: ...
    @property
    def instances(self) -> Mapping[str, int]: ...


class Recipient(NamedTuple):
    """The destination of a C-MOVE."""

    ae_title: str
    host: str


class AskedFor(NamedTuple):
    """A query: its identifier as it came, of which `identifier` may be the beginning."""

    sop_class_uid: str
    identifier: bytes
    transfer_syntax_uid: str
    length: int


class Account(Protocol):
    """What is done on one association. On the loop's thread, but for `step`."""

    def received(self, outcome: Outcome) -> None:
        """An instance was sent here; this became of it."""

    def queried(self, asked: AskedFor) -> None:
        """A query was asked, whatever the answer."""

    def sending(self, recipient: Recipient | None, studies: Sequence[StudyCount]) -> None:
        """A retrieve begins; without a `recipient` the peer itself gets the instances."""

    def sent(
        self, recipient: Recipient | None, studies: Sequence[StudyCount], sent: Counts, why: str
    ) -> None:
        """A retrieve is over: what was `sent`, and `why` the rest was not."""

    def step(self, action: StepAction, sop_instance_uid: str, attributes: Elements) -> None:
        """Something was done to a performed procedure step; from any thread."""

    def denied(self, what: str) -> None:
        """The peer asked for something that it may not have; `what` is a clause."""

    def close(self) -> None:
        """The association is over; what is still to be told of it may follow."""


class NoAccount:
    """Keeps no account."""

    def received(self, outcome: Outcome) -> None:
        """Forget it."""

    def queried(self, asked: AskedFor) -> None:
        """Forget it."""

    def sending(self, recipient: Recipient | None, studies: Sequence[StudyCount]) -> None:
        """Forget it."""

    def sent(
        self, recipient: Recipient | None, studies: Sequence[StudyCount], sent: Counts, why: str
    ) -> None:
        """Forget it."""

    def step(self, action: StepAction, sop_instance_uid: str, attributes: Elements) -> None:
        """Forget it."""

    def denied(self, what: str) -> None:
        """Forget it."""

    def close(self) -> None:
        """Nothing was kept."""
