"""The parts of a retrieve: pieces in order, reading ahead, counters, lists of failures."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.elements import decode_elements
from isocenter.encoding.errors import UndecodablePixelData
from isocenter.errors import IsocenterError
from isocenter.services.retrieve_terms import FAILED_SOP_INSTANCE_UID_LIST, encode_failed_list
from isocenter.services.store_contexts import StoreContexts
from isocenter.services.sub_operations import (
    BLOCKS,
    FAILED_LIST_BYTES,
    PIECE,
    Ahead,
    Blocks,
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
    study: int = 1


class FakeSource:
    """Instances whose bytes are all 7; reading `broken` at or after `at` fails.

    With `cached` nothing needs to be waited for, once the index has been asked.
    """

    def __init__(
        self, *instances: FakeInstance, broken: str = "", at: int = 0, cached: bool = False
    ) -> None:
        self.instances = list(instances)
        self.broken, self.at, self.cached = broken, at, cached
        self.closed = False
        self.converted = FakeConverted()

    def at_hand(self) -> FakeInstance | None:
        return self.draw() if self.cached else None

    def draw(self) -> FakeInstance | None:
        return self.instances.pop(0) if self.instances else None

    def read(self, instance: FakeInstance, start: int, size: int) -> bytes:
        if instance.sop_instance_uid == self.broken and start >= self.at:
            raise OSError(5, "Input/output error")
        return b"\7" * size

    def read_at_once(self, instance: FakeInstance, start: int, size: int) -> memoryview | None:
        return memoryview(self.read(instance, start, size)) if self.cached else None

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


def read(
    source: FakeSource, objection=lambda _: "", conversion_for=lambda _: ""
) -> list[Piece | Unsent]:
    items = read_pieces(source, objection, conversion_for)
    return [item for item in items if not isinstance(item, Blocks)]


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("length", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
def test_pieces_make_up_the_object(length: int, cached: bool):
    pieces = read(FakeSource(FakeInstance("1.2", length), cached=cached))
    assert b"".join(piece.data for piece in pieces) == b"\7" * length
    assert [piece.is_last for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert all(len(piece.data) == PIECE for piece in pieces[:-1])


def test_what_cannot_be_sent_is_not_read():
    wanted, other = FakeInstance("1"), FakeInstance("2", sop_class_uid=MR)
    contexts = StoreContexts([AcceptedContext(1, CT, PLAIN)])
    items = read(FakeSource(wanted, other, broken="2"), contexts.objection)
    assert items[1:] == [Unsent(["2"], f"SOP class not accepted: {MR}")]


def test_many_that_cannot_be_sent_come_in_groups():
    groups = read(FakeSource(*(FakeInstance(str(n)) for n in range(1201))), lambda _: "no")
    assert [len(group.uids) for group in groups] == [500, 500, 201]
    assert [uid for group in groups for uid in group.uids] == [str(n) for n in range(1201)]


@pytest.mark.parametrize(("at", "pieces"), [(0, 0), (PIECE, 1)])
def test_what_cannot_be_read_is_said_where_it_ends(at: int, pieces: int):
    source = FakeSource(FakeInstance("1", 2 * PIECE), FakeInstance("2"), broken="1", at=at)
    *begun, unsent, after = read(source)
    assert len(begun) == pieces
    assert unsent == Unsent(["1"], "Not readable: Input/output error")
    assert isinstance(after, Piece)


@pytest.mark.parametrize(("syntax", "sent"), [(DEFLATED, b"\7\7\7\0"), (PLAIN, b"\7\7\7")])
def test_a_deflated_object_of_odd_length_is_padded(syntax: str, sent: bytes):
    (piece,) = read(FakeSource(FakeInstance("1", 3, transfer_syntax_uid=syntax)))
    assert piece.data == sent


def test_what_is_converted_comes_in_pieces_of_its_own_length():
    source = FakeSource(FakeInstance("1", 10), FakeInstance("2", 10))
    wanted = {"1": JPEG, "2": ""}
    first, second, plain = read(source, conversion_for=lambda one: wanted[one[0]])
    assert (first.data + second.data, first.is_last) == (b"\x08" * (PIECE + 4), False)
    assert (second.start, second.is_last) == (PIECE, True)
    assert plain.data == b"\7" * 10
    assert source.converted.closed


def test_what_is_converted_is_let_go_of_when_nobody_wants_the_rest():
    source = FakeSource(FakeInstance("1"))
    pieces = read_pieces(source, lambda _: "", lambda _: PLAIN)
    while isinstance(next(pieces), Blocks):
        pass
    pieces.close()
    assert source.converted.closed


def test_conversion_waits_for_a_thread():
    source = FakeSource(FakeInstance("1"), broken="1", cached=True)
    items = read_pieces(source, lambda _: "", lambda _: PLAIN)
    assert isinstance(next(items), Blocks)
    assert isinstance(next(items), Unsent)  # converting was not tried before


def test_what_cannot_be_converted_does_not_keep_the_others():
    source = FakeSource(FakeInstance("1"), FakeInstance("2"), broken="1")
    unsent, *pieces = read(source, conversion_for=lambda _: PLAIN)
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
        ahead.close(source.close)
        return uids

    source = FakeSource()
    with ThreadPoolExecutor(1) as threads:
        assert asyncio.run(take_all(threads)) == ["0", "1", "2"]
    assert source.closed


def test_only_what_blocks_is_read_on_a_thread():
    own = threading.get_ident()
    where: list[bool] = []

    def items() -> Iterator[Unsent | Blocks]:
        for blocks in (True, False, True):
            if blocks:
                yield BLOCKS
            where.append(threading.get_ident() == own)
            yield Unsent(["1"], "")

    async def take_all(threads: ThreadPoolExecutor) -> None:
        ahead = Ahead(items(), threads)
        while await ahead.take() is not None:
            await asyncio.sleep(0)  # a lane waits for its peer here, and the next item is begun
        ahead.close(lambda: None)

    with ThreadPoolExecutor(1) as threads:
        asyncio.run(take_all(threads))
    assert where == [False, True, False]


def test_who_is_cancelled_while_a_disk_is_waited_for_closes_all_the_same():
    released, closed = threading.Event(), threading.Event()

    def items() -> Iterator[Unsent | Blocks]:
        yield BLOCKS
        released.wait(20)
        yield Unsent(["1"], "")

    async def course(threads: ThreadPoolExecutor) -> None:
        ahead = Ahead(items(), threads)
        taking = asyncio.create_task(ahead.take())
        await asyncio.sleep(0)
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
        ahead.close(closed.set)
        assert not closed.is_set()  # the reader is still at work
        released.set()

    with ThreadPoolExecutor(1) as threads:
        asyncio.run(course(threads))
    assert closed.is_set()


def test_what_the_iterator_raises_reaches_the_one_who_takes():
    def items() -> Iterator[Unsent]:
        yield Unsent(["1"], "")
        raise IsocenterError("The index is gone.")

    async def take_all(threads: ThreadPoolExecutor) -> None:
        ahead = Ahead(items(), threads)
        await ahead.take()
        await asyncio.sleep(0)
        with pytest.raises(IsocenterError, match="gone"):
            await ahead.take()
        ahead.close(lambda: None)

    with ThreadPoolExecutor(1) as threads:
        asyncio.run(take_all(threads))


def test_statuses_are_counted_by_their_category():
    counts = SubOperations(5)
    for uid, code in (("1", 0x0000), ("2", 0xB007), ("3", 0xA700), ("4", 0x0110)):
        counts.judge(FakeInstance(uid), code, "disk full" if code == 0xA700 else "")
    assert (counts.remaining, counts.completed, counts.warning, counts.failed) == (1, 1, 1, 2)
    assert counts.failed_uids == ["3", "4"]
    assert counts.reason == "A700H Refused: out of resources: disk full"


def test_what_vanished_has_failed():
    counts = SubOperations(3)
    counts.judge(FakeInstance("1"), 0, "")
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
