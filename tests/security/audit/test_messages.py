"""Audit messages: by the schema whatever a peer sends, and with what the tables of A.5.3 ask."""

from base64 import b64decode
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given

from isocenter.security.audit import codes, kinds
from isocenter.security.audit.chain import Subject, draft
from isocenter.security.audit.events import (
    Event,
    Here,
    Party,
    Patient,
    Query,
    Resource,
    Study,
)
from isocenter.security.audit.messages import LONGEST_TEXT, encode_message
from tests.security.audit.schema_check import check
from tests.security.audit.strategies import events

HERE = Here(("ARCHIVE",), "pacs1", 4711)
CT1 = Party("CT1", "192.0.2.7")
NURSE = Party("WS1", "192.0.2.9", "nurse")
STUDY = Study("1.2.3", (("1.2.840.10008.5.1.4.1.1.2", 500),), "A77")
DOE = Patient("4711", "HOSPITAL", "DOE^JÜRGEN")
NOW = 1_764_276_111.25


def encoded(event: Event) -> Element:
    return check(encode_message(event, "ARCHIVE@pacs1"))


def participants(root: Element) -> list[tuple[str | None, str | None, str | None]]:
    return [
        (
            one.get("UserID"),
            one.get("UserIsRequestor"),
            next((role.get("csd-code") for role in one.iter("RoleIDCode")), None),
        )
        for one in root.iter("ActiveParticipant")
    ]


@given(events)
def test_every_event_is_a_message_by_the_schema_whatever_its_texts(event: Event) -> None:
    root = encoded(event)
    assert len(list(root.iter("ActiveParticipant"))) == len(event.participants)
    assert len(list(root.iter("ParticipantObjectIdentification"))) == len(event.objects)


@given(events)
def test_texts_that_xml_can_hold_come_back(event: Event) -> None:
    root = encoded(event)
    for element, one in zip(root.iter("ActiveParticipant"), event.participants, strict=True):
        said = element.get("UserID", "")
        assert len(said) == len(one.user_id)
        assert all(a == b or a in " \ufffd" for a, b in zip(said, one.user_id, strict=True))


@pytest.mark.parametrize("character", ["\0", "\x1b", "\ud800", "\ufffe", "\uffff"])
def test_what_xml_cannot_hold_is_replaced(character: str) -> None:
    event = kinds.received(HERE, CT1, [STUDY], Patient("1", "", f"A{character}B"), NOW)
    names = [one.text for one in encoded(event).iter("ParticipantObjectName")]
    assert names == ["Study", "A\ufffdB"]


def test_a_text_is_cut_before_it_grows_beyond_bounds() -> None:
    event = kinds.received(HERE, CT1, [], Patient("1", "", "x" * 10**6), NOW)
    assert encoded(event).findtext(".//ParticipantObjectName") == "x" * LONGEST_TEXT


def test_a_received_study_names_source_destination_patient_and_counts() -> None:
    root = encoded(kinds.received(HERE, CT1, [STUDY], DOE, NOW))
    event = root.find("EventIdentification")
    assert event is not None
    assert event.attrib == {
        "EventActionCode": "C",
        "EventDateTime": "2025-11-27T20:41:51.250Z",
        "EventOutcomeIndicator": "0",
    }
    assert event[0].attrib == {
        "csd-code": "110104",
        "codeSystemName": "DCM",
        "originalText": "DICOM Instances Transferred",
    }
    assert participants(root) == [("CT1", "true", "110153"), ("4711", "false", "110152")]
    peer, us = root.iter("ActiveParticipant")
    assert peer.get("AlternativeUserID") == "AETITLES=CT1"
    assert peer.get("NetworkAccessPointID") == "192.0.2.7"
    assert peer.get("NetworkAccessPointTypeCode") == "2"
    assert us.get("NetworkAccessPointTypeCode") == "1"
    study, patient = root.iter("ParticipantObjectIdentification")
    assert study.get("ParticipantObjectID") == "1.2.3"
    assert study.find("ParticipantObjectIDTypeCode").get("csd-code") == "110180"  # type: ignore[union-attr]
    assert [one.attrib for one in study.iter("SOPClass")] == [
        {"UID": "1.2.840.10008.5.1.4.1.1.2", "NumberOfInstances": "500"}
    ]
    assert [one.get("Number") for one in study.iter("Accession")] == ["A77"]
    assert patient.get("ParticipantObjectID") == "4711"
    assert patient.findtext("ParticipantObjectName") == "DOE^JÜRGEN"
    (issuer,) = patient.iter("ParticipantObjectDetail")
    assert b64decode(issuer.get("value", "")) == b"HOSPITAL"


def test_a_user_is_the_requestor_and_the_node_that_he_uses_is_not() -> None:
    root = encoded(kinds.sent(HERE, NURSE, None, [STUDY], DOE, NOW))
    assert participants(root) == [
        ("4711", "false", "110153"),
        ("WS1", "false", "110152"),
        ("nurse", "true", None),
    ]


