"""A node that holds names which a careless pattern or statement would take for something else."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isocenter.dictionary.sop_classes import STUDY_ROOT_FIND
from isocenter.dictionary.transfer_syntaxes import IMPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.elements import Elements, RawElement, encode_elements
from tests.server.support import ECHO, IMPLICIT, Peer, store_all
from tests.server.support_instances import (
    PATIENT_ID,
    PATIENT_NAME,
    SERIES_INSTANCE_UID,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    Instance,
    instance,
)
from tests.support.node import Node

SUCCESS, CANCEL, OUT_OF_RESOURCES = 0x0000, 0xFE00, 0xA700
MISMATCH, UNABLE = 0xA900, 0xC001
LEVEL = 0x00080052

NAMES = ["O'Hara^Anne", "100%^Sure", "Under_Score", "Und^Score", "Back\\slash", "[A-Z]^x", "DOE^J"]
INSTANCES = 1500


def study(name: str, number: int) -> Instance:
    changed = {
        PATIENT_NAME: RawElement("PN", name.encode()),
        PATIENT_ID: RawElement("LO", b"id-%d" % number),
    }
    uid = f"1.2.3.40.{number}"
    return instance(f"{uid}.1.1", study=uid, pixels=2, changed=changed)


@contextmanager
def node_of_names(folder: Path) -> Iterator[Node]:
    """A node with a study for each name, and one series of many instances."""
    with Node(folder / "data") as running:
        many = (instance(f"1.2.3.41.1.{n}", study="1.2.3.41", pixels=2) for n in range(INSTANCES))
        studies = (study(name, number) for number, name in enumerate(NAMES))
        assert set(store_all(running.port, [*studies, *many])) == {SUCCESS}
        yield running


def studies(**keys: bytes) -> Elements:
    """A study level identifier."""
    elements = {LEVEL: RawElement("CS", b"STUDY"), STUDY_INSTANCE_UID: RawElement("UI", b"")}
    if "name" in keys:
        elements[PATIENT_NAME] = RawElement("PN", keys["name"])
    if "uid" in keys:
        elements[STUDY_INSTANCE_UID] = RawElement("UI", keys["uid"])
    return elements


def images() -> Elements:
    """Finds INSTANCES images."""
    return {
        LEVEL: RawElement("CS", b"IMAGE"),
        STUDY_INSTANCE_UID: RawElement("UI", b"1.2.3.41"),
        SERIES_INSTANCE_UID: RawElement("UI", b"1.2.3.41.1"),
        SOP_INSTANCE_UID: RawElement("UI", b""),
    }


def ask(node: Node, identifier: Elements | bytes) -> tuple[int, int]:
    """Matches and final status; the association goes on afterwards.

    In implicit VR, since in explicit VR a UI of more than 64 kB has no length.
    """
    if not isinstance(identifier, bytes):
        identifier = encode_elements(identifier, IMPLICIT_VR_LITTLE_ENDIAN)
    with Peer.associated(node.port, (STUDY_ROOT_FIND, IMPLICIT), ECHO) as peer:
        responses = peer.find(identifier)
        assert peer.echo(3) == 0
        assert peer.released()
    return len(responses) - 1, responses[-1].status
