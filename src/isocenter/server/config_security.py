"""The sections of the configuration about trust: listeners, TLS, identity, audit, deletion."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from isocenter.server.addressing import DEFAULT_PORT, DEFAULT_TLS_PORT
from isocenter.server.config_values import Seconds, Section, is_loopback, split_list

Reach = Literal["beyond-loopback", "always", "never"]
"""When something holds: on listeners that other machines can reach, on all, on none."""

ClientCertificates = Literal["required", "requested", "off"]
"""Whether a TLS client must show a certificate, may, or is not asked."""

IdentityDemand = Literal["optional", "required"]
"""Whether an association must come with a user identity that was verified (PS3.7 D.3.3.7)."""

TLSProfile = Literal["bcp195", "hardened"]
"""PS3.15 B.12, or only what B.13 lists of it."""

JWTAlgorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"
]
"""How tokens are signed; one is pinned, and never a shared secret or none."""


OptionalPath = Annotated[Path | None, BeforeValidator(lambda value: value or None)]
"""A path; an empty text is none."""


class Listener(Section):
    """A further address where associations are accepted. One table per listener."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="The address to listen on. Beyond loopback it is TLS, or needs "
        "`insecure = true`.",
    )
    port: int = Field(
        default=DEFAULT_PORT,
        ge=0,
        le=65535,
        description="The TCP port; 0 takes any free one. With TLS the default is 2762.",
    )
    backlog: int = Field(
        default=2048, ge=1, le=65535, description="Connections that may wait to be accepted."
    )
    tls: Reach = Field(
        default="beyond-loopback",
        description="When this listener speaks TLS (PS3.15 B.12).",
    )
    client_certificates: ClientCertificates = Field(
        default="required",
        description="Whether a TLS client must show a certificate of a trusted CA, is asked for "
        "one, or not.",
    )
    known_ae: Reach = Field(
        default="beyond-loopback",
        description="When the calling AE title must be one of [peers], for every service.",
    )
    user_identity: IdentityDemand = Field(
        default="optional",
        description="Whether an association must come with a user identity that can be verified.",
    )
    insecure: bool = Field(
        default=False,
        description="Allow plain, unencrypted DICOM beyond loopback on this listener. Anyone on "
        "the network can then read what is sent.",
    )

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self.host)

    @property
    def uses_tls(self) -> bool:
        """Whether it speaks TLS."""
        if self.tls == "beyond-loopback":
            return not (self.is_local or self.insecure)
        return self.tls == "always"

    @property
    def wants_known_ae(self) -> bool:
        """Whether strangers are rejected."""
        if self.known_ae == "beyond-loopback":
            return not self.is_local
        return self.known_ae == "always"

    @model_validator(mode="after")
    def _plain_stays_on_loopback(self) -> Listener:
        if not (self.uses_tls or self.insecure or self.is_local):
            raise PydanticCustomError(
                "insecure_listener",
                "listening on {host} without TLS would accept unencrypted DICOM from beyond this "
                "machine; leave out tls, or write insecure = true for this very listener",
                {"host": self.host},
            )
        if self.uses_tls and "port" not in self.model_fields_set:
            self.__dict__["port"] = DEFAULT_TLS_PORT
        return self


class ListenSection(Listener):
    """Where associations are accepted; [listeners.NAME] adds further addresses."""


class TLSSection(Section):
    """Certificates and the TLS of every connection, in and out (`isocenter tls`)."""

    directory: OptionalPath = Field(
        default=None,
        description="The folder of this node's keys, certificates and its CA; by default `tls` in "
        "the data folder, made at first need.",
    )
    certificate: OptionalPath = Field(
        default=None,
        description="This node's certificate, with its chain, as PEM; by default the folder's.",
    )
    key: OptionalPath = Field(
        default=None, description="Its private key, as PEM; readable by its owner only."
    )
    trusted: OptionalPath = Field(
        default=None,
        description="The certification authorities that are trusted, as PEM; by default the "
        "folder's: the local CA and what `isocenter tls trust` added.",
    )
    revoked: OptionalPath = Field(
        default=None,
        description="Certificate revocation lists, as PEM; by default the folder's.",
    )
    profile: TLSProfile = Field(
        default="bcp195",
        description="`bcp195`: PS3.15 B.12. `hardened`: of its cipher suites those that B.13 "
        "lists, too.",
    )
    handshake_timeout: Seconds = Field(
        default=10.0, ge=0.1, le=600, description="How long a TLS handshake may take."
    )
    expiry_warning: int = Field(
        default=30,
        ge=0,
        le=3650,
        description="Days before the end of a certificate from which the log warns of it.",
    )


