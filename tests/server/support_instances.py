"""Instances to store, honest and otherwise, and what of them lies in an archive's folder."""

import tarfile
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.elements import Elements, RawElement, encode_elements
from isocenter.encoding.part10 import read_file_meta

CT = "1.2.840.10008.5.1.4.1.1.2"
PRIVATE_SOP_CLASS = "1.2.276.0.99.1.7"

SOP_CLASS_UID = 0x00080016
SOP_INSTANCE_UID = 0x00080018
STUDY_DATE = 0x00080020
PATIENT_NAME = 0x00100010
PATIENT_ID = 0x00100020
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E
PIXEL_DATA = 0x7FE00010
PRIVATE_BULK = 0x00091010

PATIENT = "Nobody^Special"  # must never stand in a log


@dataclass(frozen=True)
class Instance:
    """A data set in explicit VR little endian, and the UIDs that it says it has."""

    uid: str
    data_set: bytes
    sop_class_uid: str = CT

    def cut(self, length: int) -> "Instance":
        """The same with only the first `length` bytes."""
        return replace(self, data_set=self.data_set[:length])


def instance(
    uid: str,
    *,
    study: str = "1.2.3",
    pixels: int = 1000,
    sop_class_uid: str = CT,
    changed: Elements | None = None,
    without: tuple[int, ...] = (),
) -> Instance:
    """A small image with random pixels that its UID decides; `changed` has the last word."""
    elements: Elements = {
        SOP_CLASS_UID: RawElement("UI", sop_class_uid.encode()),
        SOP_INSTANCE_UID: RawElement("UI", uid.encode()),
        STUDY_DATE: RawElement("DA", b"20240102"),
        PATIENT_NAME: RawElement("PN", PATIENT.encode()),
        PATIENT_ID: RawElement("LO", b"4711"),
        STUDY_INSTANCE_UID: RawElement("UI", study.encode()),
        SERIES_INSTANCE_UID: RawElement("UI", f"{study}.1".encode()),
        PIXEL_DATA: RawElement("OW", Random(uid).randbytes(pixels)),
    }
    elements |= changed or {}
    kept = {tag: element for tag, element in elements.items() if tag not in without}
    return Instance(uid, encode_elements(kept, EXPLICIT_VR_LITTLE_ENDIAN), sop_class_uid)


def nested(uid: str, depth: int) -> Instance:
    """An image with `depth` sequences of undefined length inside each other."""
    opening = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    closing = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    honest = instance(uid)
    at = honest.data_set.index(b"\x10\x00\x10\x00PN")
    nest = opening * depth + closing * depth
    return replace(honest, data_set=honest.data_set[:at] + nest + honest.data_set[at:])


def packs(data: Path) -> list[Path]:
    """The pack files of an archive."""
    return sorted((data / "packs").rglob("*.tar"))


def stored(data: Path) -> dict[str, list[bytes]]:
    """The data sets in the packs by SOP Instance UID, read as any tar reader would."""
    found: dict[str, list[bytes]] = {}
    for pack in packs(data):
        with tarfile.open(pack, "r:") as tar:
            for member in tar.getmembers():
                part10 = tar.extractfile(member).read()  # type: ignore[union-attr]
                meta, offset = read_file_meta(part10)
                assert member.name.endswith(f"/{meta.sop_instance_uid}.dcm")
                found.setdefault(meta.sop_instance_uid, []).append(part10[offset:])
    return found


def assert_stored(data: Path, instances: list[Instance]) -> None:
    """Exactly these instances lie in the packs, each once and byte for byte."""
    assert stored(data) == {one.uid: [one.data_set] for one in instances}


def assert_no_trace(data: Path, *texts: str) -> None:
    """None of `texts` stands anywhere in the packs, and nothing waits in `incoming`."""
    for pack in packs(data):
        content = pack.read_bytes()
        for text in texts:
            assert text.encode() not in content, f"{text} is left in {pack.name}"
    assert list((data / "incoming").rglob("*.part")) == []
