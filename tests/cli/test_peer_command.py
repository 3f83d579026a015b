"""`isocenter peer`: naming other nodes, and trying them."""

import json
import tomllib
from pathlib import Path

import pytest

from isocenter.cli import exit_codes
from tests.cli.helpers import Run
from tests.support.node import Node


def peers() -> dict[str, dict[str, object]]:
    return tomllib.loads(Path("isocenter.toml").read_text())["peers"]


def test_the_first_peer_makes_the_file_that_a_node_here_would_read(run: Run, place: Path) -> None:
    result = run("peer", "add", "pacs", "PACS@pacs.example:104")
    assert result.exit_code == 0
    assert f"{place / 'isocenter.toml'}, which is new" in result.stderr
    assert peers() == {"pacs": {"ae_title": "PACS", "host": "pacs.example", "port": 104}}


def test_every_property_can_be_given(run: Run) -> None:
    options = ("--tls", "--certificate", "CN:CT1", "--service", "echo", "--service", "store")
    preferred = ("--transfer-syntax", "JPEG-LS Lossless", "--transfer-syntax", "1.2.840.10008.1.2")
    assert run("peer", "add", "ct", "CT1@[2001:db8::1]", *options, *preferred).exit_code == 0
    assert peers()["ct"] == {
        "ae_title": "CT1",
        "host": "2001:db8::1",
        "port": 2762,
        "tls": True,
        "certificates": ["CN:CT1"],
        "services": ["echo", "store"],
        "transfer_syntaxes": ["JPEG-LS Lossless", "1.2.840.10008.1.2"],
    }
    listed = json.loads(run("peer", "list", "--json").stdout)["ct"]
    assert listed["transfer_syntaxes"] == ["1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2"]


def test_the_file_in_effect_is_the_one_that_is_changed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOCENTER_CONFIG", "by-variable.toml")
    run("peer", "add", "one", "ONE@h:1")
    run("peer", "add", "two", "TWO@h:1", "-c", "by-option.toml")
    assert "ONE" in Path("by-variable.toml").read_text()
    assert "TWO" in Path("by-option.toml").read_text()
    assert not Path("isocenter.toml").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pacs", "pacs.example:104"), "has no AE title"),
        (("pacs", "PACS@pacs.example:0"), "port 0"),
        (("a b", "PACS@h:1"), "cannot be a peer's name"),
        (("-x", "PACS@h:1"), "No such option"),
        (("pacs", "SEVENTEEN LETTERS@h:1"), "is not an AE title"),
        (("pacs", "PACS@h:1", "--service", "print"), "'print' is not one of"),
        (("pacs", "PACS@h:1", "--transfer-syntax", "jpeg"), "a list of transfer syntaxes"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_written(
    run: Run, arguments: tuple[str, ...], said: str
) -> None:
    result = run("peer", "add", *arguments)
    assert result.exit_code != 0
    assert said in result.stderr
    assert not Path("isocenter.toml").exists()


def test_a_second_peer_of_the_name_is_refused(run: Run) -> None:
    run("peer", "add", "pacs", "PACS@h:1")
    result = run("peer", "add", "pacs", "OTHER@h:1")
    assert result.exit_code == exit_codes.SYNTAX
    assert "has a peer 'pacs' already" in result.stderr


def test_peers_are_listed(run: Run) -> None:
    assert "There are no peers" in run("peer", "list").stderr
    run("peer", "add", "pacs", "PACS@h:104", "--service", "echo")
    run("peer", "add", "v6", "SIX@[::1]:104", "--transfer-syntax", "jpeglslossless")
    lines = [line.split() for line in run("peer", "list").stdout.splitlines()[1:]]
    assert lines == [
        ["pacs", "PACS", "h:104", "no", "echo", "-", "auto"],
        ["v6", "SIX", "[::1]:104", "no", "all", "JPEGLSLossless", "auto"],
    ]


def test_a_peer_is_removed(run: Run) -> None:
    assert run("peer", "remove", "pacs").exit_code == exit_codes.SYNTAX
    run("peer", "add", "pacs", "PACS@h:1")
    assert run("peer", "remove", "pacs").exit_code == 0
    result = run("peer", "remove", "pacs")
    assert result.exit_code == exit_codes.SYNTAX
    assert "no peer 'pacs'" in result.stderr


def test_a_test_says_what_was_negotiated(run: Run, node: Node) -> None:
    run("peer", "add", "pacs", f"ISOCENTER@{node.address}")
    result = run("peer", "test", "pacs")
    assert result.exit_code == 0
    assert result.stdout.startswith("pacs: C-ECHO succeeded, ")
    assert "8 operations at a time, and accepted echo, store, find, move, get" in result.stdout


def test_all_peers_are_tested_and_the_ones_that_fail_are_named(
    run: Run, node: Node, free_port: int
) -> None:
    run("peer", "add", "works", f"ONE@{node.address}")
    run("peer", "add", "gone", f"TWO@127.0.0.1:{free_port}")
    run("peer", "add", "secure", "THREE@127.0.0.1:2762", "--tls")
    result = run("peer", "test", "--all")
    assert result.exit_code == exit_codes.NO_CONNECTION
    said = dict(line.split(": ", 1) for line in result.stdout.splitlines() if line[0] != " ")
    assert said["works"].startswith("C-ECHO succeeded")
    assert "nothing listens there" in said["gone"]
    assert "No certification authority is trusted" in said["secure"]
    found = json.loads(run("peer", "test", "--all", "--json").stdout)
    assert {name: one["works"] for name, one in found.items()} == {
        "works": True,
        "gone": False,
        "secure": False,
    }


@pytest.mark.parametrize("arguments", [(), ("pacs", "--all")])
def test_a_test_needs_one_peer_or_all(run: Run, arguments: tuple[str, ...]) -> None:
    assert "Name one peer, or give --all" in run("peer", "test", *arguments).stderr


def test_no_command_calls_a_peer_in_the_clear_that_wants_tls(run: Run, node: Node) -> None:
    run("peer", "add", "secure", f"ISOCENTER@{node.address}", "--tls")
    assert "No certification authority is trusted" in run("echo", "secure").stderr
    run("tls", "init")
    assert "does not speak TLS on this port" in run("echo", "secure").stderr


def test_a_peers_favourite_is_proposed_first(run: Run, node: Node) -> None:
    favourite = ("--transfer-syntax", "explicit vr little endian")
    run("peer", "add", "pacs", f"ISOCENTER@{node.address}", *favourite)
    assert "in Explicit VR Little Endian" in run("echo", "pacs", "-d").stderr
    assert "in Implicit VR Little Endian" in run("echo", node.address, "-d").stderr