class IdentitySection(Section):
    """How user identities are verified (PS3.7 D.3.3.7): passcodes and tokens."""

    failures: int = Field(
        default=5,
        ge=1,
        le=1000,
        description="Failed attempts under one user name, or from one address, after which further "
        "ones are refused for `lockout`.",
    )
    lockout: Seconds = Field(
        default=60.0, ge=0, le=86400, description="How long they are refused then."
    )
    jwt_key: OptionalPath = Field(
        default=None,
        description="The public key of the issuer of JSON Web Tokens, as PEM; without it tokens "
        "are refused.",
    )
    jwt_algorithm: JWTAlgorithm = Field(
        default="RS256", description="The signature algorithm of tokens; no other is accepted."
    )
    jwt_issuer: str = Field(default="", description="The issuer (`iss`) that a token must name.")
    jwt_audience: str = Field(
        default="", description="The audience (`aud`) that it must name; by default the AE title."
    )

    @model_validator(mode="after")
    def _issuer_is_pinned(self) -> IdentitySection:
        if self.jwt_key is not None and not self.jwt_issuer:
            raise PydanticCustomError(
                "jwt_issuer",
                "jwt_key needs jwt_issuer, the one issuer whose tokens are accepted",
            )
        return self


def checked_syslog(value: str) -> str:
    """A syslog server, normalized; an empty text is none."""
    from isocenter.security.audit.target import BadTarget, parse_target

    try:
        return str(parse_target(value)) if value.strip() else ""
    except BadTarget as error:
        raise PydanticCustomError("syslog", "{why}", {"why": str(error)}) from None


class AuditSection(Section):
    """The audit trail (PS3.15 A.5): who did what with whose images."""

    enabled: bool = Field(default=True, description="Keep an audit trail.")
    interval: Seconds = Field(
        default=10.0,
        ge=0.1,
        le=3600,
        description="How long an association may store before what it stored so far is told of, "
        "one message for a study; what a crash can take with it.",
    )
    syslog: Annotated[str, AfterValidator(checked_syslog)] = Field(
        default="",
        description="HOST:PORT of a syslog server that gets every message over TLS (RFC 5425); "
        "without it the trail stays in the database.",
    )
    syslog_trusted: OptionalPath = Field(
        default=None,
        description="The CAs that the syslog server's certificate must come from, as PEM; by "
        "default those of [tls].",
    )
    spool: int = Field(
        default=1_000_000,
        ge=1000,
        le=1_000_000_000,
        description="Messages that may wait for the syslog server before the log warns that it "
        "falls behind; none is dropped.",
    )
    keep_for: int = Field(
        default=0,
        ge=0,
        le=36_500,
        description="Days for which messages are kept; 0 keeps them for good.",
    )


class DeletionSection(Section):
    """How objects are deleted (`isocenter delete`)."""

    keep_for: Seconds = Field(
        default=604_800.0,
        ge=0,
        le=315_360_000,
        description="Seconds for which what was deleted can be brought back; then it is gone.",
    )


class MetricsSection(Section):
    """Figures for a monitoring system."""

    file: OptionalPath = Field(
        default=None,
        description="A file that is written every 15 s in Prometheus' text format, for the "
        "textfile collector of its node exporter.",
    )


def checked_network(value: str) -> str:
    """An IP address or network, normalized."""
    from ipaddress import ip_network

    try:
        return str(ip_network(value.strip(), strict=False))
    except ValueError:
        raise PydanticCustomError(
            "network", "this is no IP address and no network such as 10.1.0.0/16"
        ) from None


def checked_binding(value: str) -> str:
    """What binds a certificate to a peer, normalized; see `security.certificates.matches`."""
    from isocenter.security.binding import BadBinding, parse_binding

    try:
        return str(parse_binding(value))
    except BadBinding as error:
        raise PydanticCustomError("binding", "{why}", {"why": str(error)}) from None


def checked_label(value: str) -> str:
    """An access label."""
    from isocenter.security.access import is_label

    if not is_label(value):
        raise PydanticCustomError("label", "a label has letters, digits, '-', '_' and '.'")
    return value


Network = Annotated[str, AfterValidator(checked_network)]
Binding = Annotated[str, AfterValidator(checked_binding)]
Label = Annotated[str, AfterValidator(checked_label)]
Networks = Annotated[tuple[Network, ...], BeforeValidator(split_list)]
Bindings = Annotated[tuple[Binding, ...], BeforeValidator(split_list)]
Labels = Annotated[tuple[Label, ...], BeforeValidator(split_list)]
