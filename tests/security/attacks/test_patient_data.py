"""No patient in any log at any level, and no secret where others can read it."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from isocenter.dictionary.sop_classes import (
    MODALITY_WORKLIST_FIND,
    MPPS,
    STUDY_ROOT_MOVE,
)
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.dimse.messages import CMoveRQ, NCreateRQ, NSetRQ
from isocenter.encoding.elements import Elements, RawElement, encode_elements
from isocenter.encoding.part10 import FileMeta, encode_file_meta
from isocenter.services.storage_commitment import Reference, encode_request
from tests.archive.workflow.items import item, step_begun, step_ended
from tests.server.support import EXPLICIT, FIND, STORE, Peer
from tests.server.support_instances import CT, Instance, instance
from tests.server.support_nodes import configured, processes
from tests.server.test_storage_commitment import Requester
from tests.support.node import Node, isocenter

# Each value is like no other text, so that wherever it appears it came from here.
PATIENT: dict[int, tuple[str, str]] = {
    0x00100010: ("PN", "Quandary^Zelda"),
    0x00100020: ("LO", "QZ-4711-0815"),
    0x00100030: ("DA", "19330717"),
    0x00100021: ("LO", "QZ-ISSUER"),
    0x00101000: ("LO", "QZ-OTHER-ID"),
    0x00101040: ("LO", "Quibble Lane 7"),
    0x00102160: ("SH", "QZ-ETHNIC"),
    0x001021B0: ("LT", "Quinsy as a child"),
    0x00104000: ("LT", "Quarrelsome"),
    0x00080050: ("SH", "QZACC0001"),
    0x00080080: ("LO", "Quarantine Hospital"),
    0x00080090: ("PN", "Quack^Referring"),
    0x00081030: ("LO", "Quadriceps study"),
    0x0008103E: ("LO", "Quadriceps series"),
    0x00081050: ("PN", "Quill^Performing"),
    0x00081070: ("PN", "Quiet^Operator"),
    0x00200010: ("SH", "QZSTUDY1"),
    0x00204000: ("LT", "Quivering image"),
}
VALUES = [value for _, value in PATIENT.values()]
WORDS = sorted({word for value in VALUES for word in value.split("^")})
ELEMENTS: Elements = {tag: RawElement(vr, value.encode()) for tag, (vr, value) in PATIENT.items()}
SECRET = "a-passcode-like-no-other"

STUDY = "1.2.3.9000"
ONE = instance(f"{STUDY}.1.1", study=STUDY, changed=ELEMENTS)
STEPS = (MPPS, EXPLICIT)
WORKLIST = (MODALITY_WORKLIST_FIND, EXPLICIT)
MOVE = (STUDY_ROOT_MOVE, EXPLICIT)


@pytest.fixture(scope="module", params=[1, 2], ids=["one process", "two workers"])
def node(request, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that logs everything, and the exchange with it that there is to log."""
    folder = tmp_path_factory.mktemp("exchange")
    toml = (
        f"[workers]\ncount = {request.param}\n[log]\nlevel = 'debug'\n"
        '[peers.dead]\nae_title = "DEAD"\nhost = "127.0.0.1"\nport = 1\n'
        "[retrieve]\nattempts = 1\nconnect_timeout = 1\n"
    )
    with Node(folder / "data", *configured(folder, toml)) as running:
        exchange(running, folder)
        yield running


def exchange(node: Node, folder: Path) -> None:
    """All that a peer and a person do with a patient's data, right and wrong."""
    _store(node)
    _ask(node)
    _retrieve(node, folder)
    _examine(node)
    _commands(node, folder)


def _store(node: Node) -> None:
    with Peer.associated(node.port, STORE) as peer:
        assert peer.store(ONE).status == 0
        assert peer.store(ONE).status == 0
        other = Instance(ONE.uid, ONE.data_set[:-2] + b"??")
        assert peer.store(other).status == 0  # to quarantine
        assert peer.store(ONE.cut(len(ONE.data_set) - 5)).status != 0
        assert peer.store(ONE.cut(200)).status != 0
        assert peer.store(ONE, uid="1.2.3").status != 0
        nameless = instance("1.2.3.9001.1.1", changed=ELEMENTS, without=(0x0020000D,))
        assert peer.store(nameless).status != 0
        path = {0x00080018: RawElement("UI", VALUES[0].encode())}
        assert peer.store(instance("1.2.3.9002", changed=ELEMENTS | path)).status != 0


def _ask(node: Node) -> None:
    level = {0x00080052: RawElement("CS", b"STUDY"), 0x0020000D: RawElement("UI", b"")}
    wrong = {0x00080020: RawElement("DA", VALUES[0].encode())}
    with Peer.associated(node.port, FIND) as peer:
        for keys in (ELEMENTS, {0x00100010: ELEMENTS[0x00100010]}, ELEMENTS | wrong):
            peer.find(level | keys)
        peer.find(level | {0x00080052: ELEMENTS[0x00100010]})
        peer.find(encode_elements(level | ELEMENTS, EXPLICIT_VR_LITTLE_ENDIAN)[:-3])


