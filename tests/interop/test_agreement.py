"""The validator beside dciodvfy of dicom3tools, over pydicom's own files."""

from collections import Counter
from pathlib import Path

import pytest

from tests.support.corpus import storable_files
from tests.support.peers import dciodvfy_program
from tools.agreement import KINDS, judge

MISSING, CONDITIONAL, _, ENUMERATED, _ = KINDS

# What Isocenter finds and dciodvfy does not, read and found to be right: the first is about files
# that have no File Meta Information at all, which dciodvfy does not count in some of them.
RIGHT_ALONE = {
    "FileMetaInformationGroupLength",
    "FileMetaInformationVersion",
    "MediaStorageSOPClassUID",
    "MediaStorageSOPInstanceUID",
    "ImplementationClassUID",
}


@pytest.mark.interop
@pytest.mark.slow
def test_isocenter_finds_what_dciodvfy_finds_and_little_else() -> None:
    program = dciodvfy_program()
    paths: list[Path] = [file.path for file in storable_files()]
    outcomes = [found for path in paths if (found := judge(path, program)) is not None]
    assert len(outcomes) > 100
    theirs: Counter[str] = Counter()
    shared: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    for one in outcomes:
        theirs.update(kind for kind, _ in one.theirs)
        shared.update(kind for kind, _ in one.theirs & one.ours)
        alone.update(kind for kind, word in one.ours - one.theirs if word not in RIGHT_ALONE)
    assert shared[MISSING] >= 0.95 * theirs[MISSING]
    assert shared[CONDITIONAL] >= 0.85 * theirs[CONDITIONAL]
    assert shared[ENUMERATED] >= 0.80 * theirs[ENUMERATED]
    assert sum(alone.values()) < 0.05 * sum(shared.values())
