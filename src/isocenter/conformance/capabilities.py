"""What a node can do, in one form for what is claimed, measured and imported.

A `Capabilities` document is what `isocenter conformance statement`, `probe` and `import` write as
JSON, and what `compare` reads. The models are its only description: `schema()` is made from them.
Everything is bounded, for documents come from strangers. A field that nobody knows the value of is
None or empty; nothing is filled in by guess.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from isocenter.conformance.facts import (
    AuditEvent,
    CharacterSet,
    ConfigurationKey,
    Conversion,
    Definition,
    InformationModel,
    Proof,
    ServiceStatuses,
)

FORMAT = "isocenter-capabilities"
VERSION = 1
"""Grows with every change that older readers would misread."""

MOST_ENTITIES = 256
MOST_CAPABILITIES = 4096
MOST_SYNTAXES = 256

_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")


def _checked_uid(value: str) -> str:
    if len(value) > 64 or not _UID.fullmatch(value):
        raise ValueError("this is no UID (PS3.5 9.1)")
    return value


Uid = Annotated[str, Field(max_length=64), AfterValidator(_checked_uid)]
Name = Annotated[str, Field(max_length=256)]
Text = Annotated[str, Field(max_length=4096)]
Syntaxes = Annotated[tuple[Uid, ...], Field(max_length=MOST_SYNTAXES)]
Role = Literal["SCU", "SCP"]
Kind = Literal["statement", "probe", "import"]


class Model(BaseModel):
    """A part of the document: unknown fields are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Product(Model):
    """Whose node it is (PS3.15 Table H.1-2)."""

    name: Name = ""
    manufacturer: Name = ""
    model: Name = ""
    versions: tuple[Name, ...] = Field(default=(), max_length=32)
    description: Text = ""
    implementation_class_uid: Annotated[str, Field(max_length=64)] = ""
    implementation_version_name: Annotated[str, Field(max_length=16)] = ""


class Suite(Model):
    """A cipher suite by its name in OpenSSL, and the version of TLS it belongs to."""

    version: Name
    name: Name


class TransportSecurity(Model):
    """The TLS of a connection: what is offered there, or was agreed to in trials."""

    profile: Name = ""
    versions: tuple[Name, ...] = Field(default=(), max_length=16)
    suites: tuple[Suite, ...] = Field(default=(), max_length=256)
    suites_complete: bool = True
    """False where of some version only the suite that came of a handshake is known."""
    client_certificate: Literal["required", "requested", "off", "not required", "unknown"] = (
        "unknown"
    )
    certificate: Text = ""
    """Subject, issuer and end of the certificate shown, in words."""


class Connection(Model):
    """Where a node is reached (PS3.15 Table H.1-6); without TLS it has no `tls`."""

    name: Name
    host: Name = ""
    port: Annotated[int, Field(ge=0, le=65535)] | None = None
    tls: TransportSecurity | None = None


class TransferCapability(Model):
    """A SOP class in one role (PS3.15 Table H.1-7), and in which transfer syntaxes.

    `proposes` are those it asks for as the requestor of associations, `accepts` those it takes as
    their acceptor; what is claimed without that distinction stands in both. `by_role_selection`
    says that the acceptor gets the role only by SCP/SCU Role Selection (PS3.7 D.3.3.4).
    """

    sop_class: Uid
    role: Role
    proposes: Syntaxes = ()
    accepts: Syntaxes = ()
    by_role_selection: bool = False
    options: tuple[Name, ...] = Field(default=(), max_length=32)
    """What is granted of extended negotiation, by the names of `QueryOptions`."""

    @property
    def syntaxes(self) -> tuple[str, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys((*self.proposes, *self.accepts)))


class Timer(Model):
    """A bound on time, in seconds."""

    name: Name
    seconds: float = Field(ge=0, allow_inf_nan=False)
    meaning: Text = ""


class AssociationParameters(Model):
    """How associations are made and kept (PS3.8 Annex D, PS3.7 Annex D.3.3)."""

    maximum_pdu: Annotated[int, Field(ge=0, le=2**32 - 1)] | None = None
    """Bytes of a P-DATA-TF that it takes, 0 for no limit."""
    most_accepted: Annotated[int, Field(ge=0)] | None = None
    most_initiated: Annotated[int, Field(ge=0)] | None = None
    operations_invoked: Annotated[int, Field(ge=0, le=65535)] | None = None
    operations_performed: Annotated[int, Field(ge=0, le=65535)] | None = None
    """The asynchronous operations window (PS3.7 D.3.3.3); 0 is no limit, 1 none negotiated."""
    contexts: Annotated[int, Field(ge=0, le=128)] | None = None
    """Presentation contexts that it takes in one request."""
    timers: tuple[Timer, ...] = Field(default=(), max_length=64)


