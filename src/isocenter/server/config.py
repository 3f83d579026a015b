"""What a node can be told: every key of the configuration file, its default and its range.

These models are the only description of the configuration. The error messages, the commented
file that `isocenter config init` writes and `docs/configuration.md` are all made from them.
Reading files and environment variables is `config_loading`'s business; `Config()` alone gives
the built-in defaults and looks at nothing outside.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from isocenter.server.addressing import DEFAULT_PORT, RULE, is_ae_title

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": KIB, "MIB": MIB, "GIB": GIB}
_SIZE = re.compile(r"\s*([0-9]{1,18})\s*([A-Za-z]*)\s*")


Durability = Literal["group", "os"]
"""What a C-STORE success promises: survival of a power loss, or of a crash of the program."""

ConflictPolicy = Literal["quarantine", "reject"]
"""What happens to an object that carries a stored SOP Instance UID but other bytes."""

CalledAECheck = Literal["beyond-loopback", "always", "never"]
"""When the called AE title of an association must be one of this node's own."""

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


AETitle = Annotated[str, AfterValidator(checked_ae_title)]
Size = Annotated[int, BeforeValidator(parsed_size)]
Seconds = Annotated[float, Field(allow_inf_nan=False)]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`. A name other than localhost counts as not."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Section(BaseModel):
    """A table of the file: unknown keys are errors, values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NodeSection(Section):
    """Who this node is and where its data lies."""

    ae_title: AETitle = Field(default="ISOCENTER", description="The AE title of this node.")
    data_directory: Path = Field(
        default=Path("isocenter-data"),
        description="The folder of the packs and the index. A relative path in a file counts "
        "from that file's folder, elsewhere from the working directory.",
    )
    check_called_ae: CalledAECheck = Field(
        default="beyond-loopback",
        description="When an association must call this node by its AE title or one of "
        "`also_known_as`; any other called AE title is then rejected.",
    )
    also_known_as: Annotated[tuple[AETitle, ...], BeforeValidator(split_list)] = Field(
        default=(), description="Further AE titles under which this node answers."
    )


class ListenSection(Section):
    """Where associations are accepted. This version speaks plain DICOM only, no TLS."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="The address to listen on. Anything beyond loopback needs `insecure = true`.",
    )
    port: int = Field(
        default=DEFAULT_PORT, ge=0, le=65535, description="The TCP port; 0 takes any free one."
    )
    backlog: int = Field(
        default=512, ge=1, le=65535, description="Connections that may wait to be accepted."
    )
    insecure: bool = Field(
        default=False,
        description="Allow plain, unencrypted DICOM beyond loopback. Anyone on the network can "
        "then read what is sent, and send.",
    )

    @model_validator(mode="after")
    def _plain_stays_on_loopback(self) -> ListenSection:
        if not self.insecure and not is_loopback(self.host):
            raise PydanticCustomError(
                "insecure_listener",
                "listening on {host} would accept unencrypted DICOM from beyond this machine; "
                "keep host = 127.0.0.1, or write insecure = true under [listen] to allow it",
                {"host": self.host},
            )
        return self


class LimitsSection(Section):
    """Bounds on what a peer may use, and how long a peer may take (seconds)."""

    maximum_pdu: Size = Field(
        default=128 * KIB,
        ge=4 * KIB,
        le=MIB,
        description="The largest P-DATA-TF PDU that is accepted.",
    )
    association_pdu: Size = Field(
        default=MIB,
        ge=64 * KIB,
        le=16 * MIB,
        description="The largest A-ASSOCIATE-RQ PDU that is accepted.",
    )
    associations: int = Field(
        default=1000, ge=1, le=65535, description="Connections open at one time, in all."
    )
    associations_per_peer: int = Field(
        default=512,
        ge=1,
        le=65535,
        description="Connections open at one time from one network address.",
    )
    object_size: Size = Field(
        default=16 * GIB, ge=MIB, le=1024 * GIB, description="The largest object that is stored."
    )
    artim_timeout: Seconds = Field(
        default=30.0,
        ge=0.1,
        le=3600,
        description="The PS3.8 ARTIM timer: the wait for an A-ASSOCIATE-RQ after the connection, "
        "and for the close after a rejection or abort.",
    )
    pdu_timeout: Seconds = Field(
        default=30.0, ge=0.1, le=3600, description="From the first byte of a PDU to its last."
    )
    write_timeout: Seconds = Field(
        default=30.0,
        ge=0.1,
        le=3600,
        description="How long a peer may take nothing of what it is sent.",
    )
    idle_timeout: Seconds = Field(
        default=600.0,
        ge=1,
        le=86400,
        description="An association on which nothing happens for this long is aborted.",
    )
    shutdown_timeout: Seconds = Field(
        default=10.0,
        ge=0,
        le=600,
        description="On Ctrl-C or SIGTERM: how long running associations may take to finish.",
    )


class StorageSection(Section):
    """How objects are accepted and kept."""

    durability: Durability = Field(
        default="group",
        description="What a C-STORE success means. `group`: written and flushed to the disk, "
        "together with what arrived meanwhile; survives power loss. `os`: written; survives a "
        "crash of the program, not of the machine.",
    )
    pack_size: Size = Field(
        default=512 * MIB,
        ge=MIB,
        le=64 * GIB,
        description="A pack that has reached this size is closed and a new one begun.",
    )
    reserve: Size = Field(
        default=64 * MIB,
        ge=0,
        le=1024 * GIB,
        description="Disk space that is left free: with less, storage is refused with status A700 "
        "until there is room again.",
    )
    accept_unknown_sop_classes: bool = Field(
        default=True,
        description="Accept storage of private and unknown SOP classes, beside the standard's.",
    )
    on_conflict: ConflictPolicy = Field(
        default="quarantine",
        description="An object with a stored SOP Instance UID but different bytes: `quarantine` "
        "keeps it aside and accepts it, `reject` refuses it. The stored object never changes.",
    )


class FindSection(Section):
    """How queries are answered."""

    limit: int = Field(
        default=0,
        ge=0,
        le=100_000_000,
        description="Matches after which a query ends with status A700 (out of resources); "
        "0 is no limit.",
    )


class RetrieveSection(Section):
    """How objects are sent out, by C-GET and C-MOVE."""

    pending_interval: Seconds = Field(
        default=1.0,
        ge=0,
        le=3600,
        description="Seconds between two reports of progress (status FF00); 0 reports after "
        "every object.",
    )
    response_timeout: Seconds = Field(
        default=60.0,
        ge=0.1,
        le=3600,
        description="The wait for the receiver's answer to each object.",
    )
    connect_timeout: Seconds = Field(
        default=10.0,
        ge=0.1,
        le=3600,
        description="The wait for the connection to the destination of a C-MOVE.",
    )
    association_timeout: Seconds = Field(
        default=30.0,
        ge=0.1,
        le=3600,
        description="The wait for that destination's answer to our association request.",
    )
    associations: int = Field(
        default=2,
        ge=1,
        le=16,
        description="Associations that a C-MOVE opens with its destination at one time; "
        "`store_associations` of a peer goes first.",
    )
    attempts: int = Field(
        default=3,
        ge=1,
        le=20,
        description="How often a C-MOVE tries to deliver an object whose association was lost or "
        "whose receiver is out of resources (A7xx), and to reach a destination.",
    )
    retry_delay: Seconds = Field(
        default=1.0,
        ge=0,
        le=60,
        description="Seconds before the second attempt, twice as many before the third, and so "
        "on up to 30.",
    )


class TranscodingSection(Section):
    """How objects are decompressed for receivers that do not take them as they are stored."""

    workers: int = Field(
        default=2,
        ge=1,
        le=64,
        description="Processes that convert, at most, beside each network process; they start "
        "when one is needed.",
    )
    memory_limit: Size = Field(
        default=4 * GIB,
        ge=256 * MIB,
        le=1024 * GIB,
        description="Memory that each of them may use; an object that needs more is not sent.",
    )
    time_limit: Seconds = Field(
        default=300.0,
        ge=0.1,
        le=86400,
        description="Seconds that the conversion of one object may take.",
    )
    maximum_size: Size = Field(
        default=4 * GIB,
        ge=MIB,
        le=64 * GIB,
        description="The largest object that may come out. It lies in the data folder while it "
        "is sent.",
    )


class WorkersSection(Section):
    """How the work is spread over processor cores."""

    count: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Network processes. 1 serves in a single process; more are run by a "
        "supervisor that hands each connection to the least loaded.",
    )


class LogSection(Section):
    """What is written to standard error. Logs hold no patient data at any level."""

    level: LogLevel = Field(default="info", description="The least important event written.")
    format: LogFormat = Field(
        default="text",
        description="`text`: key=value pairs; `json`: one JSON object per line.",
    )


class Peer(Section):
    """Another node, so that commands can call it by name: one table per peer."""

    ae_title: AETitle = Field(default="ANY-SCP", description="The AE title to call.")
    host: str = Field(min_length=1, description="The host name or address.")
    port: int = Field(default=DEFAULT_PORT, ge=1, le=65535, description="The TCP port.")
    store_associations: int = Field(
        default=0,
        ge=0,
        le=16,
        description="Associations that a C-MOVE opens with this peer at one time; 0 is "
        "`retrieve.associations`.",
    )


class Config(BaseModel):
    """The whole configuration of a node."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    node: NodeSection = NodeSection()
    listen: ListenSection = ListenSection()
    limits: LimitsSection = LimitsSection()
    storage: StorageSection = StorageSection()
    find: FindSection = FindSection()
    retrieve: RetrieveSection = RetrieveSection()
    transcoding: TranscodingSection = TranscodingSection()
    workers: WorkersSection = WorkersSection()
    log: LogSection = LogSection()
    peers: dict[str, Peer] = Field(default_factory=dict)

    def answers_to(self, called_ae_title: str) -> bool:
        """Whether an association that calls `called_ae_title` is meant for this node."""
        match self.node.check_called_ae:
            case "never":
                return True
            case "beyond-loopback" if is_loopback(self.listen.host):
                return True
        return called_ae_title.strip(" ") in (self.node.ae_title, *self.node.also_known_as)
