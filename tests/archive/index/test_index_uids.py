from hypothesis import example, given
from hypothesis import strategies as st

from isocenter.archive.index.uids import MAX_UID_CHARACTERS, pack_uid, unpack_uid

uids = st.text("0123456789.", min_size=1, max_size=64)


@given(uids)
@example("1.2.840.10008.1.2")
@example("1")
def test_a_uid_survives_packing_in_half_the_space(uid: str) -> None:
    packed = pack_uid(uid)
    assert unpack_uid(packed) == uid
    assert len(packed) == (len(uid) + 1) // 2


@given(st.text(max_size=MAX_UID_CHARACTERS))
@example("1.2.3-abc")
@example("f")
@example("12 34")
@example("١٢")
def test_what_is_no_uid_survives_as_text(text: str) -> None:
    encodable = text.encode("utf-8", "replace").decode()
    assert unpack_uid(pack_uid(text)) == encodable


@given(uids | st.text(max_size=8), uids | st.text(max_size=8))
@example("1.2a", "1.2")
@example("a", ".")
@example("1f", "1")
def test_different_uids_are_packed_differently(one: str, other: str) -> None:
    if one.encode("utf-8", "replace") != other.encode("utf-8", "replace"):
        assert pack_uid(one) != pack_uid(other)


def test_an_endless_text_is_clipped() -> None:
    assert len(pack_uid("x" * 100_000)) < 2 * MAX_UID_CHARACTERS
