"""`isocenter serve`: what it says before it serves, and how it ends when it cannot."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from isocenter.cli import exit_codes
from isocenter.server.config import Config
from tests.cli.helpers import Run
from tests.support.node import Node
from tests.support.processes import PATIENCE


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The configurations that would have been served."""
    configs: list[Config] = []

    def serve(config: Config, on_listening: Callable[[dict[str, int]], None]) -> None:
        configs.append(config)
        on_listening({"listen": config.listen.port or 4711})

    monkeypatch.setattr("isocenter.server.serve.serve", serve)
    monkeypatch.setattr("isocenter.server.logging.configure_logging", lambda *_: None)
    return configs


def test_without_anything_it_serves_the_defaults(run: Run, served: list[Config]) -> None:
    result = run("serve")
    assert served == [Config()]
    assert "listening as ISOCENTER on 127.0.0.1:11112" in result.stderr
    assert "built-in defaults" in result.stderr


def test_flags_win_over_the_file(run: Run, served: list[Config]) -> None:
    Path("node.toml").write_text('[node]\nae_title = "FILE"\n[listen]\nport = 104\n')
    run(
        *("serve", "-c", "node.toml", "--port", 0, "--data", "d", "--workers", 2),
        *("--durability", "os", "-d", "--host", "::1"),
    )
    (config,) = served
    assert config.node.ae_title == "FILE"
    assert config.node.data_directory == Path("d")
    assert (config.listen.host, config.listen.port) == ("::1", 0)
    assert (config.workers.count, config.storage.durability) == (2, "os")
    assert config.log.level == "debug"


def test_quiet_prints_no_banner_and_logs_errors_only(run: Run, served: list[Config]) -> None:
    assert run("serve", "-q", "--ae-title", "ME").output == ""
    assert (served[0].log.level, served[0].node.ae_title) == ("error", "ME")


def test_a_listener_beyond_loopback_is_a_tls_listener(run: Run, served: list[Config]) -> None:
    assert run("serve", "--host", "0.0.0.0").exit_code == exit_codes.SUCCESS
    assert served[0].listen.uses_tls
    assert served[0].listen.port == 2762


def test_a_wrong_flag_is_named_as_one(run: Run, served: list[Config]) -> None:
    result = run("serve", "--ae-title", "SEVENTEEN_LETTERS")
    assert result.exit_code == exit_codes.SYNTAX
    assert result.stderr.startswith("isocenter: command line: node.ae_title = ")


def test_a_port_that_is_taken_is_one_sentence(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        result = run("serve", "--port", other.getsockname()[1])
    assert result.exit_code == exit_codes.NO_CONNECTION
    assert result.stderr.startswith("isocenter: Cannot listen on 127.0.0.1 port ")


def test_a_data_folder_in_the_way_is_an_output_error(run: Run) -> None:
    Path("file").write_text("in the way")
    result = run("serve", "--port", 0, "--data", "file")
    assert result.exit_code == exit_codes.UNWRITABLE_OUTPUT
    assert "cannot be used as a data folder" in result.stderr


def started(node: Node) -> Node:
    """The node, once it has said that it serves: the port alone opens a moment earlier."""
    end = time.monotonic() + PATIENCE
    while "Ctrl-C stops it." not in node.log():
        assert time.monotonic() < end, node.log()
        time.sleep(0.01)
    return node


def test_import_into_the_data_of_a_running_node_is_refused(
    run: Run, start_node: Callable[..., Node]
) -> None:
    node = started(start_node())
    result = run("import", "--data", node.data, ".")
    assert result.exit_code == exit_codes.UNWRITABLE_OUTPUT
    assert result.stderr.count("\n") == 1
    assert run("status", "--data", node.data).exit_code == 0


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_node_that_is_stopped_ends_well(
    start_node: Callable[..., Node], by: signal.Signals
) -> None:
    node = started(start_node())
    assert node.stop(by) == 0
