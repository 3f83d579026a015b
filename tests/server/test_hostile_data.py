"""Objects that are not what they should be, sent by C-STORE to a running node.

Each gets the status of PS3.4 B.2.3 and a line in the log, on an association that goes on; a
refused one leaves no trace in the packs.
"""

import itertools
import json
import threading
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.elements import RawElement, encode_elements
from isocenter.upperlayer.contexts import ProposedContext
from isocenter.upperlayer.pdu import AssociateRQ
from tests.server.support import (
    DEFLATED,
    ECHO,
    EXPLICIT,
    FIND,
    IMPLICIT,
    STORE,
    Peer,
    echo_seconds,
    fragments,
    store_all,
)
from tests.server.support_instances import (
    CT,
    PATIENT,
    PRIVATE_BULK,
    PRIVATE_SOP_CLASS,
    SERIES_INSTANCE_UID,
    SOP_CLASS_UID,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    Instance,
    assert_no_trace,
    assert_stored,
    instance,
    nested,
    stored,
)
from tests.server.support_nodes import configured, eventually, only_complaint
from tests.support.node import Node, isocenter_json

SUCCESS, OUT_OF_RESOURCES, MISMATCH, UNREADABLE = 0x0000, 0xA700, 0xA900, 0xC000
DUPLICATE, INVALID_UID = 0x0111, 0x0117
MIB = 1 << 20

STORE_DEFLATED = (CT, DEFLATED)
STORE_PRIVATE = (PRIVATE_SOP_CLASS, EXPLICIT)

