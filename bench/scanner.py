"""Median microseconds to read the index attributes of a header: Isocenter's scanner and pydicom.

    python bench/scanner.py [rounds]

Both read the same bytes in the same run, round by round in turn.
"""

import statistics
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from struct import pack

import pydicom
from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.filereader import read_dataset

from isocenter.dictionary.elements import parse_tag
from isocenter.dictionary.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
    transfer_syntax,
)
from isocenter.encoding.part10 import read_file_meta
from isocenter.encoding.scanner import scan

KEYWORDS = """
    SpecificCharacterSet ImageType SOPClassUID SOPInstanceUID StudyDate SeriesDate AcquisitionDate
    ContentDate StudyTime SeriesTime AcquisitionTime AccessionNumber Modality Manufacturer
    InstitutionName ReferringPhysicianName StationName StudyDescription SeriesDescription
    PerformingPhysicianName ManufacturerModelName PatientName PatientID IssuerOfPatientID
    PatientBirthDate PatientSex PatientAge PatientComments BodyPartExamined SliceThickness
    ProtocolName StudyInstanceUID SeriesInstanceUID StudyID SeriesNumber AcquisitionNumber
    InstanceNumber FrameOfReferenceUID Laterality NumberOfFrames Rows Columns BitsAllocated
    PerformedProcedureStepID PerformedProcedureStepStartDate
"""
WANTED = frozenset(parse_tag(keyword) for keyword in KEYWORDS.split())


def synthesize(elements: int, syntax: TransferSyntax) -> bytes:
    """A CT-like header: the wanted attributes, and private ones up to the number asked for."""
    tags = sorted({*WANTED, *(0x00091000 + n for n in range(elements - len(WANTED)))})
    parts = []
    for tag in tags:
        value = b"ISO_IR 100" if tag == 0x00080005 else b"1.2.840.10008 "
        if syntax.implicit_vr:
            parts.append(pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)))
        else:
            parts.append(pack("<HH2sH", tag >> 16, tag & 0xFFFF, b"LO", len(value)))
        parts.append(value)
    return b"".join(parts)


def measure(rounds: int, *functions: Callable[[], object]) -> list[float]:
    """Median microseconds of each function, called in turn."""
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(rounds):
        for function, taken in zip(functions, times, strict=True):
            begin = time.perf_counter()
            function()
            taken.append((time.perf_counter() - begin) * 1e6)
    return [statistics.median(taken) for taken in times]


def report(
    name: str, rounds: int, ours: Callable[[], object], theirs: Callable[[], object]
) -> None:
    mine, other = measure(rounds, ours, theirs)
    print(f"{name:<42}{mine:>10.1f}{other:>10.1f}{other / mine:>8.0f}x")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    tags = sorted(WANTED)
    print(f"{'median microseconds':<42}{'isocenter':>10}{'pydicom':>10}{'ratio':>9}")
    for syntax in (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN):
        header = synthesize(250, syntax)

        def by_pydicom(header: bytes = header, syntax: TransferSyntax = syntax) -> object:
            return read_dataset(BytesIO(header), syntax.implicit_vr, True, specific_tags=tags)

        def by_scanner(header: bytes = header, syntax: TransferSyntax = syntax) -> object:
            return scan(header, syntax, WANTED)

        report(f"250 elements, {syntax.name}", rounds, by_scanner, by_pydicom)

    # The folder, not pydicom.data's functions: those may go and download.
    file = (Path(pydicom.__file__).parent / "data/test_files/CT_small.dcm").read_bytes()
    meta, offset = read_file_meta(file)
    ct_syntax = transfer_syntax(meta.transfer_syntax_uid)

    def ct_by_scanner() -> object:
        return scan(file, ct_syntax, WANTED, start=offset)

    def ct_by_pydicom() -> FileDataset:
        return dcmread(BytesIO(file), specific_tags=tags)

    def ct_by_pydicom_with_values() -> object:
        data_set = ct_by_pydicom()
        return [data_set[tag].value for tag in tags if tag in data_set]

    report("CT_small.dcm", rounds, ct_by_scanner, ct_by_pydicom)
    report("CT_small.dcm, values converted too", rounds, ct_by_scanner, ct_by_pydicom_with_values)


if __name__ == "__main__":
    main()
