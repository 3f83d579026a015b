"""Annexes A to E: IODs, structured reports, details of security, mappings, code sets."""

from __future__ import annotations

from isocenter.conformance.capabilities import Capabilities
from isocenter.conformance.document.parts import Section, Table, not_applicable, text
from isocenter.conformance.document.wording import joined
from isocenter.dictionary.uids import uid_name
from isocenter.security.audit.syslog import MESSAGE_ID, PRIORITY


def annexes(document: Capabilities) -> list[Section]:
    """All five."""
    return [
        _definitions(document),
        not_applicable("Structured Report Content Encoding"),
        _security_details(document),
        _mapping(),
        _code_sets(document),
    ]


def _definitions(document: Capabilities) -> Section:
    return Section(
        "Information Object Definitions",
        text(
            "The node creates no instances and changes none: objects are stored and sent with the "
            "attributes that their makers gave them. These are the IODs that it knows, and by "
            "whose rules it can look at what it is sent."
        ),
        [
            Section(
                "Information Shared across Multiple IODs",
                (),
                [
                    not_applicable("Common Modules"),
                    not_applicable("Common Functional Group Macros"),
                    not_applicable("Common Private Modules"),
                    not_applicable("Coded Values"),
                ],
            ),
            Section("Stored IODs", [_iods(document)]),
        ],
    )


def _iods(document: Capabilities) -> Table:
    return Table(
        "IODs, their SOP classes and modules",
        ("IOD", "Reference", "SOP classes", "Mandatory modules", "Conditional modules"),
        [
            (
                one.name,
                one.reference,
                "\n".join(f"{uid_name(uid)} ({uid})" for uid in one.sop_classes),
                joined(use.module for use in one.modules if use.usage == "M"),
                joined(use.module for use in one.modules if use.usage == "C"),
            )
            for one in document.behaviour.definitions
        ],
    )


def _security_details(document: Capabilities) -> Section:
    requirements = Section(
        "External Network Requirement Details",
        (),
        [
            not_applicable("Time Synchronization"),
            not_applicable("Network Address Management"),
            not_applicable("Application Configuration Management"),
            not_applicable("DNS Service Discovery"),
        ],
    )
    profiles = Section("DICOM Security Profile Details", (), _profiles(document))
    return Section("Security Details", (), [requirements, profiles])


def _profiles(document: Capabilities) -> list[Section]:
    events = Table(
        "Events that are recorded (PS3.16 CID 400)",
        ("Code", "Scheme", "Event"),
        [(one.code, one.scheme, one.meaning) for one in document.security.audit_events],
    )
    transmission = text(
        document.security.audit_transport or "Nothing is told of it.",
        f"PRI is {PRIORITY}, MSGID {MESSAGE_ID}. STRUCTURED-DATA is meta with sequenceId (RFC 5424 "
        "7.3.1). The schema is not extended. No message is cut off, and none is dropped while the "
        "server is away.",
    )
    transport = text(
        "Keys and certificates are X.509, as PEM files, made by the node's local CA or by any "
        "other. Key exchange is ephemeral, by elliptic curves; signatures are RSA of 2048 bits or "
        "ECDSA of 224 bits at least, over SHA-256 or better. Where integrity fails the connection "
        "is closed by a TLS alert, and no A-P-ABORT follows."
    )
    return [
        Section("Audit Trail Message Format", [events]),
        Section("Audit Trail Message Transmission", transmission),
        Section("Secure Transport Connection", transport),
    ]


def _mapping() -> Section:
    return Section(
        "Mapping of Attributes",
        text(
            "No image attributes are filled in here. A performed procedure step is tied to the "
            "worklist item whose Study Instance UID and Scheduled Procedure Step ID it names."
        ),
    )


def _code_sets(document: Capabilities) -> Section:
    schemes = sorted({one.scheme for one in document.security.audit_events})
    return Section(
        "Code Sets",
        text(
            "Codes in objects are stored as they are. The audit trail uses codes of "
            f"{joined(schemes)}, and 99ISOCENTER for two kinds of alerts of its own."
        ),
    )