acknowledged: list[Instance] = []
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that takes objects of 4 MiB at most, shared by the tests."""
    folder = tmp_path_factory.mktemp("node")
    with Node(folder / "data", *configured(folder, '[limits]\nobject_size = "4 MiB"\n')) as running:
        yield running


@pytest.fixture(autouse=True)
def the_rest(node: Node) -> Iterator[None]:
    """After each attack strangers are served, and the packs hold what was acknowledged, no more."""
    yield
    echo_seconds(node.port)
    assert_stored(node.data, acknowledged)
    assert PATIENT not in node.log()


def fresh_uid() -> str:
    return f"1.2.3.8.{next(numbers)}"


def keep(peer: Peer, one: Instance, **options: int) -> None:
    """Stores what must then be found again after everything."""
    assert peer.store(one, **options).status == SUCCESS
    acknowledged.append(one)


def refused(node: Node, status: int, one: Instance, *, uid: str | None = None, syntaxes=STORE):
    """Asserts that `one` is refused with `status`, and that the association outlives it."""
    with Peer.associated(node.port, syntaxes, ECHO, STORE) as peer:
        response = peer.store(one, uid=uid)
        assert f"{response.status:04X}" == f"{status:04X}"
        assert f"{status:04X}" in only_complaint(node, peer.name)
        assert response.error_comment
        assert peer.echo(3) == 0
        keep(peer, instance(fresh_uid()), context_id=5)


# UIDs

BAD_UIDS = {
    "a path upwards": "../../../../etc/passwd",
    "an absolute path": "/etc/passwd",
    "dots": "..",
    "a NUL inside": "1.2\x003",
    "a backslash": "..\\windows\\system32",
    "a line break": "1.2.3\nlevel=error",
    "too long": "1." + "2" * 63,
    "far too long": "1." * 2000 + "1",
    "letters": "1.2.abc",
    "an empty component": "1..2",
    "a dot at the end": "1.2.",
    "beyond ASCII": "1.2.é",
}


@pytest.mark.parametrize("what", BAD_UIDS)
def test_a_bad_sop_instance_uid_is_refused(node: Node, what: str):
    bad = BAD_UIDS[what]
    honest = instance(fresh_uid())
    in_data_set = {SOP_INSTANCE_UID: RawElement("UI", bad.encode("latin-1"))}
    hostile = instance(fresh_uid(), changed=in_data_set)
    with Peer.associated(node.port, STORE) as peer:
        if bad.isascii() and len(bad) <= 65:  # else no command set can carry it
            assert peer.store(honest, uid=bad).status == INVALID_UID
            only_complaint(node, peer.name)
    refused(node, INVALID_UID, hostile)
    assert_no_trace(node.data, honest.uid, hostile.uid)


@pytest.mark.parametrize("what", BAD_UIDS)
@pytest.mark.parametrize("tag", [STUDY_INSTANCE_UID, SERIES_INSTANCE_UID])
def test_a_bad_study_or_series_uid_is_refused(node: Node, what: str, tag: int):
    value = RawElement("UI", BAD_UIDS[what].encode("latin-1"))
    hostile = instance(fresh_uid(), changed={tag: value})
    refused(node, INVALID_UID, hostile)
    assert_no_trace(node.data, hostile.uid)
    outside = {path.name for path in node.data.parent.iterdir()}
    assert outside == {"data", "data.log", "isocenter.toml"}


@pytest.mark.parametrize("tag", [SOP_INSTANCE_UID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID])
@pytest.mark.parametrize("missing", [True, False])
def test_an_object_that_cannot_be_placed_is_refused(node: Node, tag: int, missing: bool):
    if missing:
        hostile = instance(fresh_uid(), without=(tag,))
    else:
        hostile = instance(fresh_uid(), changed={tag: RawElement("UI", b"")})
    refused(node, MISMATCH, hostile)
    assert_no_trace(node.data, hostile.uid)


def test_an_empty_announced_uid_is_refused(node: Node):
    hostile = instance(fresh_uid())
    with Peer.associated(node.port, STORE) as peer:
        assert peer.store(hostile, uid="").status in (0x0212, INVALID_UID)
        only_complaint(node, peer.name)


def test_another_instance_than_announced_is_refused(node: Node):
    hostile = instance(fresh_uid())
    refused(node, MISMATCH, hostile, uid=fresh_uid())
    assert_no_trace(node.data, hostile.uid)


def test_padding_of_uids_is_no_offence(node: Node):
    uid = fresh_uid() + "0" * (len(fresh_uid()) % 2)
    padded = {
        STUDY_INSTANCE_UID: RawElement("UI", b"1.2.3 "),
        SERIES_INSTANCE_UID: RawElement("UI", b"1.2.3.1\0"),
    }
    with Peer.associated(node.port, STORE) as peer:
        keep(peer, instance(uid, changed=padded))


# Data sets that cannot be read


def truncations() -> dict[str, tuple[Instance, int]]:
    whole = instance("1.2.3.8.0", pixels=300_000)
    small = instance("1.2.3.8.0")
    pixels = small.data_set.index(b"\xe0\x7f\x10\x00")
    return {
        "in the last value": (small.cut(-3), UNREADABLE),
        "in the last header": (small.cut(pixels + 5), UNREADABLE),
        "in the first header": (small.cut(5), UNREADABLE),
        "in a later block": (whole.cut(290_000), UNREADABLE),
        "at the end of the first block": (whole.cut(256 * 1024), UNREADABLE),
        "between two elements": (small.cut(small.data_set.index(b"\x20\0\x0d\0UI")), MISMATCH),
        "at once": (small.cut(0), MISMATCH),
    }


@pytest.mark.parametrize("where", truncations())
def test_a_data_set_that_is_cut_short_is_refused(node: Node, where: str):
    one, status = truncations()[where]
    refused(node, status, one)
    assert_no_trace(node.data, one.uid + "\0", one.uid + ".dcm")


GARBAGE = {
    "text": b"This is not a data set, whatever the transfer syntax says. " * 20,
    "ones": b"\xff" * 1000,
    "an element of 4 GiB": b"\x08\0\x05\0OB\0\0\xf0\xff\xff\xff" + bytes(100),
    "delimiters alone": b"\xfe\xff\x0d\xe0\0\0\0\0" * 50,
    "an item outside a sequence": b"\xfe\xff\x00\xe0\xff\xff\xff\xff" * 50,
    "a sequence without an end": b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff" + bytes(8),
    "an element of odd length": b"\x08\0\x05\0CS\x03\0abc",
}


@pytest.mark.parametrize("what", GARBAGE)
@pytest.mark.parametrize("where", ["first", "behind the UIDs", "behind the first block"])
def test_garbage_is_refused(node: Node, what: str, where: str):
    uid = fresh_uid()
    if where == "first":
        data_set = GARBAGE[what]
    else:
        pixels = 2 if where == "behind the UIDs" else 400_000
        data_set = instance(uid, pixels=pixels).data_set + GARBAGE[what]
    with Peer.associated(node.port, STORE, ECHO) as peer:
        response = peer.store(Instance(uid, data_set))
        # What comes behind the pixels may be tolerated as padding, but then it is kept as it came.
        if response.status == SUCCESS:
            assert where != "first"
            acknowledged.append(Instance(uid, data_set))
        else:
            assert response.status in (UNREADABLE, MISMATCH)
            only_complaint(node, peer.name)
        assert peer.echo(3) == 0


@pytest.mark.parametrize("depth", [100, 10_000, 100_000])
def test_deep_nesting_is_refused(node: Node, depth: int):
    uid = fresh_uid()
    refused(node, UNREADABLE, nested(uid, depth))
    assert_no_trace(node.data, uid)


def test_modest_nesting_is_stored(node: Node):
    with Peer.associated(node.port, STORE) as peer:
        keep(peer, nested(fresh_uid(), 20))


def test_an_object_beyond_the_limit_is_refused(node: Node):
    hostile = instance(fresh_uid(), pixels=5 * MIB)
    refused(node, OUT_OF_RESOURCES, hostile)
    assert_no_trace(node.data, hostile.uid)


# Deflate


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(data) + packer.flush()
    return packed + bytes(len(packed) % 2)


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """300 kB that become 300 MB: an honest beginning, then zeros."""
    head = instance("1.2.3.8.0", pixels=0).data_set[:-12]
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    pieces = [packer.compress(head + b"\xe0\x7f\x10\x00OW\0\0" + (300 * MIB).to_bytes(4, "little"))]
    pieces += [packer.compress(bytes(MIB)) for _ in range(300)]
    return b"".join([*pieces, packer.flush()])


def test_a_deflate_bomb_is_refused(node: Node, bomb: bytes):
    assert len(bomb) < 400_000
    refused(node, UNREADABLE, Instance("1.2.3.8.0", bomb), syntaxes=STORE_DEFLATED)


def test_an_honest_deflated_object_is_stored_as_it_came(node: Node):
    honest = instance(fresh_uid(), pixels=50_000)
    packed = replace(honest, data_set=deflated(honest.data_set))
    with Peer.associated(node.port, STORE_DEFLATED) as peer:
        keep(peer, packed)


@pytest.mark.parametrize("what", ["cut", "noise", "empty", "a bad inside"])
def test_a_broken_deflated_object_is_refused(node: Node, what: str):
    honest = instance(fresh_uid(), pixels=50_000)
    data_set = {
        "cut": deflated(honest.data_set)[:-2000],
        "noise": b"\xff" * 2000,
        "empty": b"",
        "a bad inside": deflated(honest.data_set[:-100]),
    }[what]
    status = MISMATCH if what == "empty" else UNREADABLE
    refused(node, status, replace(honest, data_set=data_set), syntaxes=STORE_DEFLATED)
    assert_no_trace(node.data, honest.uid)


# Unusual but allowed


def test_uids_beyond_the_first_block_are_found(node: Node):
    """300 kB of private data stand before the UIDs: the object waits in the spool."""
    uid = fresh_uid()
    bulk = encode_elements(
        {PRIVATE_BULK: RawElement("OB", bytes(range(256)) * 1200)}, EXPLICIT_VR_LITTLE_ENDIAN
    )
    late = Instance(uid, bulk + instance(uid).data_set)
    with Peer.associated(node.port, STORE) as peer:
        keep(peer, late)
    eventually(lambda: not list((node.data / "incoming").rglob("*.part")))


def test_an_unknown_sop_class_is_stored(node: Node):
    with Peer.associated(node.port, STORE_PRIVATE) as peer:
        keep(peer, instance(fresh_uid(), sop_class_uid=PRIVATE_SOP_CLASS))


def test_an_object_without_a_sop_class_gets_the_announced_one(node: Node):
    with Peer.associated(node.port, STORE) as peer:
        keep(peer, instance(fresh_uid(), without=(SOP_CLASS_UID,)))


def test_implicit_bytes_under_an_explicit_context_lose_nothing(node: Node):
    """Some senders do not convert; what is stored is what came."""
    uid = fresh_uid()
    with Peer(node.port) as peer:
        context = ProposedContext(1, CT, (IMPLICIT,))
        peer.send(AssociateRQ("ISOCENTER", "HOSTILE", (context,)).encode())
        peer.read()
        keep(peer, instance(uid))


# The same UID again


def instances_in_index(node: Node, uid: str) -> int:
    with Peer.associated(node.port, FIND) as peer:
        identifier = {
            0x00080052: RawElement("CS", b"IMAGE"),
            STUDY_INSTANCE_UID: RawElement("UI", b"1.2.3"),
            SERIES_INSTANCE_UID: RawElement("UI", b"1.2.3.1"),
            SOP_INSTANCE_UID: RawElement("UI", uid.encode()),
        }
        return len(peer.find(identifier)) - 1


def quarantined(data: Path) -> dict[str, str]:
    """Reasons by SOP Instance UID."""
    notes = [json.loads(path.read_text()) for path in (data / "quarantine").rglob("*.json")]
    return {note["sop_instance_uid"]: note["reason"] for note in notes}


@pytest.mark.parametrize("pixels", [1000, 700_000])
def test_a_repetition_is_acknowledged_and_kept_once(node: Node, pixels: int):
    one = instance(fresh_uid(), pixels=pixels)
    with Peer.associated(node.port, STORE) as peer:
        keep(peer, one)
        for _ in range(3):
            assert peer.store(one).status == SUCCESS
    assert instances_in_index(node, one.uid) == 1
    assert one.uid not in quarantined(node.data)


@pytest.mark.parametrize("pixels", [1000, 700_000])
def test_other_bytes_under_a_stored_uid_go_to_quarantine(node: Node, pixels: int):
    one = instance(fresh_uid(), pixels=pixels)
    other = replace(one, data_set=one.data_set[:-1] + bytes([one.data_set[-1] ^ 1]))
    with Peer.associated(node.port, STORE) as peer:
        keep(peer, one)
        assert peer.store(other).status == SUCCESS
    assert instances_in_index(node, one.uid) == 1
    assert "Another object" in quarantined(node.data)[one.uid]
    (listed,) = (
        entry
        for entry in isocenter_json("quarantine", "list", "--data", str(node.data))
        if entry["sop_instance_uid"] == one.uid
    )
    kept = (node.data / "quarantine" / listed["path"]).read_bytes()
    assert kept.endswith(other.data_set)


def test_other_bytes_are_refused_where_that_is_configured(start_node, tmp_path: Path):
    node = start_node(None, *configured(tmp_path, '[storage]\non_conflict = "reject"\n'))
    one = instance("1.2.3.9.1")
    other = replace(one, data_set=one.data_set[:-1] + b"?")
    with Peer.associated(node.port, STORE) as peer:
        assert peer.store(one).status == SUCCESS
        assert peer.store(other).status == DUPLICATE
        assert "0111" in only_complaint(node, peer.name)
        assert peer.store(one).status == SUCCESS
    assert_stored(node.data, [one])
    assert quarantined(node.data) == {}


@pytest.mark.parametrize("same", [True, False], ids=["same bytes", "other bytes"])
@pytest.mark.parametrize("workers", [1, 2])
def test_several_associations_send_one_uid_at_the_same_time(start_node, same: bool, workers: int):
    """Begun together, finished together: one is kept, all are answered, nothing is lost."""
    node = start_node(None, "--workers", str(workers))
    first = instance("1.2.3.9.2", pixels=600_000)
    versions = [
        first if same else replace(first, data_set=first.data_set[:-1] + bytes([number]))
        for number in range(4)
    ]
    together = threading.Barrier(len(versions))
    statuses = []

    def send(one: Instance) -> None:
        with Peer.associated(node.port, STORE) as peer:
            peer.begin_store(one)
            for fragment in fragments(1, one.data_set):
                together.wait(20)
                peer.send(fragment)
            statuses.append(peer.read_store_response().status)

    threads = [threading.Thread(target=send, args=(one,)) for one in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [SUCCESS] * 4
    eventually(lambda: instances_in_index(node, first.uid) == 1)  # rows follow the answer
    kept = stored(node.data)[first.uid]
    assert set(kept) <= {one.data_set for one in versions}
    if same:
        assert quarantined(node.data) == {}
    else:

        def aside() -> list[Path]:
            return list((node.data / "quarantine").rglob("*.json"))

        eventually(lambda: len(aside()) == 3)
        everything = kept + [note.with_suffix(".dcm").read_bytes() for note in aside()]
        for one in versions:
            assert any(found.endswith(one.data_set) for found in everything)


@pytest.mark.parametrize("syntaxes", [STORE_DEFLATED, STORE], ids=["deflated", "conflicting"])
def test_a_sender_that_leaves_before_the_answer_harms_nobody(start_node, syntaxes):
    """The whole object has come; while it is inspected, its sender aborts."""
    node = start_node()
    base = instance("1.2.3.9.3", pixels=200_000)
    assert store_all(node.port, [base]) == [SUCCESS]
    for number in range(30):
        one = base if syntaxes == STORE else instance(f"1.2.3.9.3.{number}", pixels=200_000)
        if syntaxes == STORE_DEFLATED:
            one = replace(one, data_set=deflated(one.data_set))
        with Peer.associated(node.port, syntaxes) as peer:
            peer.begin_store(one)
            peer.data_set(1, one.data_set)
            peer.send(b"\x07\0\0\0\0\x04\0\0\0\0")
    after = [instance(f"1.2.3.9.4.{number}") for number in range(20)]
    assert set(store_all(node.port, after)) == {SUCCESS}
    node.stop()
    assert isocenter_json("verify", "--data", str(node.data))["problems"] == []
    kept = stored(node.data)
    assert all(kept[one.uid] == [one.data_set] for one in [base, *after])
