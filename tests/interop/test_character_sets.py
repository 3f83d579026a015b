"""Person names of the world: stored, matched by wildcards, and returned intact to DCMTK and
pynetdicom (PS3.5 Annexes H, I, J and K, and their sisters in the single-byte sets)."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pydicom
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pydicom.valuerep import PersonName

from isocenter.encoding.elements import Elements, RawElement
from tests.encoding.test_character_sets import ANNEX_K, NAMES, stored
from tests.server.support import store_all
from tests.server.support_instances import PATIENT_NAME, instance
from tests.support import peers
from tests.support.node import Node

pytestmark = pytest.mark.interop

UTF_8 = "ISO_IR 192"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
CHINESE = "Zhang^XiaoDong=张^小东="

PATTERNS = {
    "chrArab.dcm": "قبا*",
    "chrFren.dcm": "B?c^Jér*",
    "chrGerm.dcm": "*neas^Rüd*",
    "chrGreek.dcm": "Διο*ιος",
    "chrH31.dcm": "山?^太*",
    "chrH32.dcm": "やま*",
    "chrHbrw.dcm": "*דבורה",
    "chrI2.dcm": "洪^吉*",
    "chrRuss.dcm": "Люк*",
    "chrX1.dcm": "*王^小東*",
    "chrX2.dcm": "王^小东*",
    "annex K": "张*",
}
# Names that other names' patterns find too: two annexes have the same Mr. Yamada.
ALIKE = {"chrH31.dcm": {"chrH32.dcm"}, "chrH32.dcm": {"chrH31.dcm"}}


class Example(NamedTuple):
    """A name, as text and in the bytes of its character set."""

    text: str
    character_set: str
    raw: bytes
    study: str


def examples() -> dict[str, Example]:
    found = {}
    for number, (name, text) in enumerate(NAMES.items(), 1):
        character_set, raw = stored(name)
        found[name] = Example(text, character_set.decode().strip(), raw, f"1.2.3.{number}")
    found["annex K"] = Example(CHINESE, "\\ISO 2022 IR 58", ANNEX_K, "1.2.3.99")
    return found


EXAMPLES = examples()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with a study for each example."""

    def image(example: Example):
        changed: Elements = {
            0x00080005: RawElement("CS", example.character_set.encode()),
            PATIENT_NAME: RawElement("PN", example.raw),
            0x00100020: RawElement("LO", example.study.encode()),
        }
        return instance(f"{example.study}.1.1", study=example.study, pixels=2, changed=changed)

    with Node(tmp_path_factory.mktemp("names") / "data") as filled:
        assert set(store_all(filled.port, map(image, EXAMPLES.values()))) == {0}
        yield filled


def query(pattern: str, character_set: str) -> pydicom.Dataset:
    asked = pydicom.Dataset()
    asked.SpecificCharacterSet = character_set.split("\\")
    asked.QueryRetrieveLevel = "STUDY"
    asked.PatientName = pattern
    asked.StudyInstanceUID = ""
    return asked


def check(name: str, matches: list[pydicom.Dataset]) -> None:
    """The example is among the answers, every answer is whole, and nobody else's is there."""
    by_study = {example.study: each for each, example in EXAMPLES.items()}
    found = {by_study[str(match.StudyInstanceUID)]: match for match in matches}
    assert name in found
    assert found.keys() - {name} <= ALIKE.get(name, set())
    for each, match in found.items():
        assert is_intact(match.PatientName, EXAMPLES[each])


def is_intact(answered: PersonName, example: Example) -> bool:
    """pydicom 3.0 leaves the escape sequences of GB 2312 in its text, but keeps the bytes too."""
    if str(answered).rstrip("=") == example.text.rstrip("="):
        return True
    return answered.original_string.rstrip(b" =") == example.raw.rstrip(b" =")


def sets_for(name: str) -> list[str]:
    return [EXAMPLES[name].character_set, UTF_8]


CASES = [(name, character_set) for name in EXAMPLES for character_set in sets_for(name)]


@pytest.mark.parametrize(("name", "character_set"), CASES)
def test_findscu_gets_every_name_intact(
    node: Node, tmp_path: Path, name: str, character_set: str
) -> None:
    asked = query(PATTERNS[name], character_set)
    asked.file_meta = FileMetaDataset()
    asked.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    asked.file_meta.MediaStorageSOPClassUID = STUDY_ROOT_FIND
    asked.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    asked.save_as(tmp_path / "query.dcm", enforce_file_format=True)
    where = ("127.0.0.1", str(node.port), tmp_path / "query.dcm")
    done = peers.dcmtk("findscu", "-S", "-X", "-od", tmp_path, *where)
    assert done.returncode == 0, done.stdout
    check(name, [pydicom.dcmread(path, force=True) for path in tmp_path.glob("rsp*.dcm")])


@pytest.mark.parametrize(("name", "character_set"), CASES)
def test_pynetdicom_gets_every_name_intact(node: Node, name: str, character_set: str) -> None:
    from pynetdicom import AE

    ae = AE()
    ae.add_requested_context(STUDY_ROOT_FIND)
    association = ae.associate("127.0.0.1", node.port)
    assert association.is_established
    try:
        answers = list(
            association.send_c_find(query(PATTERNS[name], character_set), STUDY_ROOT_FIND)
        )
    finally:
        association.release()
    assert answers[-1][0].Status == 0
    check(name, [match for _, match in answers if match is not None])


def test_who_asks_in_another_character_set_gets_utf_8(node: Node, tmp_path: Path) -> None:
    """Latin-1 carries no Japanese, and nothing must be lost."""
    keys = ["QueryRetrieveLevel=STUDY", "SpecificCharacterSet=ISO_IR 100", "PatientName=Yamada*"]
    asked = [part for key in keys for part in ("-k", key)]
    done = peers.dcmtk("findscu", "-S", "-X", "-od", tmp_path, "127.0.0.1", str(node.port), *asked)
    assert done.returncode == 0, done.stdout
    (match,) = (pydicom.dcmread(path, force=True) for path in tmp_path.glob("rsp*.dcm"))
    assert match.SpecificCharacterSet == UTF_8
    assert str(match.PatientName) == NAMES["chrH31.dcm"]
