"""Who may call: known titles, their addresses, their certificates; and what a peer may store."""

from __future__ import annotations

import pytest

from isocenter.security.access import ALL_STUDIES, Rights, Scope
from isocenter.security.binding import BadBinding, CertificateFacts, belongs_to, parse_binding
from isocenter.server.callers import Caller, objection_to, rights_of
from isocenter.server.config import Config, Peer
from isocenter.server.config_security import Listener
from isocenter.server.quotas import Quotas

FINGERPRINT = "ab" * 32
CERTIFICATE = CertificateFacts("CN=CT1", "CT1", ("ct1.example",), FINGERPRINT)
WARD = Listener.model_validate({"host": "192.0.2.1"})
LOOPBACK = Listener()


def peer(**values: object) -> Peer:
    return Peer.model_validate({"host": "192.0.2.9", "ae_title": "CT1", **values})


def test_strangers_are_welcome_on_loopback_and_nowhere_else() -> None:
    caller = Caller("NOBODY", "127.0.0.1")
    assert objection_to(caller, None, LOOPBACK) is None
    objection = objection_to(caller, None, WARD)
    assert objection is not None
    assert "[peers]" in objection
    open_to_all = WARD.model_copy(update={"known_ae": "never"})
    assert objection_to(caller, None, open_to_all) is None


@pytest.mark.parametrize(
    ("host", "hosts", "welcome"),
    [
        ("192.0.2.9", [], True),
        ("192.0.2.9", ["192.0.2.9"], True),
        ("192.0.2.8", ["192.0.2.9"], False),
        ("192.0.2.77", ["198.51.100.0/24", "192.0.2.0/24"], True),
        ("::ffff:192.0.2.9", ["192.0.2.9"], True),
        ("2001:db8::5", ["2001:db8::/64"], True),
        ("fe80::1%eth0", ["fe80::/10"], True),
        ("2001:db8:1::5", ["2001:db8::/64"], False),
    ],
)
def test_a_peer_may_be_bound_to_addresses(host: str, hosts: list[str], welcome: bool) -> None:
    objection = objection_to(Caller("CT1", host), peer(hosts=hosts), LOOPBACK)
    assert (objection is None) is welcome


@pytest.mark.parametrize(
    ("certificates", "welcome"),
    [
        ([], True),
        (["CN:ct1"], True),
        (["CN:CT2"], False),
        (["DNS:CT1.example"], True),
        (["DNS:ct1"], False),
        ([f"sha256:{FINGERPRINT}"], True),
        ([f"sha256:{':'.join(['AB'] * 32)}"], True),
        ([f"sha256:{'ac' * 32}"], False),
        ([f"sha256:{'ac' * 32}", "CN:CT1"], True),
        (["*"], True),
    ],
)
def test_a_certificate_stands_for_the_peer_that_it_is_bound_to(
    certificates: list[str], welcome: bool
) -> None:
    caller = Caller("CT1", "192.0.2.9", CERTIFICATE)
    objection = objection_to(caller, peer(certificates=certificates), WARD)
    assert (objection is None) is welcome
    if objection:
        assert FINGERPRINT in objection  # what the administrator may want to write there


def test_a_good_certificate_of_another_device_does_not_take_a_title() -> None:
    other = CertificateFacts("CN=MR7", "MR7", (), "cd" * 32)
    assert not belongs_to(other, "CT1", ())
    assert objection_to(Caller("CT1", "192.0.2.9", other), peer(), WARD)


def test_without_a_certificate_only_a_peer_that_needs_none_may_call() -> None:
    asked = WARD.model_copy(update={"client_certificates": "requested"})
    assert objection_to(Caller("CT1", "192.0.2.9"), peer(), asked) is None
    assert objection_to(Caller("CT1", "192.0.2.9"), peer(certificates=["CN:CT1"]), asked)


@pytest.mark.parametrize("text", ["", "CT1", "sha256:12", "sha1:" + "ab" * 20, "CN:", "DNS", "**"])
def test_what_binds_no_certificate_is_told_so(text: str) -> None:
    with pytest.raises(BadBinding):
        parse_binding(text)


def test_rights_are_what_the_peer_is_given() -> None:
    limited = peer(services=["echo", "move"], move_destinations=["WS1"], labels=["trial-7"])
    rights = rights_of(limited)
    assert set(rights.services) == {"echo", "move"}
    assert rights.may_move_to("WS1")
    assert not rights.may_move_to("WS2")
    assert rights.scope == Scope(frozenset({"trial-7"}))
    assert rights_of(peer()).may_move_to("ANYWHERE")
    assert rights_of(None).scope is ALL_STUDIES


def test_two_scopes_allow_what_both_do() -> None:
    some, others = Scope(frozenset("ab")), Scope(frozenset("bc"))
    assert some.narrowed(others) == Scope(frozenset("b"))
    assert some.narrowed(ALL_STUDIES) == ALL_STUDIES.narrowed(some) == some
    assert Rights(()).scope.narrowed(ALL_STUDIES) == ALL_STUDIES


def test_a_minute_of_objects_is_given_at_once_and_then_steadily() -> None:
    now = 1000.0
    allowance = Quotas(lambda: now).of("CT1", 60, 0)
    assert allowance is not None
    assert [allowance.begin_object() for _ in range(61)] == [True] * 60 + [False]
    now += 1.5
    assert [allowance.begin_object() for _ in range(2)] == [True, False]
    now += 3600
    assert [allowance.begin_object() for _ in range(61)] == [True] * 60 + [False]


def test_an_object_may_overdraw_the_bytes_and_the_next_one_waits() -> None:
    now = 0.0
    allowance = Quotas(lambda: now).of("CT1", 0, 6000)
    assert allowance is not None
    assert allowance.begin_object()
    allowance.took(9000)
    assert not allowance.begin_object()
    now += 29
    assert not allowance.begin_object()
    now += 2
    assert allowance.begin_object()


def test_associations_of_a_peer_share_its_allowance_until_the_limit_changes() -> None:
    quotas = Quotas(lambda: 0.0)
    first = quotas.of("CT1", 5, 0)
    assert first is quotas.of("CT1", 5, 0)
    assert first is not quotas.of("CT2", 5, 0)
    assert first is not quotas.of("CT1", 6, 0)
    assert quotas.of("CT1", 0, 0) is None


def test_allowances_of_ever_new_peers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isocenter.server.quotas.REMEMBERED", 10)
    quotas = Quotas(lambda: 0.0)
    kept = quotas.of("CT1", 1, 0)
    for number in range(100):
        assert quotas.of("CT1", 1, 0) is kept
        quotas.of(f"10.0.0.{number}", 1, 0)
    assert len(quotas._allowances) == 10


def test_wrong_networks_and_bindings_are_errors_of_the_configuration() -> None:
    for values in ({"hosts": ["ct1.example"]}, {"certificates": ["CT1"]}, {"labels": ["a b"]}):
        with pytest.raises(ValueError, match=r"is no IP address|certificate is named|a label has"):
            Config.model_validate({"peers": {"ct": {"host": "192.0.2.9", **values}}})
