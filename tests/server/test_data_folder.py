"""Who may look into the folder with everybody's images."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.support import STORE, Peer
from tests.server.support_instances import instance
from tests.server.support_nodes import log_lines
from tests.support.node import Node


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_new_data_folder_is_closed_to_strangers(tmp_path: Path, workers: str) -> None:
    data = tmp_path / "new" / "data"
    with Node(data, "--workers", workers) as node:
        with Peer.associated(node.port, STORE) as peer:
            assert peer.store(instance("1.2.3.950.1")).status == 0
        assert data.stat().st_mode & 0o777 == 0o750
        assert not log_lines(node, "can read the data folder")


def test_a_folder_that_is_open_already_is_left_so_and_told(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o755)
    with Node(tmp_path / "data") as node:
        assert log_lines(node, "every user of this machine can read the data folder")
