"""AE titles, patients' names and IDs that would be paths: they name no file, wherever they are."""

from pathlib import Path

import pytest

from isocenter.encoding.elements import RawElement
from isocenter.upperlayer.pdu import AssociateAC
from tests.security.attacks.under_attack import attack
from tests.server.support import ECHO, FIND, STORE, Peer, associate_rq
from tests.server.support_instances import PATIENT_ID, PATIENT_NAME, STUDY_DATE, instance
from tests.support.node import Node

pytestmark = attack(2, "traversal by AE title, Patient ID, names")

PATHS = ["../../evil", "/tmp/evil", "..\\evil", "evil\x00.dcm", "~/evil", "CON", "a/b/c", "."]
STUDY_ID, ACCESSION_NUMBER = 0x00200010, 0x00080050


def tree(folder: Path) -> set[str]:
    """Every path outside the data folder, and in it whatever is neither pack nor bookkeeping."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if not path.is_relative_to(folder / "data" / "packs")
        and not path.is_relative_to(folder / "data" / "open")
    }


@pytest.mark.parametrize("path", [path for path in PATHS if len(path) <= 16])
def test_an_ae_title_that_is_a_path_names_no_file(node: Node, path: str):
    before = tree(node.data.parent)
    request = bytearray(associate_rq(ECHO, STORE, FIND).encode())
    title = path.encode().ljust(16)
    request[10:26] = request[26:42] = title
    with Peer(node.port) as peer:
        peer.send(bytes(request))
        if isinstance(peer.read(), AssociateAC):
            assert peer.echo() == 0
            assert peer.released()
    assert tree(node.data.parent) == before


@pytest.mark.parametrize("path", PATHS)
def test_attributes_that_are_paths_name_no_file(node: Node, ledger, path: str):
    before = tree(node.data.parent)
    text = RawElement("LO", path.encode())
    changed = {
        PATIENT_NAME: RawElement("PN", path.encode()),
        PATIENT_ID: text,
        STUDY_ID: text,
        ACCESSION_NUMBER: text,
        STUDY_DATE: RawElement("DA", b"../../.."),
    }
    with Peer.associated(node.port, STORE) as peer:
        ledger.keep(peer, instance(ledger.uid(), study="1.2.3.2", changed=changed))
    assert tree(node.data.parent) == before
    packs = {part for found in (node.data / "packs").rglob("*") for part in found.parts}
    assert not any("evil" in part or ".." in part for part in packs)
