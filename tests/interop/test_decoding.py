"""Decompressed as other toolkits do it: every file of pydicom's corpus that is not plain."""

from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.filereader import read_dataset

from isocenter.encoding.part10 import locate_dataset
from isocenter.encoding.transcoding import TARGETS, Conversion
from tests.support import peers
from tests.support.corpus import bundled, storable_files

pytestmark = [
    pytest.mark.interop,
    pytest.mark.filterwarnings("ignore::UserWarning"),  # what pydicom thinks of its own files
]

EXPLICIT, IMPLICIT = TARGETS
_ROOT = "1.2.840.10008.1.2."

# By transfer syntax: which program decompresses it.
TOOLS = {
    **dict.fromkeys(("4.50", "4.51", "4.57", "4.70"), "dcmdjpeg"),
    **dict.fromkeys(("4.80", "4.81"), "dcmdjpls"),
    **dict.fromkeys(("4.90", "4.91"), "gdcmconv"),
    "5": "dcmdrle",
    "1.99": "dcmconv",
    "2": "dcmconv",
}
# An odd one out that no toolkit decodes: its codestream has been overwritten on purpose.
DAMAGED = {"JPEG2000-embedded-sequence-delimiter.dcm"}
# DCMTK calls this file damaged for its short Adobe marker; libjpeg does not mind.
REFUSED_BY_TOOL = {"SC_rgb_jpeg.dcm"}
# The codestream is unsigned where the data set is signed. GDCM ignores that; pydicom documents
# what the first pixel must be.
DISPUTED = {"J2K_pixelrep_mismatch.dcm"}

CHANGED = {
    "PhotometricInterpretation", "PlanarConfiguration", "HighBit", "PixelData"
}  # fmt: skip

FILES = [
    pytest.param(file.path, file.transfer_syntax_uid, id=file.path.name)
    for file in storable_files()
    if file.transfer_syntax_uid.removeprefix(_ROOT) in TOOLS and file.path.name not in DAMAGED
]
WITH_REFERENCE = [file for file in FILES if file.id not in REFUSED_BY_TOOL | DISPUTED]


def converted(path: Path, target: str) -> Dataset:
    """A file's data set after our conversion."""
    part10 = path.read_bytes()
    meta, offset = locate_dataset(part10)
    conversion = Conversion(part10[offset:], meta.transfer_syntax_uid, target, 1 << 30)
    data_set = b"".join(map(bytes, conversion))
    assert len(data_set) == conversion.length
    return read_dataset(BytesIO(data_set), is_implicit_VR=target == IMPLICIT, is_little_endian=True)


def decompressed(path: Path, syntax: str, folder: Path) -> Dataset:
    """The same after a foreign program's."""
    program, result = TOOLS[syntax.removeprefix(_ROOT)], folder / "decompressed.dcm"
    options = ("--raw",) if program == "gdcmconv" else ("+te",)
    done = peers.dcmtk(program, *options, path, result)
    assert done.returncode == 0, done.stdout
    return dcmread(result)


@pytest.mark.parametrize(("path", "syntax"), WITH_REFERENCE)
@pytest.mark.parametrize("target", TARGETS, ids=["explicit", "implicit"])
def test_pixels_are_what_other_toolkits_decode(path: Path, syntax: str, target: str, tmp_path):
    ours, theirs = converted(path, target), decompressed(path, syntax, tmp_path)
    assert ours.get("PixelData") == theirs.get("PixelData")
    for keyword in ("PhotometricInterpretation", "PlanarConfiguration", "SamplesPerPixel"):
        assert ours.get(keyword) == theirs.get(keyword), keyword


@pytest.mark.parametrize(("path", "syntax"), FILES)
@pytest.mark.parametrize("target", TARGETS, ids=["explicit", "implicit"])
def test_everything_else_keeps_its_value(path: Path, syntax: str, target: str):
    original, ours = dcmread(path), converted(path, target)
    for tag in sorted(original.keys()):
        if tag.is_private and original.get_item(tag).VR != "SQ":  # implicit VR does not tell what
            assert (ours.get_item(tag).value or b"") == (original.get_item(tag).value or b""), tag
        elif tag.element and original[tag].keyword not in CHANGED:
            assert ours[tag].value == original[tag].value, tag
    assert ours.keys() <= original.keys()


def test_a_sign_that_only_the_data_set_knows_is_restored():
    path = next(file.path for file in storable_files() if file.path.name in DISPUTED)
    pixels = converted(path, EXPLICIT).PixelData
    assert int.from_bytes(pixels[:2], "little", signed=True) == -2000  # as pydicom's own tests say


# Whatever DCMTK can make of an image without loss

SIGNED, COLOUR, ODD = "MR_small.dcm", "examples_rgb_color.dcm", "SC_rgb_small_odd.dcm"


@pytest.mark.parametrize(
    ("program", "options"),
    [
        *(("dcmcjpeg", ("+el", "+sv", str(predictor))) for predictor in range(1, 8)),
        ("dcmcjpeg", ("+e1", "+fs", "4")),  # many fragments
        ("dcmcjpls", ("+el",)),
        ("dcmcjpls", ("+el", "+in")),
        ("dcmcjpls", ("+el", "+il")),
        ("dcmcjpls", ("+el", "+is")),
        ("dcmcrle", ()),
        ("dcmconv", ("+tb",)),
        ("dcmconv", ("+td",)),
        ("dcmconv", ("+ti",)),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
@pytest.mark.parametrize("name", [SIGNED, COLOUR, ODD])
def test_what_dcmtk_encodes_without_loss_comes_back(program, options, name: str, tmp_path: Path):
    encoded = tmp_path / "encoded.dcm"
    done = peers.dcmtk(program, *options, bundled(name), encoded)
    assert done.returncode == 0, done.stdout
    original, ours = dcmread(bundled(name)), converted(encoded, EXPLICIT)
    assert ours.PixelData == original.PixelData
    assert ours.PhotometricInterpretation == original.PhotometricInterpretation
    assert ours.get("PlanarConfiguration") == original.get("PlanarConfiguration")
