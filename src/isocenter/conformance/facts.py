"""The tables of a statement that stand for themselves: statuses, keys, character sets and so on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

_Name = Annotated[str, Field(max_length=256)]
_Text = Annotated[str, Field(max_length=4096)]


class _Fact(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StatusCode(_Fact):
    """A status, or a range of them, and what it means here."""

    first: int = Field(ge=0, le=0xFFFF)
    last: int = Field(ge=0, le=0xFFFF)
    category: _Name
    meaning: _Text
    behaviour: _Text = ""

    @property
    def text(self) -> str:
        """ "A700", "C000 to CFFF"."""
        one = f"{self.first:04X}"
        return one if self.first == self.last else f"{one} to {self.last:04X}"


class ServiceStatuses(_Fact):
    """The statuses of a service, in one role: those an SCP sends, or what an SCU makes of them."""

    service: _Name
    role: Literal["SCU", "SCP"]
    codes: tuple[StatusCode, ...] = Field(default=(), max_length=256)


class QueryKey(_Fact):
    """An attribute that can be asked for: its matching (PS3.4 C.2.2.2), and from where it comes."""

    tag: Annotated[str, Field(max_length=16)]
    keyword: _Name
    vr: Annotated[str, Field(max_length=2)]
    matching: tuple[_Name, ...] = Field(default=(), max_length=16)
    note: _Text = ""


class QueryLevel(_Fact):
    """The keys of one level."""

    level: _Name
    keys: tuple[QueryKey, ...] = Field(default=(), max_length=512)


class InformationModel(_Fact):
    """A model that is queried, by the SOP classes that ask it."""

    name: _Name
    sop_classes: tuple[_Name, ...] = Field(default=(), max_length=16)
    levels: tuple[QueryLevel, ...] = Field(default=(), max_length=8)
    note: _Text = ""


class CharacterSet(_Fact):
    """A defined term of Specific Character Set (PS3.3 C.12.1.1.2)."""

    term: _Name
    read: bool
    written: bool


class Conversion(_Fact):
    """From one transfer syntax to another, before an object is sent."""

    source: Annotated[str, Field(max_length=64)]
    target: Annotated[str, Field(max_length=64)]
    lossless: bool = True


class ConfigurationKey(_Fact):
    """A key of the configuration: its value in force, its default, what it may be."""

    path: _Name
    value: _Text = ""
    default: _Text = ""
    allowed: _Text = ""
    meaning: _Text = ""


class AuditEvent(_Fact):
    """An event of the audit trail (PS3.16 CID 400)."""

    code: _Name
    scheme: _Name
    meaning: _Name


class ModuleUse(_Fact):
    """A module and how an IOD uses it: M, C or U."""

    module: _Name
    reference: _Name = ""
    usage: Literal["M", "C", "U"]


class Definition(_Fact):
    """An IOD, and the SOP classes that it serves."""

    name: _Name
    reference: _Name = ""
    sop_classes: tuple[_Name, ...] = Field(default=(), max_length=64)
    modules: tuple[ModuleUse, ...] = Field(default=(), max_length=128)


class Proof(_Fact):
    """A test with somebody else's program that shows a service in a role; when it last passed."""

    service: _Name
    role: Literal["SCU", "SCP"]
    peer: _Name
    program: _Name
    peer_version: _Name = ""
    tests: tuple[_Text, ...] = Field(default=(), max_length=64)
    passed_on: Annotated[str, Field(max_length=10)] = ""
    """A date, YYYY-MM-DD; empty where no run is on record."""
