"""XML with entities and references: nobody's XML is read, so nothing expands or fetches it.

The audit trail writes XML (PS3.15 A.5), and reads what it has written itself. Web services will
read that of strangers; their attacks come with them.
"""

import ast
from pathlib import Path

import isocenter as package
from isocenter.encoding.elements import RawElement
from isocenter.upperlayer.pdu import AssociateRJ
from tests.security.attacks.under_attack import attack
from tests.server.support import STORE, Peer
from tests.server.support_instances import PATIENT_ID, PATIENT_NAME, instance
from tests.support.node import Node, isocenter

pytestmark = attack(27, "XXE / entity bombs")

PARSERS = {"xml", "lxml", "expat", "pyexpat", "defusedxml", "xmltodict", "bs4", "HTMLParser"}
BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">'
    + b"".join(b'<!ENTITY %c "&%c;&%c;&%c;">' % (n + 1, n, n, n) for n in range(97, 120))
    + b"]><a>&x;</a>"
)


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_only_the_audit_trail_reads_xml_which_is_its_own():
    sources = Path(package.__file__).parent
    readers = {
        path.relative_to(sources).parent.as_posix()
        for path in sources.rglob("*.py")
        if imported(path) & PARSERS
    }
    assert readers <= {"security/audit"}


def test_markup_in_attributes_stays_text_in_the_audit_trail(node: Node, ledger):
    evil = b"]]><!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>&x;"
    changed = {PATIENT_ID: RawElement("LO", evil), PATIENT_NAME: RawElement("PN", evil)}
    with Peer.associated(node.port, STORE) as peer:
        ledger.keep(peer, instance(ledger.uid(), study="1.2.3.27", changed=changed))
    done = isocenter("audit", "verify", "--data", node.data)
    assert done.returncode == 0, done.stdout
    done = isocenter("audit", "who-saw", evil.decode(), "--data", node.data)
    assert "Traceback" not in done.stdout
    assert "root:" not in done.stdout


def test_xml_instead_of_dicom_is_ended(node):
    with Peer(node.port) as peer:
        peer.send(BOMB)
        assert not isinstance(peer.read(), AssociateRJ)
        assert peer.ended()
