"""This node's statement follows its configuration, its registries and its code."""

from __future__ import annotations

import ast
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

import isocenter.services
from isocenter.conformance.capabilities import Capabilities
from isocenter.conformance.documents import from_json, to_json
from isocenter.conformance.errors import UnusableDescription
from isocenter.conformance.facts import Proof
from isocenter.conformance.statement import behaviour, proofs, trust
from isocenter.conformance.statement.build import statement_of
from isocenter.conformance.statement.services import acceptance_of
from isocenter.conformance.statement.statuses import SENT, service_statuses
from isocenter.dictionary.sop_classes import STORAGE_SOP_CLASSES, is_storage
from isocenter.dictionary.transfer_syntaxes import TRANSFER_SYNTAXES
from isocenter.dimse import status
from isocenter.dimse.status import Service
from isocenter.encoding.character_sets import decode_text, defined_terms, encode_text
from isocenter.security.identity import IdentityDesk
from isocenter.security.identity_outcome import Refused, Why
from isocenter.security.tls_profiles import BCP195, HARDENED
from isocenter.server.config import Config
from isocenter.server.config_keys import all_keys
from isocenter.services.service_names import SERVICE_OF_SOP_CLASS
from isocenter.upperlayer.contexts import ContextAnswer, ProposedContext
from isocenter.upperlayer.user_information import UserIdentity, UserIdentityType
from tests.support.tls import Certificates

NOW = datetime(2026, 11, 27, tzinfo=UTC)
IMPLICIT = "1.2.840.10008.1.2"


def stated(**sections: dict[str, object]) -> Capabilities:
    """The statement of a node with these sections in its configuration."""
    return statement_of(Config.model_validate(sections), NOW)


def test_a_statement_can_be_kept_as_json_and_read_again():
    statement = stated()
    assert from_json(to_json(statement)) == statement


def test_the_node_provides_every_storage_class_and_every_registered_service():
    entity = stated().entities[0]
    provided = {one.sop_class for one in entity.capabilities if one.role == "SCP"}
    assert provided == STORAGE_SOP_CLASSES | set(SERVICE_OF_SOP_CLASS)
    for one in entity.capabilities:
        if is_storage(one.sop_class):
            assert set(one.accepts) == set(TRANSFER_SYNTAXES)


def test_what_is_accepted_is_what_the_acceptance_decides():
    acceptance = acceptance_of(Config())
    for one in stated().entities[0].capabilities:
        for syntax in (*one.accepts[:2], "1.2.3.4"):
            answer = acceptance.decide(ProposedContext(1, one.sop_class, (syntax,)))
            assert (answer.result == ContextAnswer.ACCEPTANCE) == (syntax in one.accepts)


def test_a_change_of_the_configuration_changes_the_statement():
    statement = stated(
        node={"ae_title": "ARCHIVE", "also_known_as": ["OLD"]},
        listen={"host": "10.0.0.1", "port": 4242},
        limits={"maximum_pdu": "64 KiB", "operations": 3, "idle_timeout": 77, "associations": 5},
        storage={"accept_unknown_sop_classes": False},
    )
    entity = statement.entities[0]
    association = entity.association
    assert (entity.ae_title, entity.also_known_as) == ("ARCHIVE", ("OLD",))
    assert (association.maximum_pdu, association.operations_performed) == (65536, 3)
    assert association.most_accepted == 5
    assert 77 in [timer.seconds for timer in association.timers]
    assert entity.stores_unknown_sop_classes is False
    assert (entity.checks_called_ae, entity.checks_calling_ae) == (True, True)
    (listener,) = statement.connections
    assert (listener.host, listener.port) == ("10.0.0.1", 4242)
    assert listener.tls is not None
    assert {key.path: key.value for key in statement.behaviour.configuration}[
        "limits.idle_timeout"
    ] == "77"


def test_an_insecure_listener_shows_as_one_without_tls():
    (listener,) = stated(listen={"host": "10.0.0.1", "insecure": True}).connections
    assert listener.tls is None


@pytest.mark.parametrize(("profile", "suites"), [("bcp195", BCP195), ("hardened", HARDENED)])
def test_cipher_suites_are_those_of_the_profile_as_openssl_offers_them(profile, suites):
    statement = stated(listen={"tls": "always"}, tls={"profile": profile})
    tls = statement.connections[0].tls
    assert tls is not None
    offered = {suite.name for suite in tls.suites if suite.version == "TLS 1.2"}
    assert offered == set(suites)
    assert tls.versions == ("TLS 1.2", "TLS 1.3")


def test_suites_that_the_nodes_key_cannot_serve_are_not_offered(tmp_path: Path):
    pair = Certificates(tmp_path).issue("NODE")
    statement = stated(
        listen={"tls": "always"}, tls={"certificate": pair.certificate, "key": pair.key}
    )
    tls = statement.connections[0].tls
    assert tls is not None
    names = {suite.name for suite in tls.suites if suite.version == "TLS 1.2"}
    assert {name.split("-")[1] for name in names} == {"ECDSA"}


