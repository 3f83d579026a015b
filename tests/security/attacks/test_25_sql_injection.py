"""Keys that would be SQL or patterns: every character means what the standard says, and no more."""

from collections.abc import Iterator

import pytest

from isocenter.dictionary.sop_classes import MODALITY_WORKLIST_FIND
from isocenter.encoding.elements import RawElement
from tests.security.attacks.queried import MISMATCH, NAMES, SUCCESS, ask, node_of_names, studies
from tests.security.attacks.under_attack import attack
from tests.server.support import EXPLICIT, Peer
from tests.support.node import Node, isocenter_json

pytestmark = attack(25, "SQL injection")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with node_of_names(tmp_path_factory.mktemp("names")) as running:
        yield running


CUNNING = {
    b"O'Hara^Anne": 1,
    b"'; DROP TABLE study; --": 0,
    b"' OR '1'='1": 0,
    b"100%^Sure": 1,
    b"%": 0,
    b"1%": 0,
    b"_": 0,
    b"Under_Score": 1,
    b"Und_^Score": 0,
    b"Und__Score": 0,
    b"[A-Z]^x": 1,
    b"[A-Z]*": 1,
    b"[D]OE^J": 0,
    b"D?E^J": 1,
    b"doe*": 1,
    b"\"": 0,
    b'""': 0,
    b"\0": 8,
}  # fmt: skip


@pytest.mark.parametrize("name", CUNNING)
def test_no_character_means_more_than_the_standard_says(node: Node, name: bytes):
    assert ask(node, studies(name=name)) == (CUNNING[name], SUCCESS)


INJECTIONS = [
    b"'; DROP TABLE instance; --",
    b"x' UNION SELECT patient_id FROM patient --",
    b"%' ESCAPE '",
    b"\\' OR 1=1 --",
    b"*' AND load_extension('evil') AND '*",
]
KEYS = {
    0x00100020: "LO",
    0x00080050: "SH",
    0x00080061: "CS",
    0x00081030: "LO",
    0x00200010: "SH",
    0x00080090: "PN",
    0x00080020: "DA",
    0x00204000: "LT",
}


@pytest.mark.parametrize("injection", INJECTIONS)
def test_no_key_reaches_the_database_as_sql(node: Node, injection: bytes):
    for tag, vr in KEYS.items():
        matches, status = ask(node, studies() | {tag: RawElement(vr, injection)})
        assert matches == 0
        assert status in (SUCCESS, MISMATCH)
    assert ask(node, studies()) == (len(NAMES) + 1, SUCCESS)  # nothing was dropped


@pytest.mark.parametrize("injection", INJECTIONS)
def test_no_key_of_the_worklist_reaches_the_database_as_sql(node: Node, injection: bytes):
    step = {tag: RawElement(vr, injection) for tag, vr in ((0x00400001, "AE"), (0x00080060, "CS"))}
    keys = {
        0x00100010: RawElement("PN", injection),
        0x00100020: RawElement("LO", injection),
        0x00080050: RawElement("SH", injection),
        0x00400100: RawElement("SQ", [step]),
    }
    with Peer.associated(node.port, (MODALITY_WORKLIST_FIND, EXPLICIT)) as peer:
        peer.begin_find(keys, sop_class=MODALITY_WORKLIST_FIND)
        assert [response.status for response in peer.read_matches()] in ([SUCCESS], [MISMATCH])


def test_the_database_is_whole_afterwards(node: Node):
    """The last test of this module."""
    assert isocenter_json("verify", "--data", str(node.data))["problems"] == []
