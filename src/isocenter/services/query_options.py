"""What queries can do beyond the baseline, as user and provider agree on it: SOP Class Extended
Negotiation (PS3.4 C.5.1.1.1 for C-FIND, C.5.2.1.1 for C-MOVE, C.5.3.1.1 for C-GET, K.5.1.1 for
worklists).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from typing import Self

from isocenter.upperlayer.user_information import ExtendedNegotiation


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """One flag for each byte of the application information, in the order of Table C.5.1-1.

    `relational`: keys of any level, without the unique keys above it (also for retrieval).
    `datetime`: a range of date and one of time are one range of moments. `fuzzy`: person names
    match by the peer's own idea of likeness. `timezone`: times are adjusted to the zone that the
    identifier names in (0008,0201). `multi_frame_conversion`: matches are of the view that the
    identifier names in (0008,0053). `empty_values`: a value of two quotation marks matches what
    is empty. `multiple_values`: any of several values matches.
    """

    relational: bool = False
    datetime: bool = False
    fuzzy: bool = False
    timezone: bool = False
    multi_frame_conversion: bool = False
    empty_values: bool = False
    multiple_values: bool = False

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return any(astuple(self))

    def __sub__(self, agreed: QueryOptions) -> QueryOptions:
        """What is asked for here and missing in `agreed`."""
        pairs = zip(astuple(self), astuple(agreed), strict=True)
        return QueryOptions(*(wanted and not there for wanted, there in pairs))

    def __str__(self) -> str:
        """The names of the flags that are set: "relational, empty values"."""
        names = (field.name for field in fields(self) if getattr(self, field.name))
        return ", ".join(name.replace("_", " ") for name in names)

    @classmethod
    def from_information(cls, information: bytes) -> Self:
        """The flags of a sub-item's application information; 1 sets one (PS3.4 C.5.1.1).

        What is left out is not set; bytes beyond the known ones belong to later editions.
        """
        return cls(*(byte == 1 for byte in information[: len(fields(cls))]))

    def __and__(self, granted: QueryOptions) -> QueryOptions:
        """What is set on both sides."""
        pairs = zip(astuple(self), astuple(granted), strict=True)
        return QueryOptions(*(wanted and given for wanted, given in pairs))

    def __bytes__(self) -> bytes:
        """All the bytes of the application information."""
        return bytes(astuple(self))

    def query_proposals(self, *model_uids: str) -> tuple[ExtendedNegotiation, ...]:
        """The sub-items to propose for these models of C-FIND; none where nothing is asked for.

        They end with the last byte that is set: peers know the more of them the newer they are.
        """
        information = bytes(self).rstrip(b"\0")
        return tuple(ExtendedNegotiation(uid, information) for uid in model_uids if self)

    def retrieval_proposals(self, *model_uids: str) -> tuple[ExtendedNegotiation, ...]:
        """The sub-items to propose for these models of C-MOVE and C-GET, where one byte counts."""
        return tuple(ExtendedNegotiation(uid, b"\x01") for uid in model_uids if self.relational)


def agreed_options(sop_class_uid: str, answers: Iterable[ExtendedNegotiation]) -> QueryOptions:
    """What the peer agreed to for a SOP class; nothing where it did not answer (PS3.7 D.3.3.5)."""
    for answer in answers:
        if answer.sop_class_uid == sop_class_uid:
            return QueryOptions.from_information(answer.information)
    return QueryOptions()
