"""What a node can be told: every key of the configuration file, its default and its range.

These models are the only description of the configuration. The error messages, the commented
file that `isocenter config init` writes and `docs/configuration.md` are all made from them.
Reading files and environment variables is `config_loading`'s business; `Config()` alone gives
the built-in defaults and looks at nothing outside.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr

from isocenter.server.addressing import DEFAULT_PORT
from isocenter.server.config_security import (
    AuditSection,
    Bindings,
    DeletionSection,
    IdentityDemand,
    IdentitySection,
    Labels,
    Listener,
    ListenSection,
    MetricsSection,
    Networks,
    TLSSection,
)
from isocenter.server.config_services import (
    CommitmentSection,
    FindSection,
    RetrieveSection,
    StorageSection,
    TranscodingSection,
    WorklistSection,
)
from isocenter.server.config_values import (
    EVERY_DELIVERY,
    GIB,
    KIB,
    MIB,
    AETitle,
    CalledAECheck,
    CommitmentDelivery,
    LogFormat,
    LogLevel,
    Seconds,
    Section,
    Size,
    TransferSyntaxUID,
    split_deliveries,
    split_list,
)
from isocenter.services.service_names import SERVICE_NAMES, ServiceName


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
        default=1000, ge=1, le=65535, description="Associations open at one time, in all."
    )
    associations_per_peer: int = Field(
        default=512,
        ge=1,
        le=65535,
        description="Associations open at one time from one network address.",
    )
    half_open: int = Field(
        default=256,
        ge=8,
        le=65535,
        description="Connections that have no association yet, at one time; beyond them the oldest "
        "one of the address that has most of them is closed for each new one.",
    )
    operations: int = Field(
        default=8,
        ge=1,
        le=64,
        description="Operations that a peer may have under way at one time on an association; a "
        "smaller asynchronous operations window that it negotiates (PS3.7 D.3.3.3) goes first.",
    )
    objects_per_minute: int = Field(
        default=0,
        ge=0,
        le=100_000_000,
        description="Objects that one peer may store in a minute, on all its associations with a "
        "network process; beyond them it is answered A700. 0 is no limit.",
    )
    bytes_per_minute: Size = Field(
        default=0,
        ge=0,
        le=1024 * GIB,
        description="Bytes that one peer may store in a minute, likewise; 0 is no limit.",
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


class ExplainSection(Section):
    """What is remembered of associations and operations that failed (`isocenter explain`)."""

    keep: int = Field(
        default=1000,
        ge=0,
        le=1_000_000,
        description="How many failures are kept, the newest; 0 keeps none.",
    )


class Peer(Section):
    """Another node: commands call it by name, C-MOVE by its AE title. One table per peer."""

    ae_title: AETitle = Field(default="ANY-SCP", description="The AE title to call.")
    host: str = Field(min_length=1, description="The host name or address.")
    port: int = Field(default=DEFAULT_PORT, ge=1, le=65535, description="The TCP port.")
    tls: bool = Field(default=False, description="Whether the peer is called over TLS.")
    certificates: Bindings = Field(
        default=(),
        description="The certificates that may stand for this peer when it calls here, and that it "
        "must show when it is called: sha256:FINGERPRINT, CN:NAME, DNS:NAME, or * for any of a "
        "trusted CA. Empty: one whose common name or DNS name is the AE title, or the host called.",
    )
    hosts: Networks = Field(
        default=(),
        description="The addresses from which it may call: IP addresses and networks. Empty: any.",
    )
    services: Annotated[tuple[ServiceName, ...], BeforeValidator(split_list)] = Field(
        default=SERVICE_NAMES,
        description="What the peer may use here when it calls under this AE title.",
    )
    move_destinations: Annotated[tuple[str, ...], BeforeValidator(split_list)] = Field(
        default=("*",),
        description="The AE titles to which it may have objects moved; * is every peer.",
    )
    labels: Labels = Field(
        default=(),
        description="It sees studies with one of these access labels only (`isocenter label`). "
        "Empty: all studies.",
    )
    user_identity: IdentityDemand = Field(
        default="optional",
        description="Whether its associations must come with a verified user identity.",
    )
    associations: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Associations that it may have open at one time; 0 is no limit of its own.",
    )
    objects_per_minute: int = Field(
        default=0,
        ge=0,
        le=100_000_000,
        description="Objects that it may store in a minute; 0 is `limits.objects_per_minute`.",
    )
    bytes_per_minute: Size = Field(
        default=0,
        ge=0,
        le=1024 * GIB,
        description="Bytes that it may store in a minute; 0 is `limits.bytes_per_minute`.",
    )
    transfer_syntaxes: Annotated[tuple[TransferSyntaxUID, ...], BeforeValidator(split_list)] = (
        Field(
            default=(),
            description="What the peer would rather be sent, the best first: these transfer "
            "syntaxes, by name or UID, are proposed before any other.",
        )
    )
    commitment_delivery: Annotated[
        tuple[CommitmentDelivery, ...], BeforeValidator(split_deliveries)
    ] = Field(
        default=EVERY_DELIVERY,
        min_length=1,
        description="On which association the peer wants its commitment reports: the `same` while "
        "it is open, a `new` one to the address above, the `next` one that the peer makes; "
        '"auto" tries all three.',
    )
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
    tls: TLSSection = TLSSection()
    identity: IdentitySection = IdentitySection()
    audit: AuditSection = AuditSection()
    limits: LimitsSection = LimitsSection()
    storage: StorageSection = StorageSection()
    deletion: DeletionSection = DeletionSection()
    find: FindSection = FindSection()
    retrieve: RetrieveSection = RetrieveSection()
    worklist: WorklistSection = WorklistSection()
    commitment: CommitmentSection = CommitmentSection()
    transcoding: TranscodingSection = TranscodingSection()
    workers: WorkersSection = WorkersSection()
    log: LogSection = LogSection()
    explain: ExplainSection = ExplainSection()
    metrics: MetricsSection = MetricsSection()
    listeners: dict[str, Listener] = Field(default_factory=dict)
    peers: dict[str, Peer] = Field(default_factory=dict)

    _file: Path | None = PrivateAttr(default=None)

    @property
    def all_listeners(self) -> dict[str, Listener]:
        """Every listener by its name in the file; the first is [listen]."""
        return {"listen": self.listen, **self.listeners}

    @property
    def tls_directory(self) -> Path:
        """Where this node's keys and certificates are."""
        return self.tls.directory or self.node.data_directory / "tls"

    @property
    def file(self) -> Path | None:
        """Where this was read from, or would be if there were such a file; absolute."""
        return self._file

    def read_from(self, file: Path) -> None:
        """Remember `file` as the one that this configuration stands in."""
        self._file = file.absolute()

    def __eq__(self, other: object) -> bool:
        """Equal are configurations that say the same, in whatever file."""
        return isinstance(other, Config) and self.model_dump() == other.model_dump()

    def answers_to(self, called_ae_title: str, listener: Listener | None = None) -> bool:
        """Whether an association that calls `called_ae_title` is meant for this node.

        It came in over `listener`, or over [listen].
        """
        match self.node.check_called_ae:
            case "never":
                return True
            case "beyond-loopback" if (listener or self.listen).is_local:
                return True
        return called_ae_title.strip(" ") in (self.node.ae_title, *self.node.also_known_as)
