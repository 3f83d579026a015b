"""Chapter 7: associations, presentation contexts and statuses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from isocenter.conformance.capabilities import ApplicationEntity, Capabilities, TransferCapability
from isocenter.conformance.document.overview import label
from isocenter.conformance.document.parts import (
    Block,
    Section,
    Table,
    not_applicable,
    text,
)
from isocenter.conformance.document.wording import joined, syntaxes_in_words, yes_no
from isocenter.conformance.facts import ServiceStatuses
from isocenter.dictionary.uids import uid_name
from isocenter.upperlayer.pdu import DICOM_APPLICATION_CONTEXT

_CONTEXT_HEADINGS = ("SOP classes", "Transfer syntaxes", "Role", "Extended negotiation")
_NAMED = 8


def network(document: Capabilities) -> Section:
    """Chapter 7."""
    return Section(
        "Network and Media Communication Details",
        (),
        [
            Section(
                "General", (), [Section("General Association Parameters", [_general(document)])]
            ),
            Section(
                "Specifications",
                (),
                [
                    _specification(entity, label(entity, at), document)
                    for at, entity in enumerate(document.entities)
                ],
            ),
            Section(
                "Status Codes",
                (),
                [
                    Section("General Communication and Failure Behavior", _failures()),
                    Section(
                        "DIMSE Services",
                        (),
                        [_statuses(one) for one in document.behaviour.statuses],
                    ),
                    not_applicable("DICOM Web Services"),
                ],
            ),
        ],
    )


def _general(document: Capabilities) -> Table:
    product = document.product
    return Table(
        "General association parameters",
        ("Name", "Value"),
        [
            ("Application Context Name", DICOM_APPLICATION_CONTEXT),
            ("Implementation Class UID", product.implementation_class_uid),
            ("Implementation Version Name", product.implementation_version_name),
        ],
    )


def _specification(entity: ApplicationEntity, name: str, document: Capabilities) -> Section:
    return Section(
        f"{name} Application Entity",
        (),
        [
            Section("Sequencing of Real-World Activities", text(_sequence(entity))),
            Section("Association Parameters", [_parameters(entity)]),
            Section(
                "Association Initiation",
                [_contexts(entity, initiation=True)] if entity.initiates else text("None."),
            ),
            Section(
                "Association Acceptance",
                _acceptance(entity, document) if entity.accepts else text("None."),
            ),
        ],
    )


def _sequence(entity: ApplicationEntity) -> str:
    if entity.accepts:
        return (
            "Storing, querying, retrieving and the rest may come in any order and at the same "
            "time, on one association or on several. A report of storage commitment follows its "
            "request; the sub-operations of a retrieve come before its last response."
        )
    return "Each command opens associations for what it was asked to do, and releases them."


def _parameters(entity: ApplicationEntity) -> Table:
    association = entity.association
    rows = [
        ("AE title", joined((entity.ae_title, *entity.also_known_as))),
        ("Maximum PDU length received (bytes)", _number(association.maximum_pdu)),
        ("Associations accepted at one time", _number(association.most_accepted)),
        (
            "Associations initiated at one time, for each C-MOVE",
            _number(association.most_initiated),
        ),
        ("Operations invoked at one time", _number(association.operations_invoked)),
        ("Operations performed at one time", _number(association.operations_performed)),
        ("Presentation contexts in one request", _number(association.contexts)),
        *(
            (f"{timer.name} timer (seconds)", f"{timer.seconds:g}: {timer.meaning}")
            for timer in association.timers
        ),
    ]
    return Table(f"Association parameters of {entity.ae_title}", ("Name", "Value"), rows)


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _contexts(entity: ApplicationEntity, *, initiation: bool) -> Table:
    """SOP classes that are alike in everything share a row."""
    alike: dict[tuple[str, str, str], list[str]] = {}
    for one in entity.capabilities:
        syntaxes = one.proposes if initiation else one.accepts
        if syntaxes:
            kind = (syntaxes_in_words(syntaxes), _role(one, initiation=initiation))
            alike.setdefault((*kind, joined(one.options)), []).append(one.sop_class)
    which = "proposed" if initiation else "accepted"
    return Table(
        f"Presentation contexts {which} by {entity.ae_title}",
        _CONTEXT_HEADINGS,
        [(_classes(uids), *kind) for kind, uids in alike.items()],
    )


def _role(one: TransferCapability, *, initiation: bool) -> str:
    default = "SCU" if initiation else "SCP"
    return one.role if one.role == default else f"{one.role} (SCP/SCU Role Selection)"


def _classes(uids: Sequence[str]) -> str:
    if len(uids) <= _NAMED:
        return "\n".join(f"{uid_name(uid)} ({uid})" for uid in uids)
    return f"{len(uids)} storage SOP classes: those of section 1.1"


def _acceptance(entity: ApplicationEntity, document: Capabilities) -> list[Block]:
    connections = [one for one in document.connections if one.name in entity.connections]
    return [
        _contexts(entity, initiation=False),
        Table(
            "Acceptance policy",
            ("Question", "Answer"),
            [
                ("Must the called AE title be right?", yes_no(entity.checks_called_ae)),
                ("Must the calling AE title be known?", yes_no(entity.checks_calling_ae)),
                ("Are unknown SOP classes stored?", yes_no(entity.stores_unknown_sop_classes)),
                (
                    "Where does it listen?",
                    "\n".join(
                        f"{one.host} port {one.port}, {'TLS' if one.tls else 'without TLS'}"
                        for one in connections
                    ),
                ),
            ],
        ),
        Table(
            "Association rejection",
            ("Result", "Source", "Reason", "When"),
            list(_rejections()),
        ),
    ]


def _rejections() -> Iterator[tuple[str, str, str, str]]:
    yield "1", "1", "1", "nothing is proposed, or the user identity is not accepted"
    yield "1", "1", "2", "the application context is not that of DICOM"
    yield "1", "1", "3", "the calling AE title is not known, or may not call from there"
    yield "1", "1", "7", "the called AE title is none of this node's"
    yield "1", "2", "2", "the protocol version is not supported"
    yield "2", "3", "2", "a limit of associations or presentation contexts is exceeded"


def _failures() -> list[Block]:
    return text(
        "A peer that breaks the protocol is answered with A-ABORT, as PS3.8 Table 9-10 demands. A "
        "connection that is lost ends what was under way on it; what was acknowledged before "
        "stands. A failure of TLS integrity ends the connection without an A-P-ABORT, for no more "
        "can be said on it; in the log stands why. As user, objects of a lost association are "
        "sent again on another one, and answers of A7xx are followed by further attempts.",
    )


def _statuses(statuses: ServiceStatuses) -> Section:
    return Section(
        f"{statuses.service[:1].upper()}{statuses.service[1:]}",
        [
            Table(
                f"Statuses of {statuses.service}, sent as {statuses.role}",
                ("Status", "Category", "Meaning", "When"),
                [
                    (code.text, code.category, code.meaning, code.behaviour)
                    for code in statuses.codes
                ],
            )
        ],
    )
