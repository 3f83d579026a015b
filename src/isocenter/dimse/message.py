"""What every DIMSE message has in common: how a plain declaration becomes bytes and back.

A message class lists its elements as dataclass fields named as in `elements.ELEMENTS`; the
`command` decorator turns that list, in ascending order of tags, into the plan by which messages
of the class are encoded and decoded. A field without a default is mandatory in PS3.7 and in what
real peers send.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, NamedTuple, TypeVar, dataclass_transform

from isocenter.dimse.command_set import with_group_length
from isocenter.dimse.elements import ELEMENTS, ElementEncoder, ValueDecoder
from isocenter.dimse.errors import DimseError, DimseProtocolError
from isocenter.dimse.status import MISTYPED_ARGUMENT

# Without these a message can be neither answered nor told from the bytes that follow it.
_INDISPENSABLE = frozenset({"message_id", "message_id_being_responded_to", "has_data_set"})


class PlannedElement(NamedTuple):
    """One element of one message class, ready for the encoding and decoding loops."""

    name: str
    tag: int
    encode: ElementEncoder
    decode: ValueDecoder
    mandatory: bool


class Message:
    """One DIMSE message without its data set."""

    __slots__ = ()

    command_name: ClassVar[str]
    command_field: ClassVar[int]
    _encoding_plan: ClassVar[tuple[PlannedElement, ...]]
    _decoding_plan: ClassVar[tuple[PlannedElement, ...]]
    has_data_set: bool

    def encode(self) -> bytes:
        """The command set. Raises ValueError where a value does not fit its element."""
        parts = []
        for name, tag, encode, _, _ in self._encoding_plan:
            value = getattr(self, name)
            if value is not None:
                parts.append(encode(tag, value))
        return with_group_length(b"".join(parts))

    @classmethod
    def from_values(cls: type[M], values: Mapping[int, bytes]) -> M:
        """A message of this class from the values of its command set, by tag.

        An optional value that cannot be read counts as absent. Raises DimseError where a mandatory
        element is missing or unreadable, DimseProtocolError where that leaves no way to go on.
        """
        arguments: dict[str, Any] = {}
        unusable: list[str] = []
        for name, tag, _, decode, mandatory in cls._decoding_plan:
            value = values.get(tag)
            try:
                if value:
                    arguments[name] = decode(value)
                elif mandatory:
                    unusable.append(name)
            except ValueError:
                if mandatory:
                    unusable.append(name)
        if unusable:
            raise _unusable_message(cls, arguments, unusable)
        return cls(**arguments)


class Request(Message):
    """A message that asks for an operation or notification; `message_id` identifies it."""

    __slots__ = ()

    response_class: ClassVar[type[Response] | None]
    message_id: int


@dataclass(slots=True, kw_only=True)
class Response(Message):
    """A message that answers a request; `isocenter.dimse.status` judges its `status`."""

    message_id_being_responded_to: int
    status: int
    affected_sop_class_uid: str | None = None
    error_comment: str | None = None
    has_data_set: bool = False


M = TypeVar("M", bound=Message)
MESSAGE_CLASSES: dict[int, type[Message]] = {}


@dataclass_transform(kw_only_default=True)
def command(
    name: str, command_field: int, *, response: type[Response] | None = None
) -> Callable[[type[M]], type[M]]:
    """Register a message class under its Command Field (PS3.7 E.1) and prepare its plans."""

    def decorate(declaration: type[M]) -> type[M]:
        cls = dataclass(slots=True, kw_only=True)(declaration)
        cls.command_name = name
        cls.command_field = command_field
        if issubclass(cls, Request):
            cls.response_class = response
        plan = _plan_elements(cls)
        cls._encoding_plan = plan
        cls._decoding_plan = tuple(e for e in plan if e.name != "command_field")
        MESSAGE_CLASSES[command_field] = cls
        return cls

    return decorate


def _plan_elements(cls: type[Message]) -> tuple[PlannedElement, ...]:
    mandatory = {field.name: field.default is MISSING for field in fields(cls)}  # type: ignore[arg-type]
    mandatory |= {"command_field": True, "has_data_set": True}
    planned = [
        PlannedElement(name, element.tag, element.encode, element.decode, mandatory[name])
        for name, element in ELEMENTS.items()
        if name in mandatory
    ]
    return tuple(sorted(planned, key=lambda element: element.tag))


def _unusable_message(
    cls: type[Message], arguments: Mapping[str, Any], unusable: list[str]
) -> DimseError:
    """The error for mandatory elements that are missing or unreadable."""
    elements = [ELEMENTS[name] for name in unusable]
    keywords = ", ".join(element.keyword for element in elements)
    text = f"The peer sent a {cls.command_name} without a usable {keywords}."
    response_class = cls.response_class if issubclass(cls, Request) else None
    if response_class is None or not _INDISPENSABLE.isdisjoint(unusable):
        return DimseProtocolError(text, status=MISTYPED_ARGUMENT)
    details: dict[str, Any] = {"error_comment": f"No usable {keywords}"}
    if hasattr(response_class, "offending_element"):
        details["offending_element"] = tuple(element.tag for element in elements)
    response = response_class(
        message_id_being_responded_to=arguments["message_id"], status=MISTYPED_ARGUMENT, **details
    )
    return DimseError(
        text,
        status=MISTYPED_ARGUMENT,
        response=response,
        data_set_follows=arguments["has_data_set"],
    )
