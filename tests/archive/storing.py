"""Instances to store, and a sender that needs no network."""

import threading
from collections.abc import Iterable
from pathlib import Path

from isocenter.archive.archive import Archive
from isocenter.archive.outcome import Outcome
from isocenter.archive.receiving import Announcement
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
PIXEL_DATA = 0x7FE00010


def element(tag: int, vr: str, value: bytes) -> bytes:
    """One explicit VR little endian element, padded to an even length."""
    value += b"\0" * (len(value) % 2) if vr in ("UI", "OW", "UN") else b" " * (len(value) % 2)
    head = (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") + vr.encode()
    if vr in ("OW", "UN", "SQ"):
        return head + bytes(2) + len(value).to_bytes(4, "little") + value
    return head + len(value).to_bytes(2, "little") + value


def data_set(number: int, *, study: int = 1, pixels: int = 1000, filler: int = 0) -> bytes:
    """A small CT image; `filler` bytes of a private element stand before its study's UID."""
    return b"".join(
        (
            element(0x00080016, "UI", CT_IMAGE_STORAGE.encode()),
            element(0x00080018, "UI", sop_instance_uid(number).encode()),
            element(0x00080020, "DA", b"20240131"),
            element(0x00080060, "CS", b"CT"),
            element(0x00091001, "UN", bytes(filler)) if filler else b"",
            element(0x00100010, "PN", b"DOE^JANE"),
            element(0x00100020, "LO", b"P%d" % study),
            element(0x0020000D, "UI", f"1.2.3.{study}".encode()),
            element(0x0020000E, "UI", f"1.2.3.{study}.1".encode()),
            element(0x00200013, "IS", b"%d" % number),
            element(PIXEL_DATA, "OW", number.to_bytes(4, "little") * (pixels // 4)),
        )
    )


def sop_instance_uid(number: int) -> str:
    """The SOP Instance UID of `data_set(number)`."""
    return f"1.2.3.1.1.{number}"


def announcement(
    uid: str, transfer_syntax_uid: str = EXPLICIT_VR_LITTLE_ENDIAN.uid
) -> Announcement:
    """What a C-STORE command would say of an instance."""
    return Announcement(CT_IMAGE_STORAGE, uid, transfer_syntax_uid, "SENDER", "ISOCENTER")


class Sending:
    """An instance handed to an archive in fragments; `outcome()` waits for what became of it."""

    def __init__(self, archive: Archive, announced: Announcement) -> None:
        self._decided = threading.Event()
        self._outcome: Outcome | None = None
        self.incoming = archive.begin(announced, self._decide)

    def write(self, fragments: Iterable[bytes]) -> "Sending":
        for fragment in fragments:
            self.incoming.write(memoryview(fragment))
        return self

    def outcome(self) -> Outcome:
        assert self._decided.wait(20), "the archive did not decide"
        assert self._outcome is not None
        return self._outcome

    def _decide(self, outcome: Outcome) -> None:
        assert self._outcome is None, "an outcome was reported twice"
        self._outcome = outcome
        self._decided.set()


def send(
    archive: Archive, content: bytes, announced: Announcement, *, fragment: int = 65536
) -> Outcome:
    """Store one data set and return its outcome."""
    sending = Sending(archive, announced)
    sending.write(content[at : at + fragment] for at in range(0, len(content), fragment))
    sending.incoming.finish()
    return sending.outcome()


def store(archive: Archive, number: int, **shape: int) -> Outcome:
    """Store `data_set(number, **shape)`."""
    return send(archive, data_set(number, **shape), announcement(sop_instance_uid(number)))


def stored_bytes(archive: Archive, number: int) -> bytes | None:
    """The data set that the archive holds under a number, read through its index."""
    archive.index.flush()
    location = archive.index.locate(sop_instance_uid(number))
    if location is None:
        return None
    pack = (archive.packs.root / location.pack).read_bytes()
    start = location.offset + location.dataset_offset
    return pack[start : location.offset + location.length]


def files_in(folder: Path) -> list[str]:
    """Every file below a folder, relative to it."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
