"""Chapters 1 to 4: overview, table of contents, introduction, implementation model."""

from __future__ import annotations

from collections.abc import Iterator

from isocenter.conformance.capabilities import ApplicationEntity, Capabilities, Role
from isocenter.conformance.document.markdown import CONTENTS
from isocenter.conformance.document.parts import (
    Block,
    Items,
    Section,
    Table,
    not_applicable,
    text,
)
from isocenter.conformance.document.wording import (
    has_role,
    joined,
    proven,
    service_of,
    syntaxes_in_words,
    yes_no,
)
from isocenter.dictionary.sop_classes import is_storage
from isocenter.dictionary.uids import uid_name
from isocenter.services.service_names import SERVICE_NAMES, ServiceName

_GROUPS: tuple[tuple[str, tuple[ServiceName, ...]], ...] = (
    ("Verification", ("echo",)),
    ("Storage", ("store",)),
    ("Workflow Management", ("worklist", "mpps", "commitment")),
    ("Query/Retrieve", ("find", "move", "get")),
)

_TERMS = (
    ("Application Entity (AE)", "an end point of a DICOM network, with its AE title"),
    ("SCU, SCP", "service class user and provider: who asks for a service, and who performs it"),
    ("Presentation context", "a SOP class with the transfer syntaxes that are proposed for it"),
    ("Pack", "a tar file in which objects are kept as they were received"),
    ("Transfer syntax", "how a data set is encoded as bytes"),
)
_ABBREVIATIONS = (
    ("AE", "Application Entity"),
    ("DIMSE", "DICOM Message Service Element"),
    ("IOD", "Information Object Definition"),
    ("MPPS", "Modality Performed Procedure Step"),
    ("PDU", "Protocol Data Unit"),
    ("SCP, SCU", "Service Class Provider, Service Class User"),
    ("SOP", "Service-Object Pair"),
    ("TLS", "Transport Layer Security"),
    ("UID", "Unique Identifier"),
    ("VR", "Value Representation"),
)


def overview(document: Capabilities) -> Section:
    """Chapter 1."""
    return Section(
        "Overview",
        text(
            f"{document.title} is a DICOM archive and network node: it stores objects of every "
            "storage SOP class as they are received, answers queries, sends objects to those who "
            "ask for them, vouches for what it keeps, and offers modalities their worklist.",
            "This statement is made by the program from its running configuration and from the "
            "tables that decide what it does.",
        ),
        [
            Section(
                "Content and Transfer",
                [_content(document)],
                [not_applicable("Structured Reporting Root Template IDs")],
            ),
            Section(
                "DIMSE Services",
                text("What is proven names other people's programs, with which it was tried."),
                [
                    *(Section(title, [_services(document, *names)]) for title, names in _GROUPS),
                    not_applicable("Print Management"),
                ],
            ),
            not_applicable("DICOM Web Services"),
            not_applicable("Media Services"),
            not_applicable("Real-Time Video Services"),
            not_applicable("De-identification Profiles"),
            Section("Specific Character Sets", [_character_sets(document)]),
        ],
    )


def contents() -> Section:
    """Chapter 2, which is filled in by whoever writes the document."""
    return Section(CONTENTS)


def introduction(document: Capabilities) -> Section:
    """Chapter 3."""
    return Section(
        "Introduction",
        (),
        [
            Section(
                "Revision History",
                [
                    Table(
                        "Revision history",
                        ("Date", "Made by", "Description"),
                        [(document.made_at, document.made_by, "Made from the configuration")],
                    )
                ],
            ),
            Section(
                "Audience",
                text(
                    "Whoever connects this node with other systems, plans that, or decides about "
                    "it. The reader is expected to know the terms of the DICOM standard."
                ),
            ),
            Section(
                "Remarks",
                text(
                    "DICOM by itself does not guarantee interoperability. This statement allows a "
                    "first comparison of systems; it does not replace a test with the other "
                    "system. The JSON form of it can be compared with another one, and with what "
                    "a node was measured to do."
                ),
            ),
            Section("Terms and Definitions", [Table("Terms", ("Term", "Meaning"), _TERMS)]),
            Section(
                "Abbreviations",
                [Table("Abbreviations", ("Abbreviation", "Meaning"), _ABBREVIATIONS)],
            ),
            Section(
                "References",
                [Items(["NEMA PS3, Digital Imaging and Communications in Medicine (DICOM)"])],
            ),
        ],
    )