def _retrieve(node: Node, folder: Path) -> None:
    for destination in ("DEAD", "NOWHERE", "ISOCENTER", "QUACK"):
        with Peer.associated(node.port, MOVE) as peer:
            keys = {
                0x00080052: RawElement("CS", b"STUDY"),
                0x0020000D: RawElement("UI", STUDY.encode()),
            }
            command = CMoveRQ(
                message_id=1, affected_sop_class_uid=STUDY_ROOT_MOVE, move_destination=destination
            )
            peer.command(1, command)
            peer.data_set(1, encode_elements(keys | ELEMENTS, EXPLICIT_VR_LITTLE_ENDIAN))
            while peer.read_message()[0].status == 0xFF00:  # type: ignore[attr-defined]
                pass
    (folder / "got").mkdir()
    isocenter("get", node.address, "-k", f"StudyInstanceUID={STUDY}", "-od", folder / "got")
    with Requester.calling(node.port) as requester:
        references = [Reference(CT, ONE.uid), Reference(CT, "1.2.3.4.5")]
        data = encode_request("1.2.9000", references, EXPLICIT_VR_LITTLE_ENDIAN)
        requester.action(data)
        requester.action(encode_elements(ELEMENTS, EXPLICIT_VR_LITTLE_ENDIAN), message_id=9)


def _examine(node: Node) -> None:
    """Worklist and performed procedure step."""
    with Peer.associated(node.port, WORKLIST) as peer:
        peer.begin_find(item() | ELEMENTS, sop_class=MODALITY_WORKLIST_FIND)
        peer.read_matches()
    begun, ended = step_begun() | ELEMENTS, step_ended()
    for uid, attributes in (("1.2.9001", begun), ("1.2.9001", begun), ("1.2.9002", ELEMENTS)):
        with Peer.associated(node.port, STEPS) as peer:
            peer.command(
                1,
                NCreateRQ(
                    message_id=1,
                    affected_sop_class_uid=MPPS,
                    affected_sop_instance_uid=uid,
                    has_data_set=True,
                ),
            )
            peer.data_set(1, encode_elements(attributes, EXPLICIT_VR_LITTLE_ENDIAN))
            peer.read_message()
    for uid, attributes in (("1.2.9001", ELEMENTS), ("1.2.9001", ended), ("1.2.9003", ended)):
        with Peer.associated(node.port, STEPS) as peer:
            peer.command(
                1,
                NSetRQ(
                    message_id=1,
                    requested_sop_class_uid=MPPS,
                    requested_sop_instance_uid=uid,
                    has_data_set=True,
                ),
            )
            peer.data_set(1, encode_elements(attributes, EXPLICIT_VR_LITTLE_ENDIAN))
            peer.read_message()


def _commands(node: Node, folder: Path) -> None:
    """What commands tell a terminal in debug mode is no log of the node's; it is as silent."""
    file = folder / "sent.dcm"
    meta = FileMeta(CT, ONE.uid, EXPLICIT_VR_LITTLE_ENDIAN.uid)
    file.write_bytes(encode_file_meta(meta) + ONE.data_set)
    broken = folder / "broken.dcm"
    broken.write_bytes(file.read_bytes()[:-7])
    (folder / "passcode").write_text(f"{SECRET}\n")
    said = [
        isocenter("store", "-d", node.address, file, broken).stdout,
        isocenter("echo", "-d", node.address, "--user", "jo", "--password-file",
                  folder / "passcode").stdout,
        isocenter("user", "add", "jo", "--password-file", folder / "passcode", "--data",
                  node.data).stdout,
        isocenter("worklist", "list", "-d", "--data", node.data, "--json").stderr or "",
    ]  # fmt: skip
    (folder / "commands.log").write_text("\n".join(said))


def test_no_value_of_the_patient_is_in_the_debug_log(node: Node):
    log = node.log()
    assert "level=debug" in log
    assert [word for word in WORDS if word in log] == []


def test_no_value_of_the_patient_is_in_what_commands_log(node: Node):
    said = (node.data.parent / "commands.log").read_text()
    assert said
    assert [word for word in WORDS if word in said] == []


def test_no_value_of_the_patient_is_remembered_with_a_failure(node: Node):
    done = isocenter("explain", "--data", node.data, "--json")
    assert done.returncode == 0
    assert [word for word in WORDS if word in done.stdout] == []


def test_no_passcode_is_in_a_log_or_in_the_arguments_of_a_process(node: Node):
    assert SECRET not in node.log()
    assert SECRET not in (node.data.parent / "commands.log").read_text()
    for process in processes(node):
        for child in (process, *process.children(recursive=True)):
            try:
                arguments = " ".join(child.cmdline())
            except psutil.Error:
                continue  # it has just ended
            assert SECRET not in arguments
            assert [word for word in WORDS if word in arguments] == []


def open_to_others(folder: Path) -> bool:
    return bool(folder.stat().st_mode & stat.S_IRWXO)


def test_the_data_folder_is_closed_to_others_whatever_made_it(node: Node, tmp_path: Path):
    """Whoever else has an account on the machine gets at neither databases nor keys."""
    assert not open_to_others(node.data)
    by_tls, by_import = tmp_path / "tls", tmp_path / "import"
    (tmp_path / "isocenter.toml").write_text(f'[node]\ndata_directory = "{by_tls}"\n')
    isocenter("tls", "init", "-c", tmp_path / "isocenter.toml")
    isocenter("import", "--data", by_import, tmp_path)
    assert not any(map(open_to_others, (by_tls, by_import)))


def test_secrets_and_the_audit_trail_are_for_the_owner_alone(node: Node):
    secret = [
        path
        for path in node.data.rglob("*")
        if re.search(r"access\.sqlite|audit\.|\.key$", path.name)
    ]
    assert secret
    assert not [path for path in secret if os.lstat(path).st_mode & (stat.S_IRWXG | stat.S_IRWXO)]
