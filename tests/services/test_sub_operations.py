"""The parts of a retrieve: pieces in order, reading ahead, counters, lists of failures."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.elements import decode_elements
from isocenter.encoding.errors import UndecodablePixelData
from isocenter.services.retrieve_terms import FAILED_SOP_INSTANCE_UID_LIST, encode_failed_list
from isocenter.services.store_contexts import StoreContexts
from isocenter.services.sub_operations import (
    FAILED_LIST_BYTES,
    PIECE,
    Ahead,
    Piece,
    SubOperations,
    Unsent,
    read_pieces,
)
from isocenter.upperlayer.contexts import AcceptedContext

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
PLAIN, JPEG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"
DEFLATED = "1.2.840.10008.1.2.1.99"


class FakeInstance(NamedTuple):
    sop_instance_uid: str
    dataset_length: int = 10
    sop_class_uid: str = CT
    transfer_syntax_uid: str = PLAIN


class FakeSelected:
    """Instances whose bytes are all 7; reading `broken` at or after `at` fails."""

    kinds = ((CT, PLAIN),)

    def __init__(self, *instances: FakeInstance, broken: str = "", at: int = 0) -> None:
        self.instances = instances
        self.broken, self.at = broken, at
        self.closed = False
        self.converted = FakeConverted()

    def __len__(self) -> int:
        return len(self.instances)

    def __iter__(self) -> Iterator[FakeInstance]:
        return iter(self.instances)

    def read(self, instance: FakeInstance, start: int, size: int) -> bytes:
        if instance.sop_instance_uid == self.broken and start >= self.at:
            raise OSError(5, "Input/output error")
        return b"\7" * size

    def convert(self, instance: FakeInstance, transfer_syntax_uid: str) -> "FakeConverted":
        if instance.sop_instance_uid == self.broken:
            raise UndecodablePixelData("A compressed frame is damaged")
        return self.converted

    def close(self) -> None:
        self.closed = True


class FakeConverted:
    """A converted data set whose bytes are all 8."""

    dataset_length = PIECE + 4
    closed = False

    def read(self, start: int, size: int) -> bytes:
        assert not self.closed
        return b"\x08" * size

    def close(self) -> None:
        self.closed = True


def read_all(selected: FakeSelected, objection=lambda _: "", conversion_for=lambda _: "") -> list:
    return list(read_pieces(selected, objection, conversion_for))


@pytest.mark.parametrize("length", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
def test_pieces_make_up_the_object(length: int):
    pieces = read_all(FakeSelected(FakeInstance("1.2", length)))
    assert b"".join(piece.data for piece in pieces) == b"\7" * length
    assert [piece.is_last for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert all(len(piece.data) == PIECE for piece in pieces[:-1])


def test_what_cannot_be_sent_is_not_read():
    wanted, other = FakeInstance("1"), FakeInstance("2", sop_class_uid=MR)
    contexts = StoreContexts([AcceptedContext(1, CT, PLAIN)])
    items = read_all(FakeSelected(wanted, other, broken="2"), contexts.objection)
    assert items[1:] == [Unsent(["2"], f"SOP class not accepted: {MR}")]


def test_many_that_cannot_be_sent_come_in_groups():
    selected = FakeSelected(*(FakeInstance(str(number)) for number in range(1201)))
    groups = read_all(selected, lambda _: "no")
    assert [len(group.uids) for group in groups] == [500, 500, 201]
    assert [uid for group in groups for uid in group.uids] == [str(n) for n in range(1201)]


@pytest.mark.parametrize(("at", "pieces"), [(0, 0), (PIECE, 1)])
def test_what_cannot_be_read_is_said_where_it_ends(at: int, pieces: int):
    selected = FakeSelected(FakeInstance("1", 2 * PIECE), FakeInstance("2"), broken="1", at=at)
    *begun, unsent, after = read_all(selected)
    assert len(begun) == pieces
    assert unsent == Unsent(["1"], "Not readable: Input/output error")
    assert isinstance(after, Piece)


@pytest.mark.parametrize(("syntax", "sent"), [(DEFLATED, b"\7\7\7\0"), (PLAIN, b"\7\7\7")])
def test_a_deflated_object_of_odd_length_is_padded(syntax: str, sent: bytes):
    (piece,) = read_all(FakeSelected(FakeInstance("1", 3, transfer_syntax_uid=syntax)))
    assert piece.data == sent


def test_what_is_converted_comes_in_pieces_of_its_own_length():
    selected = FakeSelected(FakeInstance("1", 10), FakeInstance("2", 10))
    wanted = {"1": JPEG, "2": ""}
    first, second, plain = read_all(selected, conversion_for=lambda one: wanted[one[0]])
    assert (first.data + second.data, first.is_last) == (b"\x08" * (PIECE + 4), False)
    assert (second.start, second.is_last) == (PIECE, True)
    assert plain.data == b"\7" * 10
    assert selected.converted.closed


def test_what_is_converted_is_let_go_of_when_nobody_wants_the_rest():
    selected = FakeSelected(FakeInstance("1"))
    pieces = read_pieces(selected, lambda _: "", lambda _: PLAIN)
    next(pieces)
    pieces.close()
    assert selected.converted.closed


def test_what_cannot_be_converted_does_not_keep_the_others():
    selected = FakeSelected(FakeInstance("1"), FakeInstance("2"), broken="1")
    unsent, *pieces = read_all(selected, conversion_for=lambda _: PLAIN)
    assert unsent == Unsent(["1"], "Not convertible: A compressed frame is damaged")
    assert [piece.instance.sop_instance_uid for piece in pieces] == ["2", "2"]


def test_reading_is_one_ahead_and_ends_once():
    produced: list[int] = []

    def items() -> Iterator[Unsent]:
        for number in range(3):
            produced.append(number)
            yield Unsent([str(number)], "")

    async def take_all(threads: ThreadPoolExecutor) -> list[str]:
        ahead, uids = Ahead(items(), threads), []
        while (item := await ahead.take()) is not None:
            uids += item.uids
            assert len(produced) <= len(uids) + 1
        assert await ahead.take() is None
        ahead.close(selected.close)
        return uids

    selected = FakeSelected()
    with ThreadPoolExecutor(1) as threads:
        assert asyncio.run(take_all(threads)) == ["0", "1", "2"]
    assert selected.closed


def test_statuses_are_counted_by_their_category():
    counts = SubOperations(5)
    for uid, code in (("1", 0x0000), ("2", 0xB007), ("3", 0xA700), ("4", 0x0110)):
        counts.judge(uid, code, "disk full" if code == 0xA700 else "")
    assert (counts.remaining, counts.completed, counts.warning, counts.failed) == (1, 1, 1, 2)
    assert counts.failed_uids == ["3", "4"]
    assert counts.reason == "A700H Refused: out of resources: disk full"


def test_what_vanished_has_failed():
    counts = SubOperations(3)
    counts.judge("1", 0, "")
    counts.lose()
    assert (counts.remaining, counts.completed, counts.failed) == (0, 1, 2)
    assert counts.failed_uids == []


def test_counters_stay_within_an_unsigned_short():
    counters = SubOperations(100_000).counters(with_remaining=True)
    assert counters["number_of_remaining_suboperations"] == 65535
    assert "number_of_remaining_suboperations" not in SubOperations(1).counters(
        with_remaining=False
    )


def test_a_list_of_failures_fits_its_element():
    counts = SubOperations(100_000)
    for start in range(0, 100_000, 500):
        counts.fail([f"1.2.840.113619.{number:050d}" for number in range(start, start + 500)], "no")
    assert counts.failed == 100_000
    encoded = encode_failed_list(counts.failed_uids, EXPLICIT_VR_LITTLE_ENDIAN)
    assert encoded is not None
    listed = decode_elements(encoded, EXPLICIT_VR_LITTLE_ENDIAN)[FAILED_SOP_INSTANCE_UID_LIST]
    assert len(listed.value) <= FAILED_LIST_BYTES
    assert listed.value.rstrip(b"\0").decode().split("\\") == counts.failed_uids
    assert len(counts.failed_uids) > 900
