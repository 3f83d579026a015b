"""C-FIND both ways: foreign programs query the node, `isocenter find` queries foreign archives."""

from pathlib import Path

import pydicom
import pytest

from tests.interop.matrix.cells import FIND, STORAGE, answers, asks
from tests.support import peers
from tests.support.corpus import bundled
from tests.support.node import Node, isocenter, isocenter_json
from tests.support.processes import Server

pytestmark = pytest.mark.interop

FILES = ("CT_small.dcm", "MR_small.dcm", "waveform_ecg.dcm", "test-SR.dcm")
STUDY = ("-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory):
    """A node that holds four studies."""
    with Node(tmp_path_factory.mktemp("node") / "data") as filled:
        stored = isocenter("store", filled.address, *map(bundled, FILES))
        assert stored.returncode == 0, stored.stdout
        yield filled


def study_of(name: str) -> str:
    return str(pydicom.dcmread(bundled(name)).StudyInstanceUID)


def findscu(server: Server, *keys: str, folder: Path) -> list[pydicom.Dataset]:
    """DCMTK's findscu: the responses, as data sets."""
    folder.mkdir(exist_ok=True)
    asked = peers.dcmtk("findscu", "-X", "-od", folder, "127.0.0.1", str(server.port), *keys)
    assert asked.returncode == 0, asked.stdout
    return [pydicom.dcmread(path, force=True) for path in sorted(folder.glob("rsp*.dcm"))]


def isocenter_find(server: Server, *keys: str, ae_title: str = "ANY-SCP") -> list[dict]:
    """`isocenter find --json`: the responses in the DICOM JSON Model."""
    return isocenter_json("find", f"{ae_title}@{server.address}", *keys)


@asks("DCMTK", FIND, by="findscu")
def test_findscu_sees_every_study(node: Node, tmp_path: Path):
    found = findscu(node, *STUDY, folder=tmp_path)
    assert {str(match.StudyInstanceUID) for match in found} == set(map(study_of, FILES))


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("PatientName=CompressedSamples^CT1", ["CT_small.dcm"]),
        ("PatientName=compressed*", ["CT_small.dcm", "MR_small.dcm"]),
        ("PatientName=Compressed?amples^MR1", ["MR_small.dcm"]),
        ("PatientID=1CT1", ["CT_small.dcm"]),
        ("StudyDate=20040119", ["CT_small.dcm"]),
        ("StudyDate=20040101-20040201", ["CT_small.dcm"]),
        ("StudyDate=-19990101", []),
        ("PatientName=NOBODY*", []),
    ],
)
@asks("DCMTK", FIND, by="findscu")
def test_findscu_matches(node: Node, tmp_path: Path, key: str, names: list[str]):
    found = findscu(node, *STUDY, "-k", key, folder=tmp_path)
    assert {str(match.StudyInstanceUID) for match in found} == set(map(study_of, names))


def test_findscu_matches_a_list_of_uids(node: Node, tmp_path: Path):
    wanted = [study_of("CT_small.dcm"), study_of("waveform_ecg.dcm")]
    keys = ("-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=" + "\\".join(wanted))
    found = findscu(node, *keys, folder=tmp_path)
    assert {str(match.StudyInstanceUID) for match in found} == set(wanted)


@pytest.mark.parametrize("root", ["-P", "-S"])
@asks("DCMTK", FIND, by="findscu")
def test_findscu_descends_to_the_images(node: Node, tmp_path: Path, root: str):
    source = pydicom.dcmread(bundled("CT_small.dcm"), stop_before_pixels=True)
    unique = {
        "PATIENT": f"PatientID={source.PatientID}",
        "STUDY": f"StudyInstanceUID={source.StudyInstanceUID}",
        "SERIES": f"SeriesInstanceUID={source.SeriesInstanceUID}",
        "IMAGE": "SOPInstanceUID",
    }
    keys: list[str] = []
    for level, key in unique.items():
        if root == "-S" and level == "PATIENT":
            continue
        keys += ["-k", key]
        found = findscu(
            node, root, "-k", f"QueryRetrieveLevel={level}", *keys, folder=tmp_path / level
        )
        assert len(found) == 1
    assert found[0].SOPInstanceUID == source.SOPInstanceUID


@pytest.mark.parametrize(("patient_id", "matches"), [("1CT1", True), ("NOBODY", False)])
@asks("GDCM", FIND, by="gdcmscu")
def test_gdcmscu_finds(node: Node, patient_id: str, matches: bool):
    keys = ["--key", f"10,20,{patient_id}", "--key", "20,d"]
    where = ["127.0.0.1", str(node.port)]
    asked = peers.gdcmscu("--find", "--studyroot", "--study", *keys, *where)
    assert asked.returncode == 0, asked.stdout
    # It dies before it prints the matches (see peers.gdcmscu); each has a status of FF00H, though.
    assert (f"(US) {0xFF00}" in asked.stdout) is matches
    assert "(US) 0 " in asked.stdout


