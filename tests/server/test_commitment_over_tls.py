"""Commitment reports that a node delivers over TLS to whoever listens for them."""

from __future__ import annotations

from pathlib import Path

from tests.server.support_nodes import log_lines
from tests.support.corpus import bundled
from tests.support.node import isocenter
from tests.support.tls_node import TLSNode, port_of


def test_a_report_reaches_a_command_that_listens_over_tls_and_only_so(tmp_path: Path) -> None:
    peer, port = port_of("MODALITY")
    toml = peer + 'commitment_delivery = ["new"]\n'
    with TLSNode(tmp_path / "node", toml) as node:
        own = node.issue("MODALITY", "localhost")
        done = isocenter(
            *("store", "--commit", "--listen", str(port), "-aet", "MODALITY", *own.options),
            *(node.address, bundled("CT_small.dcm")),
        )
        assert done.returncode == 0, done.stdout
        assert "committed" in done.stdout
        assert not log_lines(node, "level=warning")
