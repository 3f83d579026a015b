"""The kinds of values in a configuration, and how each is read from what a person writes."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from isocenter.dictionary.transfer_syntaxes import find_transfer_syntax
from isocenter.server.addressing import RULE, is_ae_title

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": KIB, "MIB": MIB, "GIB": GIB}
_SIZE = re.compile(r"\s*([0-9]{1,18})\s*([A-Za-z]*)\s*")


Durability = Literal["group", "os"]
"""What a C-STORE success promises: survival of a power loss, or of a crash of the program."""

ConflictPolicy = Literal["quarantine", "reject"]
ValidationPolicy = Literal["never", "note", "quarantine"]
"""What happens to an object that carries a stored SOP Instance UID but other bytes."""

CalledAECheck = Literal["beyond-loopback", "always", "never"]
"""When the called AE title of an association must be one of this node's own."""

StepStatus = Literal[
    "SCHEDULED", "ARRIVED", "READY", "STARTED", "DEPARTED", "COMPLETED", "DISCONTINUED"
]
"""How far a scheduled procedure step has come (PS3.3 C.4.10, and how performed steps end)."""

CommitmentDelivery = Literal["same", "new", "next"]
"""On which association a commitment report goes out: the requester's, a new one, its next one."""

EVERY_DELIVERY: tuple[CommitmentDelivery, ...] = ("same", "new", "next")

LogLevel = Literal["debug", "info", "warning", "error"]
"""The least important event that is still written."""

LogFormat = Literal["text", "json"]
"""How an event is written: one line of key=value pairs, or one JSON object per line."""


def checked_ae_title(value: str) -> str:
    """An AE title without its padding."""
    if not is_ae_title(value):
        raise PydanticCustomError("ae_title", f"an AE title has {RULE}")
    return value.strip(" ")


def parsed_size(value: object) -> object:
    """Bytes, from a plain number or from a text such as "256 MiB"."""
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value)
    factor = _UNITS.get(match[2].upper()) if match else None
    if match is None or factor is None:
        raise PydanticCustomError("size", 'a size is a number of bytes or a text like "256 MiB"')
    return int(match[1]) * factor


def split_list(value: object) -> object:
    """A list, also from one text with commas, as an environment variable holds it."""
    return [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def split_deliveries(value: object) -> object:
    """A list of ways; "auto" stands for all of them."""
    return EVERY_DELIVERY if value == "auto" else split_list(value)


AETitle = Annotated[str, AfterValidator(checked_ae_title)]
Size = Annotated[int, BeforeValidator(parsed_size)]
Seconds = Annotated[float, Field(allow_inf_nan=False)]


def checked_transfer_syntax(value: str) -> str:
    """The UID of a transfer syntax that is given by name or UID."""
    syntax = find_transfer_syntax(value)
    if syntax is None:
        raise PydanticCustomError("transfer_syntax", "this is no transfer syntax of PS3.6")
    return syntax.uid


TransferSyntaxUID = Annotated[str, AfterValidator(checked_transfer_syntax)]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`. A name other than localhost counts as not."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Section(BaseModel):
    """A table of the file: unknown keys are errors, values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)
