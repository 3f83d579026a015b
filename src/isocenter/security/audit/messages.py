"""Events as XML: the AuditMessage of PS3.15 A.5.1, in UTF-8."""

from __future__ import annotations

import ipaddress
import re
import time
from base64 import b64encode
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from isocenter.security.audit import codes
from isocenter.security.audit.codes import Code
from isocenter.security.audit.events import (
    Event,
    Node,
    Object,
    Participant,
    Patient,
    Query,
    Resource,
    Study,
)

LONGEST_TEXT = 1024
"""Characters of a text that comes from a peer; what is longer is cut."""

_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>'  # and no line end: syslog has lines

_NOT_IN_XML = re.compile("[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, and line ends and tabs, which its attributes do not keep."""


def encode_message(event: Event, source: str) -> bytes:
    """The message that tells of an event; `source` names the node that reports it."""
    message = Element("AuditMessage")
    _add_event(message, event)
    for participant in event.participants:
        _add_participant(message, participant)
    reported = SubElement(message, "AuditSourceIdentification", AuditSourceID=_text(source))
    SubElement(reported, "AuditSourceTypeCode", {"csd-code": "4"})  # an application server
    for one in event.objects:
        _add_object(message, one)
    encoded: bytes = tostring(message, encoding="utf-8", xml_declaration=False)
    return _DECLARATION + encoded


def _add_event(message: Element, event: Event) -> None:
    element = SubElement(
        message,
        "EventIdentification",
        EventActionCode=event.action,
        EventDateTime=_moment(event.moment),
        EventOutcomeIndicator=str(int(event.outcome)),
    )
    _add_code(element, "EventID", event.code)
    for kind in event.types:
        _add_code(element, "EventTypeCode", kind)
    if event.description:
        SubElement(element, "EventOutcomeDescription").text = _text(event.description)


def _add_participant(message: Element, one: Participant) -> None:
    attributes = {"UserID": _text(one.user_id)}
    if one.ae_titles:  # PS3.15 A.5.2.2
        attributes["AlternativeUserID"] = _text(f"AETITLES={';'.join(one.ae_titles)}")
    if one.user_name:
        attributes["UserName"] = _text(one.user_name)
    attributes["UserIsRequestor"] = "true" if one.is_requestor else "false"
    if one.host:
        attributes["NetworkAccessPointID"] = _text(one.host)
        attributes["NetworkAccessPointTypeCode"] = "2" if _is_address(one.host) else "1"
    element = SubElement(message, "ActiveParticipant", attributes)
    for role in one.roles:
        _add_code(element, "RoleIDCode", role)
    if one.medium is not None:
        _add_code(SubElement(element, "MediaIdentifier"), "MediaType", one.medium)


def _add_object(message: Element, one: Object) -> None:
    match one:
        case Patient():
            _add_patient(message, one)
        case Study():
            _add_study(message, one)
        case Query():
            _add_query(message, one)
        case Node():
            element = _object(message, one.address, "2", "13", codes.NODE_ID)
            _add_name(element, one.address)
            _add_detail(element, "Alert Description", _text(one.alert).encode())
        case Resource():
            element = _object(message, one.uri, "2", "13", codes.URI)
            _add_name(element, one.name)
            if one.alert:
                _add_detail(element, "Alert Description", _text(one.alert).encode())


def _add_patient(message: Element, patient: Patient) -> None:
    element = _object(message, patient.patient_id, "1", "1", codes.PATIENT_NUMBER)
    _add_name(element, patient.name)
    if patient.issuer:
        _add_detail(element, "IssuerOfPatientID", _text(patient.issuer).encode())


def _add_study(message: Element, study: Study) -> None:
    element = _object(message, study.uid, "2", "3", codes.STUDY_INSTANCE_UID)
    _add_name(element, "Study")  # the schema wants a name or a query of every object
    if not (study.mpps_uid or study.accession_number or study.sop_classes):
        return
    description = SubElement(element, "ParticipantObjectDescription")
    if study.mpps_uid:
        SubElement(description, "MPPS", UID=_text(study.mpps_uid))
    if study.accession_number:
        SubElement(description, "Accession", Number=_text(study.accession_number))
    for uid, count in study.sop_classes:
        SubElement(description, "SOPClass", UID=_text(uid), NumberOfInstances=str(count))


def _add_query(message: Element, query: Query) -> None:
    element = _object(message, query.sop_class_uid, "2", "3", codes.SOP_CLASS_UID)
    SubElement(element, "ParticipantObjectQuery").text = b64encode(query.identifier).decode()
    _add_detail(element, "TransferSyntax", _text(query.transfer_syntax_uid).encode())
    if query.length > len(query.identifier):
        _add_detail(element, "Length of the whole identifier", str(query.length).encode())


def _object(message: Element, identifier: str, kind: str, role: str, code: Code) -> Element:
    element = SubElement(
        message,
        "ParticipantObjectIdentification",
        ParticipantObjectID=_text(identifier),
        ParticipantObjectTypeCode=kind,
        ParticipantObjectTypeCodeRole=role,
    )
    _add_code(element, "ParticipantObjectIDTypeCode", code)
    return element


def _add_name(element: Element, name: str) -> None:
    SubElement(element, "ParticipantObjectName").text = _text(name)


def _add_detail(element: Element, kind: str, value: bytes) -> None:
    SubElement(
        element, "ParticipantObjectDetail", type=kind, value=b64encode(value).decode("ascii")
    )


def _add_code(parent: Element, name: str, code: Code) -> None:
    attributes = {
        "csd-code": code.value,
        "codeSystemName": code.scheme,
        "originalText": code.meaning,
    }
    SubElement(parent, name, attributes)


def _text(text: str) -> str:
    """The text as XML can hold it: at most `LONGEST_TEXT` characters, U+FFFD for what it cannot."""
    return _NOT_IN_XML.sub(_replacement, text[:LONGEST_TEXT])


def _replacement(match: re.Match[str]) -> str:
    return " " if match[0] in "\t\n\r" else "\ufffd"


def _moment(seconds: float) -> str:
    """UTC with milliseconds (PS3.15 A.5.2.5)."""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{milliseconds:03d}Z"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def source_name(ae_titles: Sequence[str], host: str) -> str:
    """How a node calls itself as the source of messages: `AETITLE@host`."""
    return f"{ae_titles[0]}@{host}"
