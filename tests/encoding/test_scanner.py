"""The scanner on data sets whose every byte is known."""

import mmap
from pathlib import Path

import pytest

from isocenter.dictionary.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
)
from isocenter.encoding.errors import LimitExceeded, MalformedDataSet, TruncatedDataSet
from isocenter.encoding.limits import ScanLimits
from isocenter.encoding.scanner import Scan, scan
from tests.encoding.synthetic import (
    UNDEFINED,
    WANTED,
    element,
    item,
    nested,
    small_data_set,
    undefined_sequence,
)

SYNTAXES = [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN]
EXPECTED = {
    0x00080005: b"ISO_IR 100",
    0x00080018: b"1.2.3.4\0",
    0x00080050: b"",
    0x00100010: b"Doe^Jane",
    0x00104000: b"odd",
}


def data_set_in(syntax: TransferSyntax) -> bytes:
    return small_data_set(implicit=syntax.implicit_vr, big=not syntax.little_endian)


@pytest.fixture(params=SYNTAXES, ids=lambda syntax: syntax.name)
def syntax(request: pytest.FixtureRequest) -> TransferSyntax:
    chosen: TransferSyntax = request.param
    return chosen


def explicit(data: bytes, **options: object) -> Scan:
    return scan(data, EXPLICIT_VR_LITTLE_ENDIAN, WANTED, **options)  # type: ignore[arg-type]


NAME = element(0x00100010, "PN", b"Doe^Jane")
CHARSET = element(0x00080005, "CS", b"ISO_IR 100")


def test_wanted_values_are_kept_as_they_stand_and_the_rest_is_passed_over(
    syntax: TransferSyntax,
) -> None:
    data = data_set_in(syntax)
    rows = b"\x02\x00" if syntax.little_endian else b"\x00\x02"
    found = scan(data, syntax, WANTED)
    assert found == Scan({**EXPECTED, 0x00280010: rows}, len(data), True, syntax)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_will_do_and_values_are_bytes_of_their_own(kind: type) -> None:
    found = explicit(kind(small_data_set()))
    assert all(type(value) is bytes for value in found.values.values())
    assert found.values[0x00100010] == b"Doe^Jane"


def test_a_mapped_file_is_scanned_in_place(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"before" + small_data_set())
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert explicit(mapped, start=6).values[0x00100010] == b"Doe^Jane"  # type: ignore[arg-type]


def test_wanted_may_be_a_dictionary_of_tags() -> None:
    found = scan(NAME, EXPLICIT_VR_LITTLE_ENDIAN, {0x00100010: "patient_name"})
    assert found.values == {0x00100010: b"Doe^Jane"}


def test_a_beginning_cut_at_any_byte_is_resumed_without_a_difference(
    syntax: TransferSyntax,
) -> None:
    data = data_set_in(syntax)
    whole = scan(data, syntax, WANTED)
    for cut in range(len(data)):
        first = scan(data[:cut], syntax, WANTED, final=False)
        rest = scan(data, first.syntax, WANTED, start=first.position, detect=first.position == 0)
        assert first.values | rest.values == whole.values
        assert rest.position == whole.position
        assert rest.complete


def test_a_beginning_stops_where_its_last_element_begins(syntax: TransferSyntax) -> None:
    data = data_set_in(syntax)
    boundaries = {0, *(scan(data[:n], syntax, (), final=False).position for n in range(len(data)))}
    for cut in range(len(data)):
        found = scan(data[:cut], syntax, WANTED, final=False)
        assert found.position == max(b for b in boundaries if b <= cut)
        assert found.complete == (found.position == cut)


def test_a_final_data_set_cut_anywhere_but_between_elements_is_truncated(
    syntax: TransferSyntax,
) -> None:
    data = data_set_in(syntax)
    for cut in range(len(data)):
        beginning = scan(data[:cut], syntax, WANTED, final=False)
        if not any(data[beginning.position : cut]):  # nothing, or zeros like those of padding
            assert scan(data[:cut], syntax, WANTED).complete
        else:
            with pytest.raises(TruncatedDataSet) as caught:
                scan(data[:cut], syntax, WANTED)
            assert caught.value.offset is not None


