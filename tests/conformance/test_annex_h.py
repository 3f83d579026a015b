"""PS3.15 Annex H as LDIF and JSON: ours goes out and comes back, strangers' is read strictly."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.conformance.capabilities import Capabilities
from isocenter.conformance.errors import UnusableDescription
from isocenter.conformance.exchange.annex_h import from_fields, to_fields
from isocenter.conformance.exchange.directory import devices_of, to_ldif
from isocenter.conformance.exchange.ldif import parse_ldif, write_ldif
from isocenter.conformance.exchange.suites import openssl_name, registered_name
from isocenter.conformance.statement.build import statement_of
from isocenter.security.tls_profiles import HARDENED
from isocenter.server.config import Config
from tests.conformance.nodes import CT, EXPLICIT, IMPLICIT

DEVICE = """\
version: 1

# exported from a directory
dn: dicomDeviceName=ct1,cn=Devices,cn=DICOM Configuration,o=hospital
objectClass: dicomDevice
objectClass: dcmDevice
dicomDeviceName: ct1
dicomManufacturer:: w5xyemUgR21iSA==
dicomSoftwareVersion: 1.0
dcmKeyStoreURL: file:///secret

dn: cn=dicom,dicomDeviceName=ct1,cn=Devices,cn=DICOM Configuration,o=hospital
objectClass: dicomNetworkConnection
cn: dicom
dicomHostname: ct1.example
dicomPort: 2762
dicomTLSCipherSuite: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
dicomTLSCipherSuite: TLS_AES_128_GCM_SHA256

dn: dicomAETitle=CT1,dicomDeviceName=ct1,cn=Devices, cn=DICOM Configurat
 ion,o=hospital
objectclass: dicomNetworkAE
dicomAETitle: CT1
dicomAssociationInitiator: TRUE
dicomAssociationAcceptor: FALSE
dicomNetworkConnectionReference: cn=dicom,dicomDeviceName=ct1,cn=Devices,cn=DICOM Configuration

dn: cn=CT SCU,dicomAETitle=CT1,dicomDeviceName=ct1,cn=Devices,cn=DICOM Configuration,o=hospital
objectClass: dicomTransferCapability
cn: CT SCU
dicomSOPClass: 1.2.840.10008.5.1.4.1.1.2
dicomTransferRole: SCU
dicomTransferSyntax: 1.2.840.10008.1.2
dicomTransferSyntax: 1.2.840.10008.1.2.1

