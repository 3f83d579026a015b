"""A statement held against a probe: claims that are not kept, and deeds that are not claimed."""

from __future__ import annotations

from isocenter.conformance.capabilities import (
    AssociationParameters,
    Capabilities,
    Suite,
    TransportSecurity,
)
from isocenter.conformance.compare.claims import are_of_one_node, hold_against
from tests.conformance.nodes import CT, EXPLICIT, IMPLICIT, JPEG_LOSSLESS, MR, node


def kinds(statement: Capabilities, probe: Capabilities) -> list[tuple[str, str]]:
    """The differences: kind and SOP class."""
    return [(one.kind, one.sop_class) for one in hold_against(statement, probe).differences]


def test_a_true_statement_has_no_differences():
    statement = node(stores={CT: [IMPLICIT, EXPLICIT]})
    probe = node(stores={CT: [EXPLICIT, IMPLICIT]}, kind="probe", tried=[CT, MR])
    held = hold_against(statement, probe)
    assert (held.differences, held.checked) == ((), 1)


def test_it_claims_what_it_does_not_do():
    statement = node(stores={CT: [IMPLICIT, EXPLICIT], MR: [IMPLICIT]})
    probe = node(stores={CT: [IMPLICIT]}, kind="probe", tried=[CT, MR])
    assert kinds(statement, probe) == [("claimed-not-done", CT), ("claimed-not-done", MR)]


def test_it_does_what_it_does_not_claim():
    probe = node(stores={CT: [IMPLICIT, JPEG_LOSSLESS]}, kind="probe", tried=[CT])
    assert kinds(node(stores={CT: [IMPLICIT]}), probe) == [("done-not-claimed", CT)]


def test_what_was_not_tried_is_not_judged():
    statement = node(stores={CT: [IMPLICIT], MR: [IMPLICIT]})
    probe = node(stores={CT: [IMPLICIT]}, kind="probe", tried=[CT])
    held = hold_against(statement, probe)
    assert held.differences == ()
    assert any("1 SOP classes" in one for one in held.not_checked)


def test_parameters_of_associations_and_tls_are_compared():
    suite = Suite(version="TLS 1.2", name="ECDHE-RSA-AES128-GCM-SHA256")
    claimed = TransportSecurity(versions=("TLS 1.2", "TLS 1.3"), suites=(suite,))
    found = TransportSecurity(versions=("TLS 1.1", "TLS 1.2"), suites=(suite,))
    statement = node(
        stores={CT: [IMPLICIT]}, tls=claimed, association=AssociationParameters(maximum_pdu=16384)
    )
    probe = node(
        stores={CT: [IMPLICIT]},
        tls=found,
        kind="probe",
        tried=[CT],
        association=AssociationParameters(maximum_pdu=4096),
    )
    texts = [one.text for one in hold_against(statement, probe).differences]
    assert len(texts) == 3
    assert "16384" in texts[0]
    assert "TLS 1.3" in texts[1]
    assert "TLS 1.1" in texts[2]


def test_a_probe_and_a_statement_of_one_implementation_belong_together():
    statement = node(stores={CT: [IMPLICIT]})
    probe = node(stores={CT: [IMPLICIT]}, kind="probe", tried=[CT])
    assert are_of_one_node(statement, probe)
    assert not are_of_one_node(statement, statement)
