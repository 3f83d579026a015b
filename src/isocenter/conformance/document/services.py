"""Chapter 5: what each service does here, with its keys and conversions."""

from __future__ import annotations

from collections.abc import Sequence

from isocenter.conformance.capabilities import Capabilities
from isocenter.conformance.document.overview import label
from isocenter.conformance.document.parts import (
    Block,
    Items,
    Section,
    Table,
    not_applicable,
    text,
)
from isocenter.conformance.document.wording import (
    NO_PROOF,
    SERVICE_TITLES,
    joined,
    proven,
    service_of,
    yes_no,
)
from isocenter.dictionary.transfer_syntaxes import TRANSFER_SYNTAXES
from isocenter.dictionary.uids import uid_name
from isocenter.services.service_names import SERVICE_NAMES

WEB_SERVICES = (
    "URI Web Service",
    "Studies Web Service",
    "Worklist Web Service",
    "Non-Patient Instance Web Service",
    "Notification Web Service",
    "Storage Commitment Web Service",
    "Modality Scheduled Procedure Step Web Service",
    "Modality Performed Procedure Step Web Service",
)


def services(document: Capabilities) -> Section:
    """Chapter 5."""
    return Section(
        "Service and Interoperability Description",
        (),
        [
            Section(
                "Mapping of Services to Application Entities",
                [_mapping(document), *_proofs(document)],
            ),
            Section("DIMSE Services", (), _dimse(document)),
            not_applicable("DICOM Web Services", *WEB_SERVICES),
            not_applicable("Media Services"),
            not_applicable("Real-Time Video Services"),
            Section(
                "Cross-Service Considerations",
                text(
                    "Queries, retrievals and storage commitment see every object as soon as its "
                    "storage was acknowledged. A performed procedure step moves the items of the "
                    "worklist that it names along. Access labels narrow what queries and "
                    "retrievals of a peer or user show; they answer as if the rest were not there."
                ),
            ),
            Section(
                "Specific Character Sets",
                text(
                    "Objects are kept byte for byte, in whatever character set they declare. What "
                    "is indexed is decoded from it; text without a declared set is read as UTF-8 "
                    "where it can be, else as ISO_IR 100. Responses come in the character set of "
                    "the request where it carries the text, else in UTF-8 (ISO_IR 192). Person "
                    "names match without regard to case and accents, in each component group."
                ),
            ),
        ],
    )


def _mapping(document: Capabilities) -> Table:
    rows = []
    for name in SERVICE_NAMES:
        cells = []
        for entity in document.entities:
            roles = {one.role for one in entity.capabilities if service_of(one.sop_class) == name}
            cells.append(joined(sorted(roles)))
        rows.append((SERVICE_TITLES[name], *cells))
    titles = [label(entity, at) for at, entity in enumerate(document.entities)]
    return Table("Services and application entities", ("Service", *titles), rows)


def _proofs(document: Capabilities) -> list[Block]:
    """Every test by its name; where no run is on record, that is said."""
    proofs = document.behaviour.proofs
    if not proofs:
        return text(f"Interoperability: {NO_PROOF}.")
    rows = [
        (
            f"{one.service} {one.role}",
            f"{one.peer} {one.peer_version}".strip(),
            "\n".join(test.removeprefix("tests/interop/") for test in one.tests) or "-",
            one.passed_on or "no run is on record",
        )
        for one in proofs
    ]
    headings = ("Service", "With", "Tests (in tests/interop)", "Last passed")
    return [Table("Interoperability tests that prove each service", headings, rows)]


def _dimse(document: Capabilities) -> list[Section]:
    return [
        Section("Basic Worklist Management Service", _worklist(document)),
        Section(
            "Modality Performed Procedure Step Service",
            text(
                "N-CREATE, N-SET and N-GET follow PS3.4 F.7.2 and F.8.2; each is durable before "
                "its success. Attributes of type 1 that are missing are refused, those of type 2 "
                "are not missed. An ended step can no longer be changed.",
                f"As SCP: {_flat(proven(document, 'mpps', 'SCP'))}.",
            ),
        ),
        not_applicable("Unified Worklist and Procedure Step Service"),
        not_applicable("Instance Availability Notification Service"),
        Section(
            "Storage Service",
            (),
            [
                Section(
                    "SCU of the Storage SOP Classes",
                    text(
                        "Objects are sent for C-MOVE and C-GET, and by the commands. Each kind of "
                        "object, SOP class and transfer syntax, is proposed in a context of its "
                        "own as it is stored, and each SOP class once more uncompressed."
                    ),
                    [Section("Transcoding of Transfer Syntaxes", _transcoding(document))],
                ),
                Section("SCP of the Storage SOP Classes", _storage_scp(document)),
            ],
        ),
        Section("Storage Commitment Service", _commitment(document)),
        Section("Query/Retrieve Service Class", *_query_retrieve(document)),
        not_applicable("Print Management Service"),
    ]


