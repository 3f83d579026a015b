"""GDCM's client beyond C-ECHO, C-STORE and C-FIND, which have their tests in tests/interop."""

from pathlib import Path

import pytest

from tests.interop.matrix.cells import MOVE, STORAGE, answers, asks
from tests.interop.matrix.subjects import STUDY, Archive, assert_same_image
from tests.support import peers

pytestmark = pytest.mark.interop

PEER = "GDCM"


@asks(PEER, MOVE, by="gdcmscu")
@answers(PEER, STORAGE, by="gdcmscu --move")
def test_gdcmscu_has_a_study_moved_to_itself(archive: Archive, received: Path):
    moved = peers.gdcmscu(
        "--move", "--studyroot", "--study", "--key", f"20,d,{STUDY}", "--aetitle", "RECEIVER",
        "--call", "ISOCENTER", "--port-scp", str(archive.receiver_port), "-o", received,
        "127.0.0.1", str(archive.node.port),
    )  # fmt: skip
    assert moved.returncode == 0, moved.stdout
    (path,) = (path for path in received.rglob("*") if path.is_file())
    assert_same_image(path)
