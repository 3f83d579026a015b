"""File Meta Information that lies (PS3.10 7.1), in files that are imported or sent."""

import json
from pathlib import Path
from struct import pack
from typing import Any

import pytest

from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.part10 import FileMeta, encode_file_meta
from tests.encoding.synthetic import element
from tests.security.attacks.refusals import UNREADABLE, refused
from tests.security.attacks.under_attack import attack
from tests.server.support import STORE
from tests.server.support_instances import CT, Instance, assert_no_trace, instance, stored
from tests.support.node import ISOCENTER, Node, isocenter
from tests.support.processes import run

pytestmark = attack(21, "file-meta abuse")

UID = "1.2.3.4.1"
EXPLICIT, IMPLICIT, BIG_ENDIAN = (f"1.2.840.10008.1.2{end}" for end in (".1", "", ".2"))
DEFLATED, JPEG = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.50"
PREAMBLE = bytes(128) + b"DICM"


def meta(syntax: str = EXPLICIT, *, more: bytes = b"", length: int | None = None) -> bytes:
    """Preamble and group 0002; `length` is what its group length states."""
    elements = element(0x00020001, "OB", b"\0\1") + b"".join(
        element(tag, "UI", uid.encode() + b"\0" * (len(uid) % 2))
        for tag, uid in ((0x00020002, CT), (0x00020003, UID), (0x00020010, syntax))
    )
    elements += more
    stated = len(elements) if length is None else length
    return PREAMBLE + element(0x00020000, "UL", pack("<I", stated)) + elements


BODY = instance(UID).data_set
REFUSED = {
    "a path as transfer syntax": meta("../../../x") + BODY,
    "an element of 4 GiB": meta(more=b"\2\0\2\1OB\0\0\xf0\xff\xff\xff") + BODY,
    "sequences in sequences": meta(
        more=(b"\2\0\0\2SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\xff\xff\xff\xff") * 1000
    )
    + BODY,
    "a thousand elements": meta(more=element(0x00020102, "OB", b"xx") * 1000) + BODY,
    "text behind the prefix": PREAMBLE + b"and now for something completely different" * 10,
    "nothing behind the prefix": PREAMBLE,
    "big endian where it says little": meta(BIG_ENDIAN) + BODY,
    "deflated where it is not": meta(DEFLATED) + BODY,
}


def imported(folder: Path, *contents: bytes) -> Any:
    """The report of an import of files beside an honest one."""
    media = folder / "media"
    media.mkdir()
    for number, content in enumerate(contents):
        (media / f"a{number}").write_bytes(content)
    honest = FileMeta(CT, "1.2.3.4.2", EXPLICIT_VR_LITTLE_ENDIAN.uid)
    (media / "b").write_bytes(encode_file_meta(honest) + instance("1.2.3.4.2").data_set)
    done = run([ISOCENTER, "import", "--json", "--data", folder / "data", media], merge=False)
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


def test_files_that_lie_are_refused_and_the_next_one_imported(tmp_path: Path):
    report = imported(tmp_path, *REFUSED.values())
    assert (report["stored"], len(report["refused"])) == (1, len(REFUSED))
    assert set(stored(tmp_path / "data")) == {"1.2.3.4.2"}


def test_group_lengths_that_lie_are_not_believed(tmp_path: Path):
    lies = (0, 1, 2**31, 2**32 - 1)
    report = imported(tmp_path, *(meta(length=length) + BODY for length in lies))
    assert (report["stored"], report["duplicate"], report["refused"]) == (2, len(lies) - 1, [])
    assert stored(tmp_path / "data")[UID] == [BODY]


def test_the_data_set_knows_better_than_the_meta_who_it_is(tmp_path: Path):
    report = imported(tmp_path, meta() + instance("1.2.3.4.77").data_set)
    assert report["stored"] == 2
    assert stored(tmp_path / "data")["1.2.3.4.77"] == [instance("1.2.3.4.77").data_set]
    assert UID not in stored(tmp_path / "data")


def test_files_that_lie_are_not_sent(node: Node, tmp_path: Path):
    for number, content in enumerate(REFUSED.values()):
        (tmp_path / f"{number}.dcm").write_bytes(content)
    done = isocenter("store", node.address, *tmp_path.iterdir())
    assert done.returncode != 0
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("syntaxes", [STORE, (CT, IMPLICIT)])
@pytest.mark.parametrize("group", [0x0000, 0x0002])
def test_a_data_set_that_goes_on_where_the_meta_ends_is_refused(
    node: Node, ledger, group: int, syntaxes
):
    """In a file such elements would give the object another identity, and another syntax."""
    lies = b"".join(
        element(group << 16 | number, "UI", value)
        for number, value in ((2, b"1.2\0"), (3, b"../../elsewhere"), (0x10, JPEG.encode()))
    )
    one = ledger.new()
    hostile = Instance(one.uid, lies + one.data_set)
    refused(node, ledger, UNREADABLE, hostile, syntaxes=syntaxes)
    assert_no_trace(node.data, one.uid + "\0", "elsewhere")