def _worklist(document: Capabilities) -> list[Block]:
    blocks = text(
        "Items are added by the node's own commands. Those in a status of worklist.hidden_statuses "
        "are not offered. Ranges of start date and start time are one interval (PS3.4 Table K.6-1)."
    )
    return blocks + [
        _keys(model.name, model.levels[0].keys)
        for model in document.behaviour.information_models
        if len(model.levels) == 1
    ]


def _transcoding(document: Capabilities) -> list[Block]:
    targets = list(dict.fromkeys(one.target for one in document.conversions))
    possible = {(one.source, one.target) for one in document.conversions}
    rows = [
        (
            uid_name(source),
            *(
                "as stored"
                if source == target
                else ("SUPPORTED" if (source, target) in possible else "NOT_SUPPORTED")
                for target in targets
            ),
        )
        for source in TRANSFER_SYNTAXES
    ]
    return [
        *text("The SOP Instance UID stays, for nothing is lost; nothing is ever compressed anew."),
        Table(
            "Transcoding for receivers that do not take an object as it is stored",
            ("Stored in", *map(uid_name, targets)),
            rows,
        ),
    ]


def _storage_scp(document: Capabilities) -> list[Block]:
    keys = {one.path: one.value for one in document.behaviour.configuration}
    return [
        *text(
            "Every storage SOP class is taken in every transfer syntax, in the order in which the "
            "requestor lists them. Level of conformance: 2 (full); every element is kept, private "
            "ones too, and nothing is coerced (PS3.4 B.4.1). Digital signatures are kept as bytes."
        ),
        Items(
            [
                "durability of a success: " + keys.get("storage.durability", "not told"),
                "the same object again: success, and nothing changes",
                "another object under a known SOP Instance UID: "
                + keys.get("storage.on_conflict", "not told"),
                "private and unknown SOP classes are stored: "
                + keys.get("storage.accept_unknown_sop_classes", "not told"),
                "Original Attributes Sequence: none is written, for no attribute is changed",
                "private attributes that are added: none",
            ]
        ),
    ]


def _commitment(document: Capabilities) -> list[Block]:
    keys = {one.path: one.value for one in document.behaviour.configuration}
    return [
        *text(
            "Push Model. An instance is committed to only after its bytes were forced to the disk, "
            "read back, and found to have the digest that they came with. A committed instance is "
            "kept until somebody deletes it by a command, which the audit trail tells."
        ),
        Items(
            [
                "a report goes out on the association of the request, on a new one, or on the "
                "requester's next one, as is configured for the peer",
                "instances in one request: up to "
                + keys.get("commitment.maximum_instances", "not told"),
                "delivery is tried for (seconds): " + keys.get("commitment.retry_for", "not told"),
                "transactions are remembered for (seconds): "
                + keys.get("commitment.keep_for", "not told"),
            ]
        ),
        *text(f"As SCP: {_flat(proven(document, 'commitment', 'SCP'))}."),
    ]


def _query_retrieve(document: Capabilities) -> tuple[list[Block], list[Section]]:
    options = [
        (uid_name(one.sop_class), joined(one.options))
        for entity in document.entities
        for one in entity.capabilities
        if one.role == "SCP" and service_of(one.sop_class) in ("find", "move", "get", "worklist")
    ]
    blocks: list[Block] = [
        *text(
            "Queries are hierarchical, and relational where that is negotiated. Person names are "
            "matched fuzzily where that is negotiated."
        ),
        Table("Extended negotiation that is granted", ("SOP class", "Options"), options),
    ]
    sections = []
    for model in document.behaviour.information_models:
        if len(model.levels) > 1:
            tables: list[Block] = [
                _keys(f"{model.name}, {level.level}", level.keys) for level in model.levels
            ]
            sections.append(Section(f"{model.name} Model", [*text(model.note), *tables]))
    return blocks, sections


def _keys(caption: str, keys: Sequence[object]) -> Table:
    rows = [
        (
            str(getattr(key, "keyword", "")),
            str(getattr(key, "tag", "")),
            str(getattr(key, "vr", "")),
            joined(getattr(key, "matching", ())),
            yes_no(True),
            str(getattr(key, "note", "")),
        )
        for key in keys
    ]
    headings = ("Attribute", "Tag", "VR", "Matching", "Returned", "Comment")
    return Table(f"Keys: {caption}", headings, rows)


def _flat(lines: str) -> str:
    return "; ".join(lines.splitlines())
