"""Chapter 8: ports, TLS, user identities, audit."""

from __future__ import annotations

from isocenter.conformance.capabilities import Capabilities
from isocenter.conformance.document.parts import (
    NOT_APPLICABLE,
    Block,
    Section,
    Table,
    not_applicable,
    text,
)
from isocenter.conformance.document.wording import joined, yes_no


def security(document: Capabilities) -> Section:
    """Chapter 8."""
    return Section(
        "Security",
        (),
        [
            Section(
                "Introduction",
                text(
                    "Beyond the machine it runs on the node speaks TLS, and knows who calls, "
                    "unless its configuration says otherwise for a listener; section 8.3 tells."
                ),
            ),
            Section(
                "External Network Requirements",
                text("None but TCP; host names are resolved by the operating system."),
            ),
            Section("TCP Port Configuration", [_ports(document)]),
            Section("DICOM Security Profiles Support", (), _profiles(document)),
            Section("User Identity Negotiation Support", (), _identities(document)),
            not_applicable("Web Services Security Features"),
            Section(
                "Other Security Features",
                (),
                [
                    not_applicable("Media Storage Security"),
                    Section(
                        "Network Security",
                        text(
                            document.security.certificates or "Nothing is told of certificates.",
                            "What a peer sends is bounded in size, depth, count and time before it "
                            "is trusted.",
                        ),
                    ),
                    Section(
                        "Other Security Features",
                        text(
                            "The log holds no patient data. The audit trail is hash-chained, so "
                            "that a change to it shows. Access labels bound what a peer or user "
                            "sees."
                        ),
                    ),
                ],
            ),
        ],
    )


def _ports(document: Capabilities) -> Table:
    return Table(
        "TCP ports",
        ("Listener", "Host", "Port", "Protocol", "Client certificate"),
        [
            (
                one.name,
                one.host,
                "-" if one.port is None else str(one.port),
                "DICOM upper layer over TLS" if one.tls else "DICOM upper layer",
                one.tls.client_certificate if one.tls else "-",
            )
            for one in document.connections
        ],
    )


def _profiles(document: Capabilities) -> list[Section]:
    return [
        Section(
            "Secure Use and User Identity",
            [
                Table(
                    "Secure use and user identity profiles",
                    ("Profile", "Supported"),
                    [
                        (
                            "A.5 Audit Trail Message Format",
                            yes_no(bool(document.security.audit_events)),
                        ),
                        (
                            "A.6 Audit Trail Message Transmission, Syslog-TLS",
                            yes_no(_by_syslog(document)),
                        ),
                        ("B.4 Basic User Identity Association", yes_no(_accepts(document, 1))),
                        (
                            "B.5 User Identity plus Passcode Association",
                            yes_no(_accepts(document, 2)),
                        ),
                        (
                            "B.6 Kerberos Identity Negotiation Association",
                            yes_no(_accepts(document, 3)),
                        ),
                        (
                            "B.7 Generic SAML Assertion Identity Negotiation Association",
                            yes_no(_accepts(document, 4)),
                        ),
                    ],
                )
            ],
        ),
        Section("Secure Transport Connection", _transport(document)),
        not_applicable("Media Storage Security"),
        not_applicable("Attribute Confidentiality"),
        not_applicable("Digital Signature"),
        not_applicable("Additional DICOM Security Profiles"),
    ]


def _by_syslog(document: Capabilities) -> bool:
    return any(
        key.path == "audit.syslog" and key.value not in ("", '""')
        for key in document.behaviour.configuration
    )


def _accepts(document: Capabilities, number: int) -> bool:
    return any(one.number == number and one.accepted for one in document.security.user_identities)


def _transport(document: Capabilities) -> list[Block]:
    """The profile that is claimed, and the suites that the contexts really offer."""
    blocks: list[Block] = []
    sides = [(f"listener {one.name}", one.tls) for one in document.connections if one.tls]
    if document.client_tls is not None:
        sides.append(("associations that the node initiates", document.client_tls))
    for name, tls in sides:
        blocks += text(f"{tls.profile or 'No profile'}: {name}.")
        blocks.append(
            Table(
                f"TLS of the {name}",
                ("Version", "Cipher suites"),
                [
                    (version, "\n".join(s.name for s in tls.suites if s.version == version))
                    for version in tls.versions
                ],
            )
        )
    plain = [one.name for one in document.connections if one.tls is None]
    if plain:
        blocks += text(f"Without TLS: {joined(plain)}.")
    return blocks or text(NOT_APPLICABLE)


def _identities(document: Capabilities) -> list[Section]:
    rows = document.security.user_identities
    return [
        Section(
            "Association Initiation",
            [
                Table(
                    "User identities that are sent",
                    ("Type", "Name", "Sent"),
                    [(str(one.number), one.name, yes_no(one.initiated)) for one in rows],
                )
            ],
        ),
        Section(
            "Association Acceptance",
            [
                Table(
                    "User identities that are taken",
                    ("Type", "Name", "Accepted", "Verified", "Comment"),
                    [
                        (
                            str(one.number),
                            one.name,
                            yes_no(one.accepted),
                            yes_no(one.verified),
                            one.note,
                        )
                        for one in rows
                    ],
                )
            ],
        ),
    ]
