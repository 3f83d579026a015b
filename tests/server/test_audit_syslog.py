"""A node whose audit messages go to a real syslog server over TLS."""

from pathlib import Path

import pytest

from isocenter.archive.layout import AUDIT_FILE
from isocenter.security.audit.lookup import newest
from isocenter.security.audit.trail import AuditTrail
from tests.server.support import store_all
from tests.server.support_instances import instance
from tests.server.support_nodes import configured, eventually, log_lines
from tests.support.certificates import TestCA
from tests.support.node import Node, isocenter_json
from tests.support.processes import free_port
from tests.support.rsyslog import Rsyslog
from tests.support.tls import Certificates


@pytest.mark.interop
def test_a_node_sends_its_trail_whole_and_once_over_restarts(start_node, tmp_path: Path):
    ca, port, data = TestCA(tmp_path / "ca"), free_port(), tmp_path / "data"
    keys = f'[audit]\nsyslog = "127.0.0.1:{port}"\nsyslog_trusted = "{ca.trusted}"\n'
    file = configured(tmp_path, keys)
    pair = ca.issue("localhost")
    with Rsyslog(tmp_path / "log", port, pair, ca.trusted) as server:
        for options in (("--workers", "2"), ()):
            node = start_node(data, *file, *options)
            store_all(node.port, [instance(f"1.2.3.{len(options)}")])
            node.stop()
        with AuditTrail(data / AUDIT_FILE) as trail:
            kept = list(reversed(newest(trail, 100)))
        received = server.received()
    assert [one.sequence_id for one in received] == list(range(1, len(kept) + 1))
    assert [one.xml for one in received] == [one.xml for one in kept]
    (state,) = isocenter_json("audit", "export-status", "--data", data)
    assert state["through"] == len(kept)


def test_a_server_that_is_away_is_told_in_log_and_status(start_node, tmp_path: Path):
    trusted = Certificates(tmp_path / "ca").ca
    for line, words in (
        (f'syslog_trusted = "{trusted}"\n', "cannot be reached"),
        ("", "No certification authority is trusted"),
    ):
        keys = f'[audit]\nsyslog = "127.0.0.1:{free_port()}"\n{line}'
        node = start_node(None, *configured(tmp_path, keys))
        told(node, words)


def told(node: Node, words: str) -> None:
    """What is in the way stands in the log and in the status, and the node serves on."""
    eventually(lambda: log_lines(node, "audit messages wait for the syslog server"))
    (state,) = isocenter_json("audit", "export-status", "--data", node.data)
    assert words in state["last_error"]
    assert state["waiting"] > 0
    assert node.stop(trouble_expected=True) == 0
