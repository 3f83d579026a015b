"""What peers send is written where the archive decides, and never where others would read it.

Nothing that a peer sends over DIMSE can choose a path, change the configuration, or leave a file
that can be run. Over the whole of a session's attacks that is still so.
"""

import os
import re
import stat
from pathlib import Path

from isocenter.archive.layout import INDEX_FILE, WORKFLOW_FILE
from isocenter.encoding.elements import RawElement
from tests.security.attacks.conftest import SETTINGS
from tests.security.attacks.under_attack import attack
from tests.server.support import STORE, Peer
from tests.server.support_instances import STUDY_DATE, instance
from tests.support.node import Node

pytestmark = attack(23, "server writes files for clients")

EXPECTED = re.compile(
    r"data\.log|isocenter\.toml|data(/("
    rf"archive\.lock|audit\.head|({INDEX_FILE}|{WORKFLOW_FILE}|\w+\.sqlite)(-wal|-shm|-journal)?"
    r"|packs(/(\d{4}(/\d\d(/\d\d(/[\d.]+(/[\w.-]+\.tar)?)?)?)?|undated(/[\d.]+(/[\w.-]+\.tar)?)?))?"
    r"|open(/\w+(/[\w.-]+)?)?|incoming(/\w+(/[\w.-]+)?)?|tls(/.*)?"
    r"|quarantine(/\d{8}(/[\w.-]+\.(dcm|json))?)?|quarantine/[\w.-]+))?"
)


def written(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*")]


def test_every_file_is_one_that_the_archive_makes(node: Node, ledger):
    """Dates make folders: those that are none may make none."""
    dates = [b"20241301", b"../../..", b"99999999", b"00000000", b"2024", b"20240101-", b""]
    with Peer.associated(node.port, STORE) as peer:
        for number, date in enumerate(dates):
            changed = {STUDY_DATE: RawElement("DA", date)}
            ledger.keep(peer, instance(ledger.uid(), study=f"1.2.3.23.{number}", changed=changed))
    odd = [path for path in written(node.data.parent) if not EXPECTED.fullmatch(path)]
    assert odd == []


def test_no_peer_changes_the_configuration(node: Node):
    assert (node.data.parent / "isocenter.toml").read_text() == SETTINGS


def test_no_file_can_be_run_or_is_a_link(node: Node):
    for path in node.data.rglob("*"):
        mode = os.lstat(path).st_mode
        assert stat.S_ISDIR(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode), path
        assert stat.S_ISDIR(mode) or not mode & 0o111, path