def implementation_model(document: Capabilities) -> Section:
    """Chapter 4."""
    return Section(
        "Implementation Model",
        (),
        [
            Section(
                "Application Entities and Data Flow",
                [
                    *text("What moves between the application entities and the outside world:"),
                    Table(
                        "Data flow",
                        ("Application entity", "Direction", "Service", "Real-world activity"),
                        list(_flows(document)),
                    ),
                ],
                [
                    Section(f"Functional Definition of {label(entity, at)}", _functions(entity))
                    for at, entity in enumerate(document.entities)
                ],
            )
        ],
    )


def label(entity: ApplicationEntity, at: int) -> str:
    """The name of an AE in the text; several may share a title."""
    what = "network node" if entity.accepts else "commands"
    return f"{entity.ae_title} ({what})" if at or entity.accepts else entity.ae_title


def _content(document: Capabilities) -> Table:
    rows = []
    classes = dict.fromkeys(
        one.sop_class
        for entity in document.entities
        for one in entity.capabilities
        if is_storage(one.sop_class)
    )
    for uid in classes:
        stored = any(entity.capability(uid, "SCP") is not None for entity in document.entities)
        sent = any(entity.capability(uid, "SCU") is not None for entity in document.entities)
        roles = [name for name, there in (("SCU", sent), ("SCP", stored)) if there]
        service = f"C-STORE, {joined(roles)}"
        rows.append((uid_name(uid), uid, "N", "N", yes_no(stored), "N", service))
    return Table(
        "SOP classes, and the service that moves them",
        ("SOP class", "UID", "Created", "Read", "Stored", "Displayed", "Service"),
        rows,
    )


def _services(document: Capabilities, *names: ServiceName) -> Table:
    rows = []
    for name in names:
        classes = [
            uid
            for uid in dict.fromkeys(
                one.sop_class for entity in document.entities for one in entity.capabilities
            )
            if service_of(uid) == name and (name != "store" or is_storage(uid))
        ]
        shown = (
            [("every storage SOP class of PS3.6", f"{len(classes)} SOP classes")]
            if name == "store"
            else [(uid_name(uid), uid) for uid in classes]
        )
        rows += [(*one, *_roles(document, name)) for one in shown]
    return Table(
        "Services and roles",
        ("SOP class", "UID", "SCU", "Proven as SCU", "SCP", "Proven as SCP"),
        rows,
    )


def _roles(document: Capabilities, name: ServiceName) -> Iterator[str]:
    roles: tuple[Role, Role] = ("SCU", "SCP")
    for role in roles:
        there = has_role(document, name, role)
        yield yes_no(there)
        yield proven(document, name, role) if there else "-"


def _character_sets(document: Capabilities) -> Table:
    return Table(
        "Specific character sets",
        ("Defined term", "Read", "Written"),
        [
            (one.term, yes_no(one.read), yes_no(one.written))
            for one in document.behaviour.character_sets
        ],
    )


def _flows(document: Capabilities) -> Iterator[tuple[str, str, str, str]]:
    activities: dict[ServiceName, tuple[str, str]] = {
        "echo": ("answers a test", "tests another node"),
        "store": ("takes objects and keeps them", "sends objects"),
        "find": ("answers queries", "queries another archive"),
        "move": ("sends objects to a third node", "has objects sent to a third node"),
        "get": ("sends objects on the same association", "gets objects"),
        "commitment": ("vouches for objects", "asks whether objects are kept"),
        "worklist": ("offers scheduled procedure steps", "asks for the worklist"),
        "mpps": ("keeps what is told of performed steps", "tells of performed steps"),
    }
    for at, entity in enumerate(document.entities):
        for name in SERVICE_NAMES:
            for role, words in zip(("SCP", "SCU"), activities[name], strict=True):
                there = any(
                    service_of(one.sop_class) == name
                    and one.role == role
                    and (one.accepts if role == "SCP" else one.proposes)
                    for one in entity.capabilities
                )
                if there:
                    direction = "is called" if role == "SCP" else "calls"
                    yield label(entity, at), direction, f"{name} {role}", words


def _functions(entity: ApplicationEntity) -> list[Block]:
    reach = [
        word
        for word, there in (
            ("initiates associations", entity.initiates),
            ("accepts associations", entity.accepts),
        )
        if there
    ]
    blocks = text(entity.description, f"It {' and '.join(reach)}.")
    odd = {
        one.syntaxes
        for one in entity.capabilities
        if is_storage(one.sop_class) and one.role == "SCP" and one.accepts
    }
    if odd:
        blocks += text(f"Stored in: {syntaxes_in_words(next(iter(odd)))}.")
    return blocks
