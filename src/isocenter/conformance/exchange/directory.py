"""Devices in a directory: LDIF entries put within one another, and taken apart again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from isocenter.conformance.errors import UnusableDescription
from isocenter.conformance.exchange.annex_h import Fields
from isocenter.conformance.exchange.ldif import (
    Entry,
    escape,
    normal,
    parent,
    parse_ldif,
    rdn_value,
    write_ldif,
)

ROOT = "cn=Devices,cn=DICOM Configuration"
"""Where devices stand; PS3.15 H.1.4.1 leaves to a site what stands above it."""

_KINDS = ("dicomDevice", "dicomNetworkConnection", "dicomNetworkAE", "dicomTransferCapability")
_NAMED_BY = {"dicomDevice": "dicomDeviceName", "dicomNetworkAE": "dicomAETitle"}
_FIELDS = (
    *("dicomDeviceName", "dicomDescription", "dicomManufacturer", "dicomManufacturerModelName"),
    *("dicomSoftwareVersion", "dicomInstalled", "cn", "dicomHostname", "dicomPort"),
    *("dicomTLSCipherSuite", "dicomAETitle", "dicomAssociationInitiator"),
    *("dicomAssociationAcceptor", "dicomNetworkConnectionReference", "dicomSOPClass"),
    *("dicomTransferRole", "dicomTransferSyntax"),
)
_BY_LOWER = {name.lower(): name for name in _FIELDS}


def devices_of(text: str) -> list[Fields]:
    """The devices of an LDIF file, as `annex_h` reads them. Raises UnusableDescription."""
    entries = [(kind, entry) for entry in parse_ldif(text) if (kind := _kind(entry))]
    objects = {normal(entry.dn): _fields(kind, entry) for kind, entry in entries}
    devices = []
    for kind, entry in entries:
        mine = objects[normal(entry.dn)]
        if kind == "dicomDevice":
            devices.append(mine)
        elif (above := objects.get(parent(entry.dn))) is not None:
            above.setdefault(kind, []).append(mine)
    if not devices:
        raise UnusableDescription(
            "The LDIF file has no entry of the object class dicomDevice (PS3.15 H.1.3)."
        )
    return devices


def to_ldif(device: Fields) -> str:
    """A device as LDIF below `ROOT`."""
    return write_ldif(_entries(device))


def _kind(entry: Entry) -> str:
    classes = {value.lower() for value in entry.values.get("objectclass", [])}
    return next((kind for kind in _KINDS if kind.lower() in classes), "")


def _fields(kind: str, entry: Entry) -> Fields:
    fields: Fields = {
        _BY_LOWER[name]: list(values) for name, values in entry.values.items() if name in _BY_LOWER
    }
    fields.setdefault(_NAMED_BY.get(kind, "cn"), [rdn_value(entry.dn)])
    return fields


def _entries(device: Fields) -> Iterator[tuple[str, Sequence[tuple[str, str]]]]:
    top = f"dicomDeviceName={escape(device['dicomDeviceName'])},{ROOT}"
    yield _entry(top, "dicomDevice", device)
    for connection in device.get("dicomNetworkConnection", []):
        yield _entry(f"cn={escape(connection['cn'])},{top}", "dicomNetworkConnection", connection)
    for entity in device.get("dicomNetworkAE", []):
        dn = f"dicomAETitle={escape(entity['dicomAETitle'])},{top}"
        references = [
            f"cn={escape(name)},{top}" for name in entity.get("dicomNetworkConnectionReference", [])
        ]
        told = entity | {"dicomNetworkConnectionReference": references}
        yield _entry(dn, "dicomNetworkAE", told)
        for one in entity.get("dicomTransferCapability", []):
            yield _entry(f"cn={escape(one['cn'])},{dn}", "dicomTransferCapability", one)


def _entry(dn: str, kind: str, fields: Fields) -> tuple[str, Sequence[tuple[str, str]]]:
    attributes = [("objectClass", kind)]
    for name, value in fields.items():
        if name not in _KINDS:
            values = value if isinstance(value, list) else [value]
            attributes += [(name, _written(one)) for one in values]
    return dn, attributes


def _written(value: Any) -> str:
    return str(value).upper() if isinstance(value, bool) else str(value)