def test_a_wanted_sequence_of_undefined_length_is_never_collected() -> None:
    sequence = undefined_sequence(0x00081140, [item(NAME)])
    assert explicit(sequence).values == {}


def test_wanted_tags_inside_sequences_are_not_taken_for_the_data_sets_own() -> None:
    data = undefined_sequence(0x00081199, [item(NAME, undefined=True), item(NAME)])
    data += element(0x00081198, "SQ", item(NAME))
    assert explicit(data) == Scan({}, len(data), True, EXPLICIT_VR_LITTLE_ENDIAN)


def test_a_long_value_is_clipped_and_not_refused(syntax: TransferSyntax) -> None:
    form = {"implicit": syntax.implicit_vr, "big": not syntax.little_endian}
    data = element(0x00100010, "PN", b"x" * 5000, **form) + element(0x00104000, "LT", b"ok", **form)
    values = scan(data, syntax, WANTED, limits=ScanLimits(max_value_length=100)).values
    assert values == {0x00100010: b"x" * 100, 0x00104000: b"ok"}


def test_of_an_element_given_twice_the_last_one_counts() -> None:
    data = NAME + element(0x00100010, "PN", b"Roe^Jane")
    assert explicit(data).values[0x00100010] == b"Roe^Jane"


def test_elements_out_of_order_are_all_found() -> None:
    assert set(explicit(NAME + CHARSET).values) == {0x00100010, 0x00080005}


@pytest.mark.parametrize("zeros", [1, 7, 8, 9, 511, 512])
def test_zeros_after_the_data_set_are_tolerated(zeros: int, syntax: TransferSyntax) -> None:
    data = data_set_in(syntax) + bytes(zeros)
    found = scan(data, syntax, WANTED)
    assert found.complete
    assert found.position == len(data)
    assert found.values == scan(data_set_in(syntax), syntax, WANTED).values


def test_an_empty_data_set_is_complete() -> None:
    assert explicit(b"") == Scan({}, 0, True, EXPLICIT_VR_LITTLE_ENDIAN)


def test_a_deflated_syntax_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="inflated"):
        scan(NAME, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, WANTED)


@pytest.mark.parametrize("start", [-1, 17])
def test_a_start_outside_of_the_buffer_is_a_mistake_of_the_caller(start: int) -> None:
    with pytest.raises(ValueError, match="no byte"):
        explicit(NAME, start=start)


def test_an_implicit_body_under_an_explicit_syntax_is_read_as_it_is() -> None:
    found = explicit(small_data_set(implicit=True))
    assert found.values[0x00100010] == b"Doe^Jane"
    assert found.syntax.implicit_vr


def test_an_explicit_body_under_an_implicit_syntax_is_read_as_it_is() -> None:
    found = scan(small_data_set(), IMPLICIT_VR_LITTLE_ENDIAN, WANTED)
    assert found.values[0x00100010] == b"Doe^Jane"
    assert not found.syntax.implicit_vr


def test_an_unknown_vr_of_two_capitals_has_the_short_form() -> None:
    data = CHARSET + element(0x00091001, "ZZ", b"abcd") + NAME
    assert explicit(data).values[0x00100010] == b"Doe^Jane"


def test_a_single_implicit_element_in_an_explicit_body_is_passed_over() -> None:
    data = CHARSET + element(0x00091001, "", b"abcd", implicit=True) + NAME
    assert explicit(data).values[0x00100010] == b"Doe^Jane"


def test_unknown_of_undefined_length_is_implicit_inside() -> None:
    inner = element(0x00100010, "PN", b"Roe^Jane", implicit=True)
    inner += undefined_sequence(0x00081140, [item(inner, undefined=True)], implicit=True)
    data = undefined_sequence(0x00091001, [item(inner, undefined=True)], vr="UN") + NAME
    assert explicit(data).values == {0x00100010: b"Doe^Jane"}


def test_pixel_data_of_undefined_length_is_fragments_whatever_its_vr() -> None:
    for vr in ("OB", "OW", "UN"):
        data = NAME + undefined_sequence(0x7FE00010, [item(b""), item(b"\x01\x02" * 9)], vr=vr)
        assert explicit(data).complete