def test_every_configuration_key_is_told_and_no_path_or_peer():
    statement = stated(
        node={"data_directory": "/srv/secret-place"},
        peers={"ct1": {"ae_title": "CT1", "host": "ct1.hospital.example"}},
    )
    assert [key.path for key in statement.behaviour.configuration] == [
        key.path for key in all_keys()
    ]
    text = to_json(statement)
    assert "secret-place" not in text
    assert "ct1.hospital.example" not in text


def test_statuses_are_those_that_the_services_send():
    """Every `status.NAME` in the source of a provider stands in its table."""
    sources = {
        Service.VERIFICATION: ["verification_scp"],
        Service.STORAGE: ["storage_scp"],
        Service.QUERY: ["find_scp", "find_operation"],
        Service.GET: ["get_scp", "retrieve_scp"],
        Service.MOVE: ["move_scp", "retrieve_scp"],
        Service.STORAGE_COMMITMENT: ["storage_commitment_scp"],
        Service.PROCEDURE_STEP: ["performed_procedure_step_scp"],
    }
    folder = Path(isocenter.services.__path__[0])
    for service, names in sources.items():
        sent = {code for name in names for code in _statuses_in(folder / f"{name}.py")}
        assert sent <= set(SENT[service]), service


def _statuses_in(path: Path) -> set[int]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    names = {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "status"
        and node.attr.isupper()
    }
    return {getattr(status, name) for name in names}


def test_every_status_has_a_meaning_of_its_service():
    for table in service_statuses():
        assert all(code.meaning and code.behaviour for code in table.codes)


def test_keys_are_matched_as_the_query_engine_matches_them():
    levels = {level.level: level for level in behaviour.information_models()[1].levels}
    keys = {key.keyword: key.matching for level in levels.values() for key in level.keys}
    assert "fuzzy" in keys["PatientName"]
    assert "wildcard" in keys["PatientID"]
    assert "range" in keys["StudyDate"]
    assert "range" in keys["StudyTime"]
    assert "multiple values" in keys["StudyTime"]
    assert "list of UID" in keys["StudyInstanceUID"]
    assert "wildcard" not in keys["StudyInstanceUID"]
    assert keys["NumberOfStudyRelatedInstances"] == ()


@pytest.mark.parametrize("term", defined_terms())
def test_every_character_set_that_is_claimed_carries_what_it_can_carry(term: str):
    assert decode_text(encode_text("plain", term, "LO"), term, "LO") == "plain"
    declared = term if term.startswith(("ISO_IR", "G")) else f"\\{term}"
    samples = "ÄÖЖΩאبก漢字가中"
    carried = []
    for character in samples:
        try:
            encoded = encode_text(character, declared, "PN")
        except UnicodeEncodeError:
            continue
        assert decode_text(encoded, declared, "PN") == character
        carried.append(character)
    assert carried or term.endswith((" 6", " 101", " 109", " 110", " 13", " 203"))


class _NoUsers:
    def find(self, name: str) -> None:
        return None

    def any(self) -> bool:
        return False


def test_user_identities_are_told_as_the_identity_desk_treats_them():
    desk = IdentityDesk(_NoUsers(), None, failures=5, lockout=1)
    told = {one.number: one for one in trust.security_of(Config()).user_identities}
    for kind in UserIdentityType:
        outcome = desk.verify(UserIdentity(kind, b"name", b"secret"), "192.0.2.1")
        assert isinstance(outcome, Refused)
        unsupported = outcome.why in (Why.KERBEROS, Why.SAML, Why.NO_TOKENS)
        assert told[kind].accepted != unsupported
    assert set(told) == {kind.value for kind in UserIdentityType}


def test_without_a_record_nothing_is_proven(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(proofs, "RECORD", "data/there-is-none.json")
    assert proofs.recorded_proofs() == ()


def test_a_damaged_record_is_told_and_not_believed():
    with pytest.raises(UnusableDescription, match="make interop"):
        proofs.read_proofs('[{"service": "echo", "passed_on": "soon, surely"}]')


def test_a_record_comes_back_as_it_was_written():
    made = (
        Proof(service="echo", role="SCP", peer="DCMTK", program="echoscu", passed_on="2026-11-27"),
    )
    assert proofs.read_proofs(proofs.write_proofs(made)) == made
    assert json.loads(proofs.write_proofs(())) == []


def test_the_audit_trail_is_told_as_it_is_configured():
    assert stated(audit={"enabled": False}).security.audit_events == ()
    statement = stated(audit={"syslog": "logs.example:6514"})
    assert "logs.example:6514" in statement.security.audit_transport
