"""`isocenter config`, and the manual's page that is made by it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from isocenter.cli import exit_codes
from isocenter.cli.config_text import commented_toml, effective_toml, manual
from isocenter.server.config import Config
from isocenter.server.config_keys import all_keys
from isocenter.server.config_loading import load_config
from isocenter.server.config_security import Listener
from tests.cli.helpers import Run

MANUAL = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_manual_is_what_the_models_say() -> None:
    text = "run `isocenter config manual > docs/configuration.md`"
    assert MANUAL.read_text(encoding="utf-8") == manual(), text


def test_the_manual_has_every_key() -> None:
    for key in all_keys():
        assert f"| `{key.name}` |" in manual()
        assert key.description in manual()


def test_show_prints_toml_that_means_the_same(run: Run) -> None:
    Path("isocenter.toml").write_text(
        '[listen]\nport = 104\n[limits]\nidle_timeout = 1.5\n[peers."my pacs"]\nhost = "h\\"x"\n'
    )
    result = run("config", "show")
    assert "port = 104  # isocenter.toml:2" in result.stdout
    assert 'ae_title = "ISOCENTER"  # default' in result.stdout
    assert Config.model_validate(tomllib.loads(result.stdout)) == load_config().config


def test_show_can_be_json(run: Run) -> None:
    shown = json.loads(run("config", "show", "--json").stdout)
    assert Config.model_validate(shown) == Config()


def test_show_names_the_variable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOCENTER_LISTEN__PORT", "104")
    assert "port = 104  # ISOCENTER_LISTEN__PORT" in run("config", "show").stdout


def test_a_wrong_configuration_is_told_problem_by_problem(run: Run) -> None:
    Path("bad.toml").write_text("[listen]\nprot = 1\nport = 0.5\n")
    result = run("config", "check", "bad.toml")
    assert result.exit_code == exit_codes.SYNTAX
    assert result.stdout.splitlines() == [
        "bad.toml:3: listen.port = 0.5 is not allowed; it must be 0 to 65535",
        "bad.toml:2: unknown key listen.prot; did you mean port?",
    ]
    assert result.stderr == "isocenter: bad.toml cannot be used: 2 problems.\n"
    shown = run("config", "show", "-c", "bad.toml")
    assert shown.exit_code == exit_codes.SYNTAX
    assert "isocenter: bad.toml:3: " in shown.stderr


def test_check_looks_at_the_file_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOCENTER_LISTEN__PORT", "nonsense")
    Path("good.toml").write_text("[listen]\nport = 104\n")
    assert run("config", "check", "good.toml").exit_code == 0
    assert run("config", "check", "absent.toml").exit_code == exit_codes.SYNTAX


def test_init_writes_a_file_that_changes_nothing_yet(run: Run) -> None:
    assert run("config", "init").exit_code == 0
    assert load_config("isocenter.toml").config == Config()


def test_every_key_of_the_written_file_can_be_uncommented() -> None:
    lines = commented_toml().splitlines()
    live = [
        line.removeprefix("# ")
        for line in lines
        if line.startswith(("[", "# [")) or (" = " in line and line.split()[2:3] == ["="])
    ]
    Path("all.toml").write_text("\n".join(live))
    config = load_config("all.toml").config
    assert config.model_copy(update={"peers": {}, "listeners": {}}) == Config()
    assert config.listeners == {"hospital": Listener()}
    assert config.peers["workstation"].host == "127.0.0.1"


def test_init_does_not_replace_a_file_unasked(run: Run) -> None:
    Path("mine.toml").write_text("# mine\n")
    result = run("config", "init", "mine.toml")
    assert result.exit_code == exit_codes.UNWRITABLE_OUTPUT
    assert "--force" in result.stderr
    assert Path("mine.toml").read_text() == "# mine\n"
    assert run("config", "init", "mine.toml", "--force").exit_code == 0
    assert run("config", "init", "no/such/dir.toml").exit_code == exit_codes.UNWRITABLE_OUTPUT


def test_init_can_write_to_standard_output(run: Run) -> None:
    assert run("config", "init", "-").stdout == commented_toml()


def test_the_effective_configuration_of_nothing_is_all_defaults() -> None:
    lines = [line for line in effective_toml(load_config()).splitlines() if " = " in line]
    assert lines
    assert all(line.endswith("  # default") for line in lines)