class ApplicationEntity(Model):
    """An AE (PS3.15 Table H.1-4). `connections` names those of the document that it uses."""

    ae_title: Annotated[str, Field(max_length=16)]
    also_known_as: tuple[Annotated[str, Field(max_length=16)], ...] = Field(
        default=(), max_length=64
    )
    description: Text = ""
    initiates: bool = False
    accepts: bool = False
    converts: bool = False
    """Whether it sends objects converted where a receiver does not take them as they are."""
    checks_called_ae: bool | None = None
    checks_calling_ae: bool | None = None
    stores_unknown_sop_classes: bool | None = None
    connections: tuple[Name, ...] = Field(default=(), max_length=64)
    association: AssociationParameters = AssociationParameters()
    capabilities: tuple[TransferCapability, ...] = Field(default=(), max_length=MOST_CAPABILITIES)

    def capability(self, sop_class: str, role: Role) -> TransferCapability | None:
        """The capability for a SOP class in a role."""
        for one in self.capabilities:
            if one.sop_class == sop_class and one.role == role:
                return one
        return None


class UserIdentityType(Model):
    """A type of user identity (PS3.7 D.3.3.7) and what becomes of it."""

    number: int = Field(ge=1, le=255)
    name: Name
    accepted: bool
    verified: bool
    initiated: bool
    note: Text = ""


class Security(Model):
    """PS3.15, as far as it is not a connection's own TLS."""

    user_identities: tuple[UserIdentityType, ...] = Field(default=(), max_length=16)
    audit_events: tuple[AuditEvent, ...] = Field(default=(), max_length=256)
    audit_transport: Text = ""
    certificates: Text = ""


class Finding(Model):
    """Something that was seen, and the evidence: the peer's own words where there are any."""

    id: Annotated[str, Field(max_length=64, pattern=r"[a-z][a-z0-9-]*")]
    severity: Literal["note", "warning", "error"]
    text: Text
    evidence: Text = ""


class Tried(Model):
    """What a probe asked for; what is not in it is unknown, not refused."""

    sop_classes: tuple[Uid, ...] = Field(default=(), max_length=MOST_CAPABILITIES)
    transfer_syntaxes: Syntaxes = ()
    associations: int = Field(default=0, ge=0)
    presentation_contexts: int = Field(default=0, ge=0)
    seconds: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    complete: bool = True
    """False where the time ran out, or the peer ended it."""


class Behaviour(Model):
    """What only a statement tells, because no probe can see it."""

    statuses: tuple[ServiceStatuses, ...] = Field(default=(), max_length=64)
    information_models: tuple[InformationModel, ...] = Field(default=(), max_length=64)
    character_sets: tuple[CharacterSet, ...] = Field(default=(), max_length=128)
    configuration: tuple[ConfigurationKey, ...] = Field(default=(), max_length=2048)
    definitions: tuple[Definition, ...] = Field(default=(), max_length=1024)
    proofs: tuple[Proof, ...] = Field(default=(), max_length=2048)


class Capabilities(Model):
    """One node."""

    format: Literal["isocenter-capabilities"] = "isocenter-capabilities"
    version: Literal[1] = 1
    kind: Kind
    made_at: Annotated[str, Field(max_length=40)] = ""
    made_by: Name = ""
    product: Product = Product()
    connections: tuple[Connection, ...] = Field(default=(), max_length=64)
    entities: tuple[ApplicationEntity, ...] = Field(default=(), max_length=MOST_ENTITIES)
    client_tls: TransportSecurity | None = None
    """What it offers when it calls others over TLS; None where that is not known."""
    conversions: tuple[Conversion, ...] = Field(default=(), max_length=4096)
    """What it can turn objects into before it sends them."""
    security: Security = Security()
    behaviour: Behaviour = Behaviour()
    tried: Tried | None = None
    findings: tuple[Finding, ...] = Field(default=(), max_length=4096)

    @model_validator(mode="after")
    def _connections_are_there(self) -> Self:
        known = {one.name for one in self.connections}
        for entity in self.entities:
            if missing := set(entity.connections) - known:
                raise ValueError(f"the AE names a connection that is not there: {min(missing)}")
        return self

    @property
    def title(self) -> str:
        """What to call the node."""
        titles = "/".join(dict.fromkeys(entity.ae_title for entity in self.entities))
        return self.product.name or titles or "unnamed node"


def schema() -> dict[str, Any]:
    """The JSON Schema of the document."""
    made = Capabilities.model_json_schema()
    made["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return made
