"""The schema of PS3.15 A.5.1.1, typed in by hand: which elements and attributes, in what order."""

import re
from base64 import b64decode
from xml.etree.ElementTree import Element, fromstring

CODE = {"csd-code", "codeSystemName", "originalText"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def check(xml: bytes) -> Element:
    """The message, which must be one by the schema."""
    root = fromstring(xml)
    assert root.tag == "AuditMessage"
    assert not root.attrib
    names = [child.tag for child in root]
    expected = [
        "EventIdentification",
        *["ActiveParticipant"] * names.count("ActiveParticipant"),
        "AuditSourceIdentification",
        *["ParticipantObjectIdentification"] * names.count("ParticipantObjectIdentification"),
    ]
    assert names == expected
    assert "ActiveParticipant" in names
    for child in root:
        {
            "EventIdentification": _event,
            "ActiveParticipant": _participant,
            "AuditSourceIdentification": _source,
            "ParticipantObjectIdentification": _object,
        }[child.tag](child)
    return root


def _event(element: Element) -> None:
    assert element.keys() == ["EventActionCode", "EventDateTime", "EventOutcomeIndicator"]
    assert element.get("EventActionCode") in set("CRUDE")
    assert element.get("EventOutcomeIndicator") in {"0", "4", "8", "12"}
    assert MOMENT.fullmatch(element.get("EventDateTime", ""))
    names = _in_order(element, "EventID", "EventTypeCode", "EventOutcomeDescription")
    assert names.count("EventID") == 1
    assert names.count("EventOutcomeDescription") <= 1
    for code in element:
        if code.tag != "EventOutcomeDescription":
            _code(code)


def _participant(element: Element) -> None:
    assert {"UserID", "UserIsRequestor"} <= element.attrib.keys()
    assert element.attrib.keys() <= {
        "UserID",
        "AlternativeUserID",
        "UserName",
        "UserIsRequestor",
        "NetworkAccessPointID",
        "NetworkAccessPointTypeCode",
    }
    assert element.get("UserIsRequestor") in {"true", "false"}
    assert element.get("NetworkAccessPointTypeCode", "1") in {"1", "2", "3", "4", "5"}
    assert ("NetworkAccessPointID" in element.attrib) == (
        "NetworkAccessPointTypeCode" in element.attrib
    )
    _in_order(element, "RoleIDCode", "MediaIdentifier")
    for child in element:
        if child.tag == "MediaIdentifier":
            (child,) = child
            assert child.tag == "MediaType"
        _code(child)


def _source(element: Element) -> None:
    assert element.keys() == ["AuditSourceID"]
    assert [(one.tag, one.attrib) for one in element] == [
        ("AuditSourceTypeCode", {"csd-code": "4"})
    ]


def _object(element: Element) -> None:
    assert element.attrib.keys() == {
        "ParticipantObjectID",
        "ParticipantObjectTypeCode",
        "ParticipantObjectTypeCodeRole",
    }
    names = _in_order(
        element,
        "ParticipantObjectIDTypeCode",
        "ParticipantObjectName",
        "ParticipantObjectQuery",
        "ParticipantObjectDetail",
        "ParticipantObjectDescription",
    )
    assert names.count("ParticipantObjectIDTypeCode") == 1
    assert names.count("ParticipantObjectName") + names.count("ParticipantObjectQuery") == 1
    _code(element[0])
    b64decode(element.findtext("ParticipantObjectQuery", ""), validate=True)
    for detail in element.iter("ParticipantObjectDetail"):
        assert detail.keys() == ["type", "value"]
        b64decode(detail.get("value", ""), validate=True)
    for description in element.iter("ParticipantObjectDescription"):
        _in_order(description, "MPPS", "Accession", "SOPClass")
        for one in description:
            wanted = {"MPPS": {"UID"}, "Accession": {"Number"}}
            assert one.attrib.keys() == wanted.get(one.tag, {"UID", "NumberOfInstances"})


def _code(element: Element) -> None:
    assert element.attrib.keys() == CODE
    assert all(element.attrib.values())


def _in_order(element: Element, *allowed: str) -> list[str]:
    names = [child.tag for child in element]
    assert set(names) <= set(allowed)
    assert names == sorted(names, key=allowed.index)
    return names
