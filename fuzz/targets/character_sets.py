"""Text under any Specific Character Set (PS3.5 6.1): reading never fails, writing loses nothing."""

from collections.abc import Iterator

from fuzz.target import Target
from isocenter.encoding.character_sets import choose_character_set, decode_text, encode_text

_VRS = ("PN", "LO", "LT", "CS")


def one_input(data: bytes) -> None:
    if len(data) < 2:
        return
    vr = _VRS[data[0] % len(_VRS)]
    end = 2 + data[1] % 64
    declared, value = data[2:end], data[end:]
    text = decode_text(value, declared, vr)
    assert len(text) <= 2 * len(value)
    named = declared.decode("ascii", "replace")
    answered = choose_character_set([text], named)
    encoded = encode_text(text, answered, "PN")
    if "\x1b" not in text:
        assert decode_text(encoded, answered, "PN") == text.rstrip(" \0")


def seeds() -> Iterator[bytes]:
    texts = {
        "": b"plain",
        "ISO_IR 100": b"\xe4\xf6\xfc",
        "ISO_IR 192": "山田^太郎=やまだ".encode(),
        "\\ISO 2022 IR 87": b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
        "ISO 2022 IR 13\\ISO 2022 IR 87": b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J",
        "\\ISO 2022 IR 149": b"Hong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7",
        "\\ISO 2022 IR 58": b"Zhang=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab",
        "\\ISO 2022 IR 159": b"\x1b$(D\x22\x6f\x1b(B",
        "GB18030": "Wang=王^小东".encode("gb18030"),
        "ISO_IR 13": b"\xd4\xcf\xc0\xde",
        "ISO_IR 166": b"\xb9\xd2\xc2",
        "ISO 2022 IR 100\\ISO 2022 IR 144": b"\xe4 \x1b-L\xbb\xee",
    }
    for declared, value in texts.items():
        for vr in range(len(_VRS)):
            yield bytes((vr, len(declared))) + declared.encode() + value


WORDS = (
    *(b"\x1b(B", b"\x1b(J", b"\x1b)I", b"\x1b$B", b"\x1b$(D", b"\x1b$)C", b"\x1b$)A", b"\x1b-F"),
    *(b"ISO 2022 IR ", b"ISO_IR ", b"GB18030", b"GBK", b"\\", b"^", b"="),
)
TARGET = Target(
    "bytes under any character set, read and written", one_input, seeds, WORDS, 512, share=4
)
