"""DICOMDIRs and links that point out of what is imported: nothing is opened but what was named."""

import json
import os
from pathlib import Path
from typing import Any

from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.elements import RawElement, encode_elements
from isocenter.encoding.part10 import FileMeta, encode_file_meta
from tests.security.attacks.under_attack import attack
from tests.server.support_instances import CT, instance, stored
from tests.support.node import ISOCENTER
from tests.support.processes import run

pytestmark = attack(4, "DICOMDIR / file-set references")

DIRECTORY_RECORDS, RECORD_TYPE, REFERENCED_FILE_ID = 0x00041220, 0x00041430, 0x00041500
MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"


def part10(uid: str) -> bytes:
    meta = FileMeta(CT, uid, EXPLICIT_VR_LITTLE_ENDIAN.uid)
    return encode_file_meta(meta) + instance(uid).data_set


def dicomdir(*references: str) -> bytes:
    """A DICOMDIR whose records refer to files by these Referenced File IDs."""
    records = [
        {
            RECORD_TYPE: RawElement("CS", b"IMAGE"),
            REFERENCED_FILE_ID: RawElement("CS", reference.replace("/", "\\").encode()),
        }
        for reference in references
    ]
    meta = FileMeta(MEDIA_STORAGE_DIRECTORY, "1.2.3.4", EXPLICIT_VR_LITTLE_ENDIAN.uid)
    elements = {DIRECTORY_RECORDS: RawElement("SQ", records)}
    return encode_file_meta(meta) + encode_elements(elements, EXPLICIT_VR_LITTLE_ENDIAN)


def imported(data: Path, media: Path) -> Any:
    """The report of an import, whatever it refused."""
    return json.loads(
        run([ISOCENTER, "import", "--json", "--data", data, media], merge=False).stdout
    )


def test_what_a_dicomdir_refers_to_is_not_opened(tmp_path: Path):
    media, secret = tmp_path / "media", tmp_path / "secret.dcm"
    media.mkdir()
    secret.write_bytes(part10("1.2.3.4.99"))
    (media / "IMAGE1").write_bytes(part10("1.2.3.4.1"))
    references = ["../secret.dcm", str(secret), "IMAGE1", "..", "/dev/zero"]
    (media / "DICOMDIR").write_bytes(dicomdir(*references))
    report = imported(tmp_path / "data", media)
    assert report["stored"] == 1
    assert set(stored(tmp_path / "data")) == {"1.2.3.4.1"}


def test_links_fifos_and_devices_hold_up_no_import(tmp_path: Path):
    media, outside = tmp_path / "media", tmp_path / "outside"
    media.mkdir()
    outside.mkdir()
    (outside / "secret.dcm").write_bytes(part10("1.2.3.4.99"))
    (media / "IMAGE1").write_bytes(part10("1.2.3.4.1"))
    (media / "folder").symlink_to(outside)
    (media / "loop").symlink_to(media)
    (media / "endless").symlink_to("/dev/zero")
    os.mkfifo(media / "fifo")
    report = imported(tmp_path / "data", media)
    assert report["stored"] == 1
    assert set(stored(tmp_path / "data")) == {"1.2.3.4.1"}
