"""Small DICOM files to send; their pixel bytes tell them apart."""

from pathlib import Path

from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.elements import RawElement, encode_elements
from isocenter.encoding.files import StorableFile, inspect_file
from isocenter.encoding.part10 import FileMeta, encode_file_meta

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT = EXPLICIT_VR_LITTLE_ENDIAN.uid


def write_instance(
    path: Path, number: int, *, sop_class: str = CT, syntax: str = EXPLICIT, pixels: int = 128
) -> StorableFile:
    """A file with SOP Instance UID 1.2.3.`number`, in explicit VR little endian whatever `syntax`
    says, inspected."""
    instance = f"1.2.3.{number}"
    data_set = encode_elements(
        {
            0x00080016: RawElement("UI", sop_class.encode()),
            0x00080018: RawElement("UI", instance.encode()),
            0x7FE00010: RawElement("OB", bytes([number % 256]) * pixels),
        },
        EXPLICIT_VR_LITTLE_ENDIAN,
    )
    path.write_bytes(encode_file_meta(FileMeta(sop_class, instance, syntax)) + data_set)
    file = inspect_file(path)
    assert isinstance(file, StorableFile)
    return file


def write_instances(folder: Path, count: int) -> list[StorableFile]:
    """That many CT images, numbered from 1."""
    return [write_instance(folder / f"{n}.dcm", n) for n in range(1, count + 1)]


def data_set_bytes(file: StorableFile) -> bytes:
    """What C-STORE has to carry."""
    return file.path.read_bytes()[file.dataset_offset :]