@asks("pynetdicom", FIND, by="findscu")
def test_pynetdicom_finds(node: Node):
    keys = [
        "-S",
        "-k",
        "QueryRetrieveLevel=STUDY",
        "-k",
        "StudyInstanceUID=",
        "-k",
        "PatientID=1CT1",
    ]
    asked = peers.pynetdicom("findscu", "127.0.0.1", str(node.port), *keys)
    assert asked.returncode == 0, asked.stdout
    assert study_of("CT_small.dcm") in asked.stdout
    assert study_of("MR_small.dcm") not in asked.stdout


def test_findscu_may_cancel(node: Node):
    asked = peers.dcmtk("findscu", "-v", "--cancel", "1", *STUDY, "127.0.0.1", str(node.port))
    assert asked.returncode == 0, asked.stdout


def test_isocenter_finds_in_a_node(node: Node):
    (match,) = isocenter_find(node, "-k", "PatientName=COMPRESSED*CT1", "-k", "StudyInstanceUID")
    assert match["0020000D"]["Value"] == [study_of("CT_small.dcm")]


@pytest.mark.parametrize(
    ("start", "ae_title"),
    [
        pytest.param(
            peers.dcmtk_dcmqrscp, "DCMQRSCP", marks=answers("DCMTK", STORAGE, FIND, by="dcmqrscp")
        ),
        pytest.param(
            peers.pynetdicom_qrscp, "QRSCP", marks=answers("pynetdicom", STORAGE, FIND, by="qrscp")
        ),
    ],
    ids=["dcmqrscp", "pynetdicom"],
)
def test_isocenter_finds_in_a_foreign_archive(tmp_path: Path, start, ae_title: str):
    with start(tmp_path) as server:
        stored = isocenter("store", f"{ae_title}@{server.address}", *map(bundled, FILES))
        assert stored.returncode == 0, stored.stdout + server.log()
        keys = ("-k", "PatientID=1CT1", "-k", "StudyInstanceUID")
        (match,) = isocenter_find(server, *keys, ae_title=ae_title)
    assert match["0020000D"]["Value"] == [study_of("CT_small.dcm")]


def test_findscu_matches_and_gets_attributes_of_the_stored_header(node: Node, tmp_path: Path):
    source = pydicom.dcmread(bundled("CT_small.dcm"), stop_before_pixels=True)
    keys = [
        "QueryRetrieveLevel=IMAGE",
        f"StudyInstanceUID={source.StudyInstanceUID}",
        f"SeriesInstanceUID={source.SeriesInstanceUID}",
        "SOPInstanceUID",
        "SliceThickness=5",
        "ImageType",
    ]
    (match,) = findscu(node, "-S", *[p for k in keys for p in ("-k", k)], folder=tmp_path)
    assert match.SliceThickness == source.SliceThickness
    assert match.ImageType == source.ImageType


@pytest.mark.parametrize(("scheme", "matches"), [("TEST", 1), ("NONE", 0)])
def test_findscu_matches_sequences(node: Node, tmp_path: Path, scheme: str, matches: int):
    source = pydicom.dcmread(bundled("test-SR.dcm"))
    (title,) = source.ConceptNameCodeSequence
    keys = [
        f"ConceptNameCodeSequence[0].CodeValue={title.CodeValue}",
        f"ConceptNameCodeSequence[0].CodingSchemeDesignator={scheme}",
    ]
    found = findscu(node, *STUDY, *[p for k in keys for p in ("-k", k)], folder=tmp_path)
    assert len(found) == matches
    for match in found:
        (item,) = match.ConceptNameCodeSequence
        assert (item.CodeValue, "CodeMeaning" in item) == (title.CodeValue, False)


def test_pynetdicom_negotiates_relational_queries(node: Node):
    from pynetdicom import AE
    from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation

    asked = SOPClassExtendedNegotiation()
    asked.sop_class_uid = "1.2.840.10008.5.1.4.1.2.2.1"
    asked.service_class_application_information = b"\1\1\1\1\0\1\1"
    ae = AE()
    ae.add_requested_context(asked.sop_class_uid)
    association = ae.associate("127.0.0.1", node.port, ext_neg=[asked])
    try:
        assert association.acceptor.sop_class_extended == {asked.sop_class_uid: b"\1\1\1\1\0\1\1"}
        keys = pydicom.Dataset()
        keys.QueryRetrieveLevel = "IMAGE"
        keys.SOPInstanceUID = ""
        keys.PatientName = "mr1 compressedsamples"  # fuzzy: any order of components
        statuses = [
            status.Status
            for status, _ in association.send_c_find(keys, ae.requested_contexts[0].abstract_syntax)
        ]
    finally:
        association.release()
    assert statuses == [0xFF00, 0]
