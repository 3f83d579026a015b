"""What `isocenter serve` says first."""

from __future__ import annotations

from pathlib import Path

import pytest

from isocenter.cli.banner import start_banner
from isocenter.server.config import Config


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell finds `isocenter`, as after an installation."""
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/isocenter")


def test_the_banner_of_the_first_five_minutes(place: Path) -> None:
    banner = start_banner(Config())
    assert "ISOCENTER on 127.0.0.1:11112 (plain DICOM, reachable by this machine only)" in banner
    assert str(place / "isocenter-data") in banner
    assert "survives a power failure" in banner
    assert "built-in defaults" in banner
    assert "  isocenter echo localhost\n" in banner
    assert "  isocenter store localhost some/dir\n" in banner
    assert "  isocenter find localhost -k PatientName='DOE*'\n" in banner
    assert "Ctrl-C" in banner


def test_the_banner_tells_the_real_port_and_the_file() -> None:
    config = Config.model_validate({"listen": {"port": 0}, "storage": {"durability": "os"}})
    banner = start_banner(config, Path("node.toml"), {"listen": 4711})
    assert "127.0.0.1:4711" in banner
    assert "isocenter echo localhost:4711" in banner
    assert "node.toml" in banner
    assert "not of the machine" in banner


def test_the_banner_of_an_insecure_listener_warns() -> None:
    config = Config.model_validate({"listen": {"host": "::", "insecure": True}})
    banner = start_banner(config)
    assert "INSECURE: readable by anyone on the network" in banner
    assert "[::]:11112" in banner
    assert "isocenter echo 'ISOCENTER@[::1]:11112'" in banner


def test_the_banner_names_every_listener_and_how_one_talks_there() -> None:
    beyond = {"listeners": {"ward": {"host": "192.0.2.7"}}}
    banner = start_banner(Config.model_validate(beyond))
    assert "127.0.0.1:11112 (plain DICOM, reachable by this machine only)" in banner
    assert "192.0.2.7:2762 (TLS, for known peers)" in banner


def test_the_commands_to_try_speak_tls_where_the_listener_does() -> None:
    banner = start_banner(Config.model_validate({"listen": {"tls": "always"}}))
    assert "isocenter echo localhost:2762 --tls" in banner


def test_the_commands_to_try_call_a_node_that_minds_its_name() -> None:
    node = {"ae_title": "MY NODE", "check_called_ae": "always"}
    banner = start_banner(Config.model_validate({"node": node}))
    assert "isocenter echo 'MY NODE@localhost'" in banner


def test_the_commands_to_try_name_the_program_as_it_was_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setattr("sys.argv", [".venv/bin/isocenter", "serve"])
    assert "  .venv/bin/isocenter echo localhost\n" in start_banner(Config())
    monkeypatch.setattr("sys.argv", ["isocenter/__main__.py"])
    assert "  python -m isocenter echo localhost\n" in start_banner(Config())
