"""A peer that may see some studies only, at a running node: every service tells it the same."""

from collections.abc import Iterator

import pytest
from pydicom.dataset import Dataset
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove

from isocenter.archive.layout import ACCESS_FILE
from isocenter.archive.study_labels import StudyLabels
from isocenter.dictionary.sop_classes import PATIENT_ROOT_FIND, STUDY_ROOT_FIND
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.dimse.messages import CFindRQ, CFindRSP
from isocenter.encoding.elements import RawElement, decode_elements, encode_elements
from isocenter.security.database import AccessDatabase
from isocenter.services.storage_commitment import Reference
from isocenter.upperlayer.pdu import AssociateAC
from tests.server.support import EXPLICIT, STORE, Peer, associate_rq, store_all
from tests.server.support_instances import CT, STUDY_INSTANCE_UID, instance
from tests.server.support_nodes import configured, wait_until_all_serve
from tests.server.support_retrieve import counters, get, requesting, wanted
from tests.server.test_storage_commitment import Requester
from tests.support.node import Node

LEVEL, COUNT = 0x00080052, 0x00201200
RESTRICTED = "REQUESTOR"  # the AE title of `requesting`
STUDIES = ("1.2.1", "1.2.2", "1.2.3")
STORED = [
    instance(f"{study}.1.{number}", study=study, pixels=2)
    for study in STUDIES
    for number in range(2)
]

SETTINGS = f"""
[peers.restricted]
ae_title = "{RESTRICTED}"
host = "127.0.0.1"
labels = ["research", "teaching"]
commitment_delivery = "same"
[peers.nowhere]
ae_title = "NOWHERE"
host = "127.0.0.1"
port = 1
[retrieve]
attempts = 1
[workers]
count = %d
"""


@pytest.fixture(scope="module", params=[1, 2], ids=["one process", "two workers"])
def node(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("node")
    options = configured(folder, SETTINGS % request.param)
    with Node(folder / "data", *options) as running:
        if request.param > 1:
            wait_until_all_serve(running, request.param)
        assert set(store_all(running.port, STORED)) == {0}
        yield running


@pytest.fixture(autouse=True)
def labels(node: Node) -> Iterator[StudyLabels]:
    """The second study alone is labelled; afterwards none is. As `isocenter label` does it."""
    with AccessDatabase(node.data / ACCESS_FILE) as database:
        labels = StudyLabels(database)
        labels.add("research", [STUDIES[1]])
        yield labels
        for label in ("research", "teaching", "other"):
            labels.remove(label)


def asked(node: Node, level: bytes, *, calling: str = RESTRICTED) -> list[str]:
    """Studies that C-FIND names; of patients how many studies they have."""
    at_studies = level == b"STUDY"
    model = STUDY_ROOT_FIND if at_studies else PATIENT_ROOT_FIND
    returned = STUDY_INSTANCE_UID if at_studies else COUNT
    identifier = {LEVEL: RawElement("CS", level), returned: RawElement("UI", b"")}
    with Peer(node.port) as peer:
        peer.send(associate_rq((model, EXPLICIT), calling=calling).encode())
        assert isinstance(peer.read(), AssociateAC)
        peer.command(1, CFindRQ(message_id=1, affected_sop_class_uid=model))
        peer.data_set(1, encode_elements(identifier, EXPLICIT_VR_LITTLE_ENDIAN))
        return sorted(matched(peer, returned))


def matched(peer: Peer, tag: int) -> Iterator[str]:
    while True:
        response, data = peer.read_message()
        assert isinstance(response, CFindRSP)
        if response.status == 0:
            return
        assert response.status == 0xFF00
        match = decode_elements(data, EXPLICIT_VR_LITTLE_ENDIAN)
        yield bytes(match[tag].value).decode().strip(" \0")


def test_find_names_what_is_seen_and_counts_nothing_else(node: Node) -> None:
    assert asked(node, b"STUDY") == [STUDIES[1]]
    assert asked(node, b"PATIENT") == ["1"]
    assert set(STUDIES) <= set(asked(node, b"STUDY", calling="ANYBODY"))
    (everything,) = asked(node, b"PATIENT", calling="ANYBODY")
    assert int(everything) >= len(STUDIES)


def test_a_label_holds_at_once_beside_the_running_node(node: Node, labels: StudyLabels) -> None:
    labels.add("teaching", [STUDIES[0]])
    assert asked(node, b"STUDY") == [STUDIES[0], STUDIES[1]]
    assert asked(node, b"PATIENT") == ["2"]
    labels.remove("teaching", [STUDIES[0]])
    assert asked(node, b"STUDY") == [STUDIES[1]]
    labels.add("other", STUDIES)
    assert asked(node, b"STUDY") == [STUDIES[1]]


def test_get_gives_what_is_seen_and_nothing_else(node: Node) -> None:
    with requesting(node) as association:
        ((hidden, _),) = get(association, wanted(STUDIES[0]))
        *_, (seen, _) = get(association, wanted(STUDIES[1]))
        *_, (several, _) = get(association, wanted("\\".join(STUDIES)))
        *_, (image, _) = get(association, of_image(STORED[0].uid, STUDIES[0]))
    assert counters(hidden) == (None, 0, 0, 0)
    assert counters(seen) == counters(several) == (None, 2, 0, 0)
    assert counters(image) == (None, 0, 0, 0)


def of_image(uid: str, study: str) -> Dataset:
    identifier = wanted(study, "IMAGE")
    identifier.SeriesInstanceUID = f"{study}.1"
    identifier.SOPInstanceUID = uid
    return identifier


def test_move_sends_what_is_seen_and_nothing_else(node: Node) -> None:
    model = StudyRootQueryRetrieveInformationModelMove
    with requesting(node) as association:
        *_, (hidden, _) = association.send_c_move(wanted(STUDIES[0]), "NOWHERE", model)
        *_, (seen, _) = association.send_c_move(wanted(STUDIES[1]), "NOWHERE", model)
    assert counters(hidden) == (None, 0, 0, 0)
    assert counters(seen) == (None, 0, 2, 0), "they were tried to be sent"


def test_what_is_not_seen_is_not_there_to_be_committed(node: Node) -> None:
    references = [Reference(CT, one.uid) for one in STORED]
    absent = Reference(CT, "1.2.9")
    with Requester.calling(node.port, RESTRICTED) as peer:
        assert peer.ask([*references, absent], uid="1.2.77") == 0
        report = peer.report()
        assert list(report.committed) == references[2:4]
        others = [*references[:2], *references[4:], absent]
        assert report.failed == dict.fromkeys(others, 0x0112)


def test_storing_what_is_hidden_tells_nothing_of_it(node: Node, labels: StudyLabels) -> None:
    """What a duplicate is answered, it is answered in any scope; and storing shows nothing."""
    with Peer(node.port) as peer:
        peer.send(associate_rq(STORE, calling=RESTRICTED).encode())
        assert isinstance(peer.read(), AssociateAC)
        new = instance("1.2.4.1.0", study="1.2.4", pixels=2)
        assert [peer.store(one).status for one in (STORED[0], STORED[2], new, new)] == [0] * 4
        assert peer.released()
    assert asked(node, b"STUDY") == [STUDIES[1]]
    assert labels.list() == [(STUDIES[1], ("research",))]
