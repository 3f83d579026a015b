"""The sections of the configuration that are about services: how objects come, stay and leave."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from isocenter.server.config_values import (
    GIB,
    MIB,
    ConflictPolicy,
    Durability,
    Seconds,
    Section,
    Size,
    StepStatus,
    ValidationPolicy,
    split_list,
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
    validation: ValidationPolicy = Field(
        default="note",
        description="What happens to received objects after their C-STORE response, once their "
        "series is quiet. `note`: they are held against the standard, and `isocenter status "
        "--validation` tells what was found. `quarantine`: those with errors are hidden as well, "
        "as by `isocenter delete`, until somebody restores them. `never`: nothing.",
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
    time_limit: Seconds = Field(
        default=60.0,
        ge=0,
        le=86400,
        description="Seconds that the database may work on one query, of the worklist too, or on "
        "finding what a retrieve asks for; waits for the peer are not counted. Then it ends with "
        "status A700 (a retrieve: A701); 0 is no limit.",
    )
    header_limit: int = Field(
        default=10_000,
        ge=0,
        le=100_000_000,
        description="Stored headers that one query may read, for keys that the index does not "
        "keep; behind them it ends with status A700; 0 is no limit.",
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


class WorklistSection(Section):
    """What modalities are offered when they ask for their worklist (PS3.4 Annex K)."""

    hidden_statuses: Annotated[tuple[StepStatus, ...], BeforeValidator(split_list)] = Field(
        default=("COMPLETED", "DISCONTINUED"),
        description="Scheduled procedure steps in these statuses are not offered. Performed "
        "procedure steps (MPPS) bring a scheduled one to STARTED, COMPLETED or DISCONTINUED.",
    )
    limit: int = Field(
        default=0,
        ge=0,
        le=100_000_000,
        description="Items after which a query of the worklist ends with status A700 (out of "
        "resources); 0 is no limit.",
    )


class CommitmentSection(Section):
    """How storage commitment is given (PS3.4 Annex J)."""

    maximum_instances: int = Field(
        default=100_000,
        ge=1,
        le=1_000_000,
        description="The instances that one request may name; a larger one is refused (0213).",
    )
    open_instances: int = Field(
        default=5_000_000,
        ge=1,
        le=1_000_000_000,
        description="The instances of all transactions that wait for their report; beyond that, "
        "requests are refused (0213).",
    )
    retry_for: Seconds = Field(
        default=259_200.0,
        ge=1,
        le=31_536_000,
        description="Seconds for which the delivery of a report is tried before it is given up.",
    )
    first_retry: Seconds = Field(
        default=10.0,
        ge=0.01,
        le=86400,
        description="The pause after the first failed delivery; each further one is twice as long.",
    )
    longest_retry: Seconds = Field(
        default=3600.0, ge=0.01, le=86400, description="The longest pause between two deliveries."
    )
    response_timeout: Seconds = Field(
        default=60.0,
        ge=0.1,
        le=3600,
        description="The wait for the requester's answer to a report.",
    )
    keep_for: Seconds = Field(
        default=2_592_000.0,
        ge=0,
        le=315_360_000,
        description="Seconds for which ended transactions are listed by `isocenter commit list`.",
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
