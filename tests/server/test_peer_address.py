"""Who is meant by PEER."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.server.peer_address import (
    AddressError,
    PeerAddress,
    calling_ae_title,
    parse_address,
    resolve_peer,
)

PACS = """
[node]
ae_title = "MY_NODE"
[peers.pacs]
ae_title = "PACS"
host = "192.0.2.5"
port = 104
"""


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working directory: nobody's configuration is found by accident."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost", ("localhost", 11112, "ANY-SCP")),
        ("localhost:104", ("localhost", 104, "ANY-SCP")),
        ("192.0.2.1:104", ("192.0.2.1", 104, "ANY-SCP")),
        ("[::1]:104", ("::1", 104, "ANY-SCP")),
        ("[::1]", ("::1", 11112, "ANY-SCP")),
        ("::1", ("::1", 11112, "ANY-SCP")),
        ("PACS@host", ("host", 11112, "PACS")),
        ("PACS@host:104", ("host", 104, "PACS")),
        ("PACS@[2001:db8::1]:104", ("2001:db8::1", 104, "PACS")),
        ("MY PACS@host", ("host", 11112, "MY PACS")),
        ("A@B@host:104", ("host", 104, "A@B")),
    ],
)
def test_every_form_of_an_address_is_understood(text: str, expected: PeerAddress) -> None:
    assert resolve_peer(text)[:3] == expected


def test_port_and_called_title_can_stand_beside_the_host() -> None:
    assert resolve_peer("host", 104, "PACS")[:3] == ("host", 104, "PACS")
    assert resolve_peer("OTHER@host", 104, "PACS")[:3] == ("host", 104, "PACS")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host:",
        "host:0",
        "host:70000",
        "host:abc",
        ":104",
        "@host",
        "a b:104",
        "[::1",
        "::1]",
        "SEVENTEEN_LETTERS@host",
        "A\\B@host",
        "UMLÄUT@host",
        "host:999999",
        "host:١٢",
    ],
)
def test_what_is_not_an_address_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(AddressError, match=r"\.$"):
        resolve_peer(text)


def test_two_ports_are_one_too_many() -> None:
    with pytest.raises(AddressError, match="already names port 104"):
        resolve_peer("host:104", 105)


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        parts = parse_address(text)
    except AddressError:
        return
    assert parts.host
    assert parts.port is None or 1 <= parts.port <= 65535


def test_a_bare_name_is_looked_up_among_the_peers() -> None:
    Path("isocenter.toml").write_text(PACS)
    assert resolve_peer("pacs")[:3] == ("192.0.2.5", 104, "PACS")
    assert resolve_peer("pacs", called_ae="OTHER")[:3] == ("192.0.2.5", 104, "OTHER")
    assert resolve_peer("elsewhere")[:3] == ("elsewhere", 11112, "ANY-SCP")


def test_a_name_with_a_port_or_title_is_a_host() -> None:
    Path("isocenter.toml").write_text(PACS)
    assert resolve_peer("pacs", 105)[:3] == ("pacs", 105, "ANY-SCP")
    assert resolve_peer("X@pacs")[:3] == ("pacs", 11112, "X")


def test_a_peer_can_come_from_a_named_file_or_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("other.toml").write_text(PACS)
    assert resolve_peer("pacs", config="other.toml").host == "192.0.2.5"
    monkeypatch.setenv("ISOCENTER_PEERS__WS__HOST", "ws.example")
    assert resolve_peer("ws").host == "ws.example"


def test_our_own_title_is_the_flag_then_the_configuration_then_isocenter() -> None:
    assert calling_ae_title(None) == "ISOCENTER"
    Path("isocenter.toml").write_text(PACS)
    assert calling_ae_title(None) == "MY_NODE"
    assert calling_ae_title("FLAG") == "FLAG"
    with pytest.raises(AddressError):
        calling_ae_title("SEVENTEEN_LETTERS")


def test_an_address_reads_as_it_is_written() -> None:
    for text in ("PACS@host:104", "PACS@[::1]:104"):
        assert str(resolve_peer(text)) == text
