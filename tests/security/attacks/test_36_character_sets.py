"""Text in character sets that lie or confuse (PS3.5 6.1): stored as it came, and found."""

import pytest

from isocenter.encoding.elements import Elements, RawElement
from tests.security.attacks.queried import ask
from tests.security.attacks.under_attack import attack
from tests.server.support import FIND, STORE, Peer
from tests.server.support_instances import PATIENT_ID, PATIENT_NAME, STUDY_INSTANCE_UID, instance
from tests.support.node import Node, isocenter, isocenter_json

pytestmark = attack(36, "charset confusion")

CHARACTER_SET, LEVEL = 0x00080005, 0x00080052
NAMES: dict[str, tuple[bytes, bytes]] = {
    "an escape that is none": (b"\\ISO 2022 IR 87", b"Doe\x1b$ZJohn"),
    "an escape at the end": (b"\\ISO 2022 IR 87", b"Doe\x1b"),
    "half an ideograph": (b"\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;"),
    "sets that were not declared": (b"ISO_IR 100", b"Doe\x1b$B;3ED\x1b(B"),
    "sets mixed": (b"\\ISO 2022 IR 149\\ISO 2022 IR 87", b"\x1b$)C\xb1\xe8\x1b$B;3\x1b(B"),
    "four bytes of GB18030": (b"GB18030", b"\x81\x30\x81\x30^\x84\x31\xa4\x37"),
    "half of GB18030": (b"GB18030", b"Wang^\x81\x30"),
    "a backslash inside GBK": (b"GBK", b"\x95\x5c^\x8a\x5c"),
    "a backslash inside Shift JIS": (b"ISO_IR 13", b"\x95\x5c\x8e\xa6^x"),
    "UTF-8 that is none": (b"ISO_IR 192", b"\xff\xfe\xc0\xaf^\xed\xa0\x80"),
    "a set that does not exist": (b"ISO_IR 4711", b"Doe^J\xe9r\xf4me"),
    "a path as a set": (b"../../etc/passwd", b"Doe^John"),
    "a codec of Python's": (b"unicode_escape", b"\\x1b^idna"),
    "a thousand sets": (b"\\".join([b"ISO 2022 IR 87"] * 1000), b"Doe^John"),
    "256 separators": (b"ISO_IR 192", b"^" * 128 + b"=" * 128),
    "nothing but escapes": (b"\\ISO 2022 IR 87", b"\x1b(B\x1b$B" * 2000),
}


def study(what: str) -> str:
    return f"1.2.3.36.{list(NAMES).index(what)}"


def identifier(uid: str, **more: RawElement) -> Elements:
    return {
        LEVEL: RawElement("CS", b"STUDY"),
        STUDY_INSTANCE_UID: RawElement("UI", uid.encode()),
        PATIENT_NAME: RawElement("PN", b""),
        PATIENT_ID: RawElement("LO", b""),
    }


@pytest.mark.parametrize("what", NAMES)
def test_a_name_that_confuses_is_kept_and_its_study_found(node: Node, ledger, what: str):
    character_set, name = NAMES[what]
    changed = {
        CHARACTER_SET: RawElement("CS", character_set),
        PATIENT_NAME: RawElement("PN", name),
    }
    with Peer.associated(node.port, STORE) as peer:
        ledger.keep(peer, instance(ledger.uid(), study=study(what), changed=changed))
    with Peer.associated(node.port, FIND) as peer:
        statuses = [response.status for response in peer.find(identifier(study(what)))]
    assert statuses == [0xFF00, 0]


def test_names_that_confuse_can_be_shown(node: Node):
    """Behind the stores of the same names."""
    studies = "\\".join(map(study, NAMES))
    keys = ("-k", f"StudyInstanceUID={studies}", "-k", "PatientName")
    done = isocenter("find", node.address, *keys)
    assert done.returncode == 0, done.stdout
    assert len(isocenter_json("find", node.address, *keys)) == len(NAMES)


@pytest.mark.parametrize("what", NAMES)
def test_a_key_that_confuses_is_answered(node: Node, what: str):
    character_set, name = NAMES[what]
    keys = identifier("") | {
        CHARACTER_SET: RawElement("CS", character_set),
        PATIENT_NAME: RawElement("PN", name),
    }
    _, status = ask(node, keys)
    assert status in (0, 0xA900, 0xC001), f"{status:04X}"