def test_a_move_names_its_destination_beside_who_wanted_it() -> None:
    root = encoded(kinds.sent(HERE, CT1, Party("WS2", "ws2"), [STUDY], DOE, NOW, failure="lost"))
    assert participants(root) == [
        ("4711", "false", "110153"),
        ("WS2", "false", "110152"),
        ("CT1", "true", None),
    ]
    assert root.find("EventIdentification").get("EventOutcomeIndicator") == "4"  # type: ignore[union-attr]
    assert root.findtext(".//EventOutcomeDescription") == "lost"


def test_a_query_holds_the_identifier_as_it_was_sent() -> None:
    asked = Query("1.2.840.10008.5.1.4.1.2.2.1", b"\x08\0\x52\0", "1.2.840.10008.1.2", 100)
    root = encoded(kinds.query(HERE, CT1, asked, NOW))
    (one,) = root.iter("ParticipantObjectIdentification")
    assert b64decode(one.findtext("ParticipantObjectQuery", "")) == b"\x08\0\x52\0"
    details = {d.get("type"): b64decode(d.get("value", "")) for d in one.iter() if d.get("type")}
    assert details["TransferSyntax"] == b"1.2.840.10008.1.2"
    assert details["Length of the whole identifier"] == b"100"


def test_an_alert_tells_about_whom_and_what() -> None:
    alert = kinds.security_alert(HERE, codes.NODE_AUTHENTICATION, "unknown AE", NOW, peer=CT1)
    root = encoded(alert)
    assert participants(root) == [("4711", "false", None), ("CT1", "false", None)]
    (one,) = root.iter("ParticipantObjectIdentification")
    assert one.get("ParticipantObjectID") == "192.0.2.7"
    (detail,) = one.iter("ParticipantObjectDetail")
    assert detail.get("type") == "Alert Description"
    assert b64decode(detail.get("value", "")) == b"unknown AE"


def test_the_codes_are_those_of_the_standard() -> None:
    from pydicom.sr._concepts_dict import concepts

    meanings = {value: known[0] for one in concepts["DCM"].values() for value, known in one.items()}
    ours = [one for one in vars(codes).values() if isinstance(one, codes.Code)]
    for one in ours:
        assert one.scheme != "DCM" or meanings[one.value] == one.meaning
    assert len([one for one in ours if one.scheme == "DCM"]) > 30


def every_kind() -> list[Event]:
    person = Party(user="root@pacs1", host="pacs1")
    resource = Resource("file:///x", "x", "changed")
    return [
        kinds.application_activity(HERE, started=True, now=NOW),
        kinds.application_activity(HERE, started=False, now=NOW),
        kinds.audit_log_used(person, "file:///data/audit.sqlite", "list", NOW),
        kinds.begin_sending(HERE, CT1, None, [STUDY], DOE, NOW),
        kinds.accessed(HERE, CT1, "R", [STUDY], DOE, NOW, what="vouched for"),
        kinds.study_deleted(HERE, person, [STUDY], DOE, NOW, reason="consent withdrawn"),
        kinds.imported(HERE, person, "file:///media", [STUDY], DOE, NOW),
        kinds.exported(HERE, person, "file:///media", [STUDY], DOE, NOW),
        kinds.procedure_record(HERE, CT1, "U", [Study("1.2", mpps_uid="1.3")], DOE, NOW),
        kinds.security_alert(HERE, codes.SECURITY_CONFIGURATION, "x", NOW, resource=resource),
        kinds.security_alert(HERE, codes.RECORDING_STOPPED, "x", NOW),
        kinds.user_authentication(HERE, NURSE, NOW, failure="wrong passcode"),
        kinds.user_authentication(HERE, NURSE, NOW, login=False),
    ]


@pytest.mark.parametrize("event", every_kind(), ids=lambda one: one.code.meaning)
def test_every_kind_is_a_message_with_one_requestor_at_most(event: Event) -> None:
    root = encoded(event)
    assert [who for who, is_requestor, _ in participants(root)].count("true") <= 1
    assert sum(is_requestor == "true" for _, is_requestor, _ in participants(root)) <= 1


def test_a_message_is_found_by_patient_and_study() -> None:
    one = draft(kinds.received(HERE, CT1, [STUDY], DOE, NOW), "ARCHIVE@pacs1")
    assert one.subjects == (Subject("patient", "4711", "HOSPITAL"), Subject("study", "1.2.3"))
    asked = Query("1.2", b"", "1.2", 0, (("9", ""),), ("1.5",))
    one = draft(kinds.query(HERE, CT1, asked, NOW), "ARCHIVE@pacs1")
    assert one.subjects == (Subject("patient", "9"), Subject("study", "1.5"))
