"""From A to B: what is sent, in which syntax, at what loss, over which TLS."""

from __future__ import annotations

from isocenter.conformance.capabilities import (
    ApplicationEntity,
    Capabilities,
    Suite,
    TransferCapability,
    TransportSecurity,
)
from isocenter.conformance.compare.comparison import compare
from isocenter.conformance.compare.results import Sending
from tests.conformance.nodes import (
    CT,
    EXPLICIT,
    IMPLICIT,
    JPEG_LOSSLESS,
    MPEG2,
    MR,
    STUDY_FIND,
    STUDY_GET,
    node,
)

GCM = Suite(version="TLS 1.2", name="ECDHE-RSA-AES128-GCM-SHA256")
CBC = Suite(version="TLS 1.2", name="AES128-SHA")
PRIVATE = "1.2.826.0.1.4711"


def sent(sender: Capabilities, receiver: Capabilities, sop_class: str = CT) -> Sending:
    """The verdict on one SOP class."""
    return next(one for one in compare(sender, receiver).storage if one.sop_class == sop_class)


def test_what_both_have_is_sent_as_it_is():
    result = sent(node(sends={CT: [EXPLICIT]}), node(stores={CT: [IMPLICIT, EXPLICIT]}))
    assert (result.verdict, result.as_they_are, result.lossless) == ("yes", (EXPLICIT,), True)


def test_what_the_receiver_does_not_take_is_converted_without_loss_where_that_is_possible():
    conversions = [(JPEG_LOSSLESS, IMPLICIT, False), (JPEG_LOSSLESS, EXPLICIT, True)]
    sender = node(sends={CT: [JPEG_LOSSLESS]}, conversions=conversions)
    result = sent(sender, node(stores={CT: [IMPLICIT, EXPLICIT]}))
    assert result.verdict == "converted"
    assert [(one.source, one.target) for one in result.converted] == [(JPEG_LOSSLESS, EXPLICIT)]
    assert result.lossless is True


def test_a_conversion_that_loses_quality_is_told():
    sender = node(sends={CT: [JPEG_LOSSLESS]}, conversions=[(JPEG_LOSSLESS, EXPLICIT, False)])
    result = sent(sender, node(stores={CT: [EXPLICIT]}))
    assert result.lossless is False
    assert any("lose" in reason for reason in result.reasons)


def test_what_cannot_be_converted_is_not_sent_and_the_reason_is_told():
    result = sent(node(sends={CT: [EXPLICIT, MPEG2]}), node(stores={CT: [EXPLICIT]}))
    assert (result.verdict, result.not_sent) == ("partly", (MPEG2,))
    assert "MPEG2" in result.reasons[-1]


def test_a_sop_class_that_is_not_accepted_is_not_sent():
    result = sent(node(sends={CT: [EXPLICIT]}), node(stores={MR: [EXPLICIT]}))
    assert (result.verdict, result.lossless) == ("no", None)
    assert result.reasons == ("B does not accept this SOP class",)


def test_what_a_probe_did_not_ask_about_is_not_known():
    receiver = node(stores={MR: [EXPLICIT]}, kind="probe", tried=[MR])
    assert sent(node(sends={CT: [EXPLICIT]}), receiver).verdict == "unknown"


def test_a_private_sop_class_may_go_to_whoever_stores_unknown_ones():
    sender = node(sends={PRIVATE: [EXPLICIT]})
    open_minded = node(stores={CT: [EXPLICIT]}, stores_unknown_sop_classes=True)
    assert sent(sender, open_minded, PRIVATE).verdict == "unknown"
    assert sent(sender, node(stores={CT: [EXPLICIT]}), PRIVATE).verdict == "no"


def test_services_are_paired_by_sop_class_and_transfer_syntax():
    user = node(sends={STUDY_FIND: [EXPLICIT]})
    (yes,) = compare(user, node(stores={STUDY_FIND: [EXPLICIT]})).services
    (no,) = compare(user, node(stores={STUDY_FIND: [IMPLICIT]})).services
    (absent,) = compare(user, node(stores={CT: [EXPLICIT]})).services
    assert [one.verdict for one in (yes, no, absent)] == ["yes", "no", "no"]
    assert no.reasons == ("no transfer syntax in common",)


def test_c_get_needs_a_provider_that_sends_what_the_user_takes():
    user = _with(node(sends={STUDY_GET: [EXPLICIT]}), "SCP", CT, proposes=(EXPLICIT,))
    silent = node(stores={STUDY_GET: [EXPLICIT]})
    sending = _with(silent, "SCU", CT, accepts=(EXPLICIT,))
    assert compare(user, sending).services[0].verdict == "yes"
    assert compare(user, silent).services[0].verdict == "no"
    both = _with(user, "SCP", MR, proposes=(EXPLICIT,))
    assert compare(both, sending).services[0].verdict == "partly"


def test_tls_needs_a_version_and_a_suite_in_common():
    ours = TransportSecurity(versions=("TLS 1.2", "TLS 1.3"), suites=(GCM,))
    old = TransportSecurity(versions=("TLS 1.2",), suites=(CBC,))
    good = TransportSecurity(
        versions=("TLS 1.2",), suites=(CBC, GCM), client_certificate="required"
    )
    sender = node(sends={CT: [EXPLICIT]}, client_tls=ours)
    assert compare(sender, node(stores={CT: [EXPLICIT]}, tls=old)).transport.over_tls == "no"
    result = compare(sender, node(stores={CT: [EXPLICIT]}, tls=good)).transport
    assert (result.over_tls, result.versions, result.suites) == ("yes", ("TLS 1.2",), (GCM.name,))
    assert any("certificate" in reason for reason in result.reasons)


def test_tls_1_3_is_enough_because_every_one_has_a_suite_in_common():
    ours = TransportSecurity(versions=("TLS 1.3",))
    theirs = TransportSecurity(versions=("TLS 1.3",), suites_complete=False)
    sender = node(sends={CT: [EXPLICIT]}, client_tls=ours)
    assert compare(sender, node(stores={CT: [EXPLICIT]}, tls=theirs)).transport.over_tls == "yes"


def test_without_tls_at_the_receiver_there_is_only_the_way_in_the_clear():
    result = compare(node(sends={CT: [EXPLICIT]}), node(stores={CT: [EXPLICIT]})).transport
    assert (result.over_tls, result.in_the_clear) == ("no", True)


def test_what_nobody_knows_of_the_senders_tls_is_not_known():
    secured = node(stores={CT: [EXPLICIT]}, tls=TransportSecurity(versions=("TLS 1.2",)))
    assert compare(node(sends={CT: [EXPLICIT]}), secured).transport.over_tls == "unknown"


def test_a_receiver_that_knows_its_callers_is_remarked_upon():
    receiver = node(stores={CT: [EXPLICIT]}, checks_calling_ae=True)
    assert any("AE title" in one for one in compare(node(), receiver).remarks)


def _with(document: Capabilities, role: str, sop_class: str, **syntaxes: tuple[str, ...]):
    entity: ApplicationEntity = document.entities[0]
    more = TransferCapability.model_validate(
        {"sop_class": sop_class, "role": role, "by_role_selection": True, **syntaxes}
    )
    changed = entity.model_copy(update={"capabilities": (*entity.capabilities, more)})
    return document.model_copy(update={"entities": (changed,)})