def test_compressed_pixels_inside_a_sequence_are_passed_over() -> None:
    icon = undefined_sequence(0x7FE00010, [item(b""), item(b"\xfe\xff\x0d\xe0")], vr="OB")
    data = undefined_sequence(0x00880200, [item(icon, undefined=True)]) + NAME
    assert explicit(data).values == {0x00100010: b"Doe^Jane"}


def test_delimiters_inside_values_are_data() -> None:
    delimiters = element(0xFFFEE00D, "", implicit=True) + element(0xFFFEE0DD, "", implicit=True)
    inner = element(0x00091001, "OB", delimiters)
    data = undefined_sequence(0x00081140, [item(inner, undefined=True), item(inner)]) + NAME
    assert explicit(data).values == {0x00100010: b"Doe^Jane"}


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("depth", [10_000, 100_000])
def test_sequences_nested_without_end_meet_the_limit(depth: int, implicit: bool) -> None:
    syntax = IMPLICIT_VR_LITTLE_ENDIAN if implicit else EXPLICIT_VR_LITTLE_ENDIAN
    with pytest.raises(LimitExceeded):
        scan(nested(depth, implicit=implicit), syntax, WANTED)


@pytest.mark.parametrize("implicit", [False, True])
def test_depth_costs_no_recursion(implicit: bool) -> None:
    syntax = IMPLICIT_VR_LITTLE_ENDIAN if implicit else EXPLICIT_VR_LITTLE_ENDIAN
    data = nested(20_000, implicit=implicit)
    assert scan(data, syntax, WANTED, limits=ScanLimits(max_depth=20_000)).complete
    with pytest.raises(LimitExceeded):
        scan(data, syntax, WANTED, limits=ScanLimits(max_depth=19_999))


@pytest.mark.parametrize(
    "data",
    [
        NAME * 50,
        undefined_sequence(0x00081140, [item(NAME)] * 50),
        undefined_sequence(0x00081140, [item(NAME * 50, undefined=True)]),
        undefined_sequence(0x7FE00010, [item(b"12")] * 50, vr="OB"),
    ],
    ids=["elements", "items", "elements of an item", "fragments"],
)
def test_every_step_of_the_walk_counts_towards_the_limit(data: bytes) -> None:
    assert explicit(data, limits=ScanLimits(max_elements=60)).complete
    with pytest.raises(LimitExceeded):
        explicit(data, limits=ScanLimits(max_elements=40))


@pytest.mark.parametrize(
    "data",
    [
        undefined_sequence(0x00081140, [NAME]),
        undefined_sequence(0x7FE00010, [item(b"", undefined=True)], vr="OB"),
        element(0x00104000, "UT", b"text" * 4, length=UNDEFINED),
        CHARSET + element(0xFFFEE000, "", length=UNDEFINED, implicit=True) + NAME,
        undefined_sequence(0xFFFEE0DD, [], implicit=True),
    ],
    ids=["no item", "endless fragment", "endless text", "stray item", "endless delimiter"],
)
def test_undefined_length_without_items_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedDataSet):
        explicit(CHARSET + data)


@pytest.mark.parametrize("final", [True, False])
def test_a_length_beyond_the_buffer_costs_nothing(final: bool) -> None:
    data = CHARSET + element(0x00420011, "OB", b"tiny", length=0xFFFFFFFE)
    if final:
        with pytest.raises(TruncatedDataSet):
            explicit(data)
    else:
        found = explicit(data, final=False)
        assert (found.position, found.complete) == (len(CHARSET), False)


def test_a_value_that_is_cut_off_is_not_reported() -> None:
    data = CHARSET + NAME[:-1]
    assert explicit(data, final=False).values == {0x00080005: b"ISO_IR 100"}


def test_the_end_of_a_cut_off_element_is_known_only_from_its_length() -> None:
    sequence = undefined_sequence(0x00081140, [item(small_data_set())] * 3)
    data = small_data_set() + sequence + element(0x7FE00010, "OW", bytes(300))
    for cut in range(len(data)):
        found = explicit(data[:cut], final=False)
        if found.end is not None:
            assert cut < found.end <= len(data)
            assert explicit(data[: found.end]).complete
    assert explicit(data[:-1], final=False).end == len(data)
    assert explicit((small_data_set() + sequence)[:-9], final=False).end is None