dn: cn=odd,dicomAETitle=CT1,dicomDeviceName=ct1,cn=Devices,cn=DICOM Configuration,o=hospital
objectClass: dicomTransferCapability
dicomSOPClass: not a UID
dicomTransferRole: SCP
"""


def test_a_device_of_a_directory_is_read():
    (fields,) = devices_of(DEVICE)
    device = from_fields(fields)
    assert device.kind == "import"
    assert (device.product.name, device.product.manufacturer) == ("ct1", "Ürze GmbH")
    (entity,) = device.entities
    assert (entity.ae_title, entity.initiates, entity.accepts) == ("CT1", True, False)
    assert entity.connections == ("dicom",)
    (capability,) = entity.capabilities
    assert (capability.sop_class, capability.role) == (CT, "SCU")
    assert (capability.proposes, capability.accepts) == ((IMPLICIT, EXPLICIT), ())
    tls = device.connections[0].tls
    assert tls is not None
    assert [suite.name for suite in tls.suites] == [
        "ECDHE-RSA-AES128-GCM-SHA256",
        "TLS_AES_128_GCM_SHA256",
    ]
    assert tls.versions == ("TLS 1.2", "TLS 1.3")


def test_what_is_left_out_is_told():
    (fields,) = devices_of(DEVICE)
    (finding,) = from_fields(fields).findings
    assert finding.id == "capability-not-read"
    assert "not a UID" in finding.evidence


def test_our_own_statement_goes_out_and_comes_back_by_either_way():
    statement = statement_of(Config(), datetime(2026, 11, 27, tzinfo=UTC))
    fields = to_fields(statement)
    (again,) = devices_of(to_ldif(fields))
    by_ldif, by_json = from_fields(again), from_fields(fields)
    assert by_ldif == by_json
    assert _abilities(by_json) == _abilities(statement)
    assert by_json.connections[0].port == statement.connections[0].port


def _abilities(document: Capabilities) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for entity in document.entities:
        for one in entity.capabilities:
            found.setdefault((one.sop_class, one.role), set()).update(one.syntaxes)
    return found


def test_references_to_connections_by_their_place_are_followed():
    fields = {
        "dicomNetworkConnection": [{"dicomPort": "104"}, {"cn": "tls", "dicomPort": "2762"}],
        "dicomNetworkAE": [
            {
                "dicomAETitle": "PACS",
                "dicomNetworkConnectionReference": ["/dicomNetworkConnection/1"],
            }
        ],
    }
    assert from_fields(fields).entities[0].connections == ("tls",)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"dicomNetworkAE": "PACS"},
        {"dicomNetworkAE": [{"dicomAETitle": "x" * 17}]},
        {"dicomNetworkAE": [{}], "dicomNetworkConnection": [{"dicomPort": "70000"}]},
        {"dicomNetworkAE": [{}] * 4097},
    ],
)
def test_a_device_that_cannot_be_one_is_refused(fields: dict[str, object]):
    with pytest.raises(UnusableDescription):
        from_fields(fields)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dn: cn=x\nobjectClass: person\n",
        "cn: no dn before it\n",
        "dn: cn=x\ndn: cn=y\n",
        "dn: cn=x\njpegPhoto:< file:///etc/passwd\n",
        "dn: cn=x\nchangetype: delete\n",
        "neither name nor value\n",
        "dn: cn=x\ncn: " + "\n ".join(["y" * 1000] * 100) + "\n",
    ],
)
def test_ldif_that_is_no_directory_of_devices_is_refused(text: str):
    with pytest.raises(UnusableDescription, match=r"LDIF"):
        devices_of(text)


def test_no_file_is_read_because_an_ldif_names_it():
    with pytest.raises(UnusableDescription, match="not fetched"):
        parse_ldif("dn: cn=x\ndescription:< file:///etc/hostname\n")


_names = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,10}", fullmatch=True).filter(
    lambda name: name.lower() not in ("dn", "changetype", "version")
)
_values = st.text(st.characters(codec="utf-8"), max_size=200)


@given(st.lists(st.tuples(_names, _values), max_size=8))
def test_values_of_any_kind_come_back_from_ldif(attributes: list[tuple[str, str]]):
    (entry,) = parse_ldif(write_ldif([("cn=x", attributes)]))
    expected: dict[str, list[str]] = {}
    for name, value in attributes:
        expected.setdefault(name.lower(), []).append(value)
    assert dict(entry.values) == expected


@given(st.text(max_size=300))
def test_text_of_any_kind_is_read_as_ldif_or_refused(text: str):
    with suppress(UnusableDescription):
        devices_of(text)


_NAMES = (
    *("dicomNetworkAE", "dicomTransferCapability", "dicomSOPClass", "dicomAETitle", "cn"),
    *("dicomNetworkConnection", "dicomPort", "dicomTLSCipherSuite", "dicomTransferRole"),
)
_fields = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["dicomNetworkAE", "dicomNetworkConnection"]), _fields))
def test_fields_of_any_kind_are_read_or_refused(fields: dict[str, object]):
    with suppress(UnusableDescription):
        from_fields(fields)


@pytest.mark.parametrize("suite", [*HARDENED, "TLS_AES_256_GCM_SHA384", "AES128-SHA"])
def test_names_of_cipher_suites_go_both_ways(suite: str):
    assert openssl_name(registered_name(suite)) == suite


def test_registered_names_are_those_of_the_registry():
    assert registered_name("ECDHE-ECDSA-AES256-CCM8") == "TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8"
    assert (
        registered_name("ECDHE-RSA-CHACHA20-POLY1305")
        == "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
    )
