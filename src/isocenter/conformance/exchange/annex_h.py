"""The fields of PS3.15 Annex H, Application Configuration Management, and capabilities.

As JSON the objects of the LDAP schema stand within one another: a device has its connections and
AEs, an AE its transfer capabilities. The schema does not tell what is proposed from what is
accepted; that follows from whether the AE initiates or accepts associations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

import isocenter
from isocenter.conformance.capabilities import (
    ApplicationEntity,
    Capabilities,
    Connection,
    Finding,
    Product,
    Suite,
    TransferCapability,
    TransportSecurity,
)
from isocenter.conformance.errors import UnusableDescription
from isocenter.conformance.exchange.suites import openssl_name, registered_name, version_of
from isocenter.dictionary.uids import is_valid_uid, uid_name

Fields = dict[str, Any]

MOST = 4096
"""Objects of one kind in another."""


def to_fields(capabilities: Capabilities) -> Fields:
    """A device with the fields of Tables H.1-2 to H.1-7."""
    product = capabilities.product
    return _filled(
        {
            "dicomDeviceName": capabilities.title.lower().replace(" ", "-"),
            "dicomDescription": product.description,
            "dicomManufacturer": product.manufacturer,
            "dicomManufacturerModelName": product.model or product.name,
            "dicomSoftwareVersion": list(product.versions),
            "dicomInstalled": True,
            "dicomNetworkConnection": [_connection(one) for one in capabilities.connections],
            "dicomNetworkAE": list(_entities(capabilities)),
        }
    )


def from_fields(device: Mapping[str, Any]) -> Capabilities:
    """The capabilities of a device. Raises UnusableDescription.

    What a field means that is not read here is not guessed at; it is left out.
    """
    connections = [
        _read_connection(one, at) for at, one in _listed(device, "dicomNetworkConnection")
    ]
    findings: list[Finding] = []
    entities = [
        _read_entity(one, connections, findings) for _, one in _listed(device, "dicomNetworkAE")
    ]
    if not entities:
        raise UnusableDescription(
            "The device has no dicomNetworkAE: nothing is told of its services."
        )
    try:
        return Capabilities(
            kind="import",
            made_by=f"isocenter {isocenter.__version__}, from fields of PS3.15 Annex H",
            product=Product(
                name=_text(device, "dicomDeviceName"),
                manufacturer=_text(device, "dicomManufacturer"),
                model=_text(device, "dicomManufacturerModelName"),
                versions=tuple(_texts(device, "dicomSoftwareVersion")),
                description=_text(device, "dicomDescription"),
            ),
            connections=tuple(connections),
            entities=tuple(entities),
            findings=tuple(findings[:MOST]),
        )
    except ValidationError as error:
        raise _unusable(error) from None


def _connection(connection: Connection) -> Fields:
    tls = connection.tls
    return _filled(
        {
            "cn": connection.name,
            "dicomHostname": connection.host,
            "dicomPort": connection.port,
            "dicomTLSCipherSuite": [registered_name(one.name) for one in tls.suites] if tls else [],
        }
    )


def _entities(capabilities: Capabilities) -> Iterator[Fields]:
    """One for each AE title: entities of ours that share it are one to the network."""
    by_title: dict[str, list[ApplicationEntity]] = {}
    for entity in capabilities.entities:
        by_title.setdefault(entity.ae_title, []).append(entity)
    for title, entities in by_title.items():
        names = dict.fromkeys(name for entity in entities for name in entity.connections)
        yield _filled(
            {
                "dicomAETitle": title,
                "dicomDescription": " ".join(entity.description for entity in entities).strip(),
                "dicomAssociationInitiator": any(entity.initiates for entity in entities),
                "dicomAssociationAcceptor": any(entity.accepts for entity in entities),
                "dicomNetworkConnectionReference": list(names),
                "dicomTransferCapability": _transfer_capabilities(entities),
            }
        )


def _transfer_capabilities(entities: Sequence[ApplicationEntity]) -> list[Fields]:
    syntaxes: dict[tuple[str, str], list[str]] = {}
    for entity in entities:
        for one in entity.capabilities:
            known = syntaxes.setdefault((one.sop_class, one.role), [])
            known += [uid for uid in one.syntaxes if uid not in known]
    return [
        {
            "cn": f"{uid_name(sop_class)} ({sop_class}) {role}",  # names of retired ones recur
            "dicomSOPClass": sop_class,
            "dicomTransferRole": role,
            "dicomTransferSyntax": found,
        }
        for (sop_class, role), found in syntaxes.items()
    ]


def _read_connection(fields: Mapping[str, Any], number: int) -> Connection:
    suites = [
        Suite(version=version_of(one), name=openssl_name(one)[:256])
        for one in _texts(fields, "dicomTLSCipherSuite")
    ]
    port = _text(fields, "dicomPort")
    try:
        return Connection(
            name=_text(fields, "cn") or f"/dicomNetworkConnection/{number}",
            host=_text(fields, "dicomHostname"),
            port=int(port) if port.isdecimal() and len(port) < 6 else None,
            tls=TransportSecurity(
                versions=tuple(sorted({one.version for one in suites})), suites=tuple(suites)
            )
            if suites
            else None,
        )
    except ValidationError as error:
        raise _unusable(error) from None


def _read_entity(
    fields: Mapping[str, Any], connections: Sequence[Connection], findings: list[Finding]
) -> ApplicationEntity:
    initiates = _flag(fields, "dicomAssociationInitiator")
    accepts = _flag(fields, "dicomAssociationAcceptor")
    capabilities = []
    for _, one in _listed(fields, "dicomTransferCapability"):
        made = _read_capability(one, initiates=initiates, accepts=accepts)
        if isinstance(made, Finding):
            findings.append(made)
        else:
            capabilities.append(made)
    try:
        return ApplicationEntity(
            ae_title=_text(fields, "dicomAETitle"),
            description=_text(fields, "dicomDescription"),
            initiates=initiates,
            accepts=accepts,
            connections=tuple(_referenced(fields, connections)),
            capabilities=tuple(capabilities),
        )
    except ValidationError as error:
        raise _unusable(error) from None


def _read_capability(
    fields: Mapping[str, Any], *, initiates: bool, accepts: bool
) -> TransferCapability | Finding:
    sop_class, role = _text(fields, "dicomSOPClass"), _text(fields, "dicomTransferRole").upper()
    syntaxes = tuple(_texts(fields, "dicomTransferSyntax"))
    wrong = [uid for uid in (sop_class, *syntaxes) if not is_valid_uid(uid)]
    if wrong or role not in ("SCU", "SCP"):
        return Finding(
            id="capability-not-read",
            severity="warning",
            text="A transfer capability was left out: it needs a SOP class, a role and transfer "
            "syntaxes.",
            evidence=f"{sop_class} {role} {' '.join(wrong)}"[:200],
        )
    is_user = role == "SCU"
    return TransferCapability(
        sop_class=sop_class,
        role="SCU" if is_user else "SCP",
        proposes=syntaxes if initiates else (),
        accepts=syntaxes if accepts else (),
        by_role_selection=accepts if is_user else initiates and not accepts,
    )


def _referenced(fields: Mapping[str, Any], connections: Sequence[Connection]) -> Iterator[str]:
    """The connections that an AE names: by cn, by dn, or by their place in the device."""
    for reference in _texts(fields, "dicomNetworkConnectionReference"):
        for number, connection in enumerate(connections):
            place = f"/dicomNetworkConnection/{number}"
            if reference in (connection.name, place) or reference.startswith(
                f"cn={connection.name},"
            ):
                yield connection.name
                break


def _listed(fields: Mapping[str, Any], name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    found = fields.get(name, [])
    objects = found if isinstance(found, list) else [found]
    if len(objects) > MOST:
        raise UnusableDescription(f"There are more than {MOST} {name} in one object.")
    for number, one in enumerate(objects):
        if not isinstance(one, dict):
            raise UnusableDescription(f"{name} is a list of objects.")
        yield number, one


def _texts(fields: Mapping[str, Any], name: str) -> list[str]:
    found = fields.get(name, [])
    values = found if isinstance(found, list) else [found]
    return [str(value)[:4096] for value in values if isinstance(value, (str, int, bool))]


def _text(fields: Mapping[str, Any], name: str) -> str:
    return next(iter(_texts(fields, name)), "")


def _flag(fields: Mapping[str, Any], name: str) -> bool:
    """TRUE or FALSE; an AE of which it is not said does both."""
    return _text(fields, name).upper() != "FALSE"


def _filled(fields: Fields) -> Fields:
    """Without what is empty; False is a value."""
    return {name: value for name, value in fields.items() if value not in ("", None, [])}


def _unusable(error: ValidationError) -> UnusableDescription:
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(map(str, first["loc"]))[:200]
    return UnusableDescription(
        f"A field of the device is out of bounds ({place}): {first['msg'].lower()}."
    )
