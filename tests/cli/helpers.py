"""Objects to store and to match, for the tests of the command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

from isocenter.dictionary.elements import implicit_vr, parse_tag
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.elements import Elements, RawElement, encode_elements
from isocenter.encoding.part10 import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    FileMeta,
    encode_file_meta,
)

ISOCENTER = (sys.executable, "-m", "isocenter")
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"

Run = Callable[..., Result]


def text_elements(**values: str) -> Elements:
    """A data set of text elements by keyword, in UTF-8."""
    tags = {parse_tag(keyword): value for keyword, value in values.items()}
    elements = {tag: RawElement(implicit_vr(tag), value.encode()) for tag, value in tags.items()}
    elements[0x00080005] = RawElement("CS", b"ISO_IR 192")
    return elements


def write_object(path: Path, number: int, **values: str) -> Path:
    """A small CT image without pixels as a Part 10 file."""
    uid = f"1.2.3.{number}"
    study = {
        "SOPClassUID": CT_IMAGE,
        "SOPInstanceUID": uid,
        "StudyInstanceUID": f"1.2.3.{number}.1",
        "SeriesInstanceUID": f"1.2.3.{number}.2",
        "PatientName": "DOE^JOHN",
        "PatientID": str(number),
        "StudyDate": "20240229",
        "Modality": "CT",
    }
    data_set = encode_elements(text_elements(**study | values), EXPLICIT_VR_LITTLE_ENDIAN)
    meta = FileMeta(
        sop_class_uid=CT_IMAGE,
        sop_instance_uid=uid,
        transfer_syntax_uid=EXPLICIT_VR_LITTLE_ENDIAN.uid,
        implementation_class_uid=IMPLEMENTATION_CLASS_UID,
        implementation_version_name=IMPLEMENTATION_VERSION_NAME,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_file_meta(meta) + data_set)
    return path
