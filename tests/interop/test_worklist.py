"""Worklist and performed procedure steps: foreign modalities ask and tell the node, and ours asks
and tells foreign departments.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from isocenter.dictionary.sop_classes import MODALITY_WORKLIST_FIND
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.dicom_json import to_json
from isocenter.encoding.recoding import neutral_elements
from isocenter.services.association import Destination
from isocenter.services.performed_procedure_step_scu import (
    PROCEDURE_STEP_CONTEXTS,
    create_step,
    set_step,
)
from isocenter.services.query_retrieve_scu import find_context
from tests.archive.workflow.items import data_set, item, step_begun, step_ended
from tests.support import peers
from tests.support.node import Node, isocenter, isocenter_json
from tests.support.processes import Server, free_port, require

pytestmark = pytest.mark.interop

DUMP = """\
# a worklist item as DCMTK's documentation shows them
(0008,0005) CS [ISO_IR 100]
(0008,0050) SH [A{number}]
(0010,0010) PN [{name}]
(0010,0020) LO [P{number}]
(0010,0030) DA [19700131]
(0010,0040) CS [F]
(0020,000d) UI [1.2.276.0.7230010.3.2.{number}]
(0032,1060) LO [EXAM {number}]
(0040,1001) SH [RP{number}]
(0040,0100) SQ
(fffe,e000) -
(0008,0060) CS [{modality}]
(0040,0001) AE [{station}]
(0040,0002) DA [{date}]
(0040,0003) TM [{time}]
(0040,0006) PN [JOHNSON]
(0040,0007) LO [STEP {number}]
(0040,0009) SH [SPD{number}]
(0040,0010) SH [STN{number}]
(fffe,e00d) -
(fffe,e0dd) -
"""

ITEMS = (
    ("VIVALDI^ANTONIO", "MR", "MR1", "20240131", "0900"),
    ("MÜLLER^JÜRGEN", "CT", "CT1", "20240131", "1000"),
    ("ABAKUS^BEA", "CT", "CT2", "20240201", "1100"),
)
"""Name, modality, station, date and time."""


def worklist_files(folder: Path, *options: str) -> list[Path]:
    """The items as files that dump2dcm makes of DCMTK's notation."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, (name, modality, station, date, time) in enumerate(ITEMS, 1):
        dump, file = folder / f"item{number}.dump", folder / f"item{number}.wl"
        text = DUMP.format(
            number=number, name=name, modality=modality, station=station, date=date, time=time
        )
        dump.write_text(text, "latin-1")
        made = peers.dcmtk("dump2dcm", "-q", "-g", *options, dump, file)
        assert made.returncode == 0, made.stdout
        dump.unlink()
        files.append(file)
    return files


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with a worklist of three items, from files with a meta header and without."""
    folder = tmp_path_factory.mktemp("worklist")
    with Node(folder / "data") as filled:
        with_meta = worklist_files(folder / "files")
        bare = worklist_files(folder / "bare", "-F", "+ti")
        files = (with_meta[0], bare[1], with_meta[2])
        taken = isocenter("worklist", "import", "--data", filled.data, *files)
        assert taken.returncode == 0, taken.stdout
        yield filled


def findscu(server: Server, folder: Path, *keys: str, ae_title: str = "ISOCENTER") -> list[Dataset]:
    """DCMTK's findscu: the responses, as data sets."""
    folder.mkdir(exist_ok=True)
    wishes = [option for key in keys for option in ("-k", key)]
    options = ("-W", "-X", "-od", folder, "-aec", ae_title)
    asked = peers.dcmtk("findscu", *options, *wishes, "127.0.0.1", str(server.port))
    assert asked.returncode == 0, asked.stdout
    return [pydicom.dcmread(path, force=True) for path in sorted(folder.glob("rsp*.dcm"))]


STEP = "ScheduledProcedureStepSequence[0]."
WISHES = (f"{STEP}ScheduledProcedureStepID", "PatientName", "AccessionNumber")


@pytest.mark.parametrize(
    ("keys", "numbers"),
    [
        ((), [1, 2, 3]),
        (("PatientName=VIVALDI^ANTONIO",), [1]),
        (("PatientName=viv*",), [1]),
        (("PatientID=P2",), [2]),
        (("AccessionNumber=A?",), [1, 2, 3]),
        (("RequestedProcedureID=RP3",), [3]),
        (("StudyInstanceUID=1.2.276.0.7230010.3.2.1\\1.2.276.0.7230010.3.2.3",), [1, 3]),
        (("PatientBirthDate=19700131",), [1, 2, 3]),
        (("PatientBirthDate=-19691231",), []),
        ((f"{STEP}Modality=CT",), [2, 3]),
        ((f"{STEP}ScheduledStationAETitle=CT1",), [2]),
        ((f"{STEP}ScheduledStationName=STN*",), [1, 2, 3]),
        ((f"{STEP}ScheduledProcedureStepStartDate=20240131",), [1, 2]),
        ((f"{STEP}ScheduledProcedureStepStartDate=20240201-",), [3]),
        ((f"{STEP}ScheduledProcedureStepStartTime=0930-1030",), [2]),
        ((f"{STEP}ScheduledPerformingPhysicianName=JOHN*",), [1, 2, 3]),
        ((f"{STEP}Modality=CT", "PatientName=VIV*"), []),
        ((f"{STEP}Modality=CT", f"{STEP}ScheduledProcedureStepStartDate=20240201"), [3]),
    ],
)
def test_findscu_matches(node: Node, tmp_path: Path, keys: tuple[str, ...], numbers: list[int]):
    found = findscu(node, tmp_path, *WISHES, *keys)
    steps = [match.ScheduledProcedureStepSequence[0].ScheduledProcedureStepID for match in found]
    assert steps == [f"SPD{number}" for number in numbers]


def test_findscu_gets_whole_sequences_back(node: Node, tmp_path: Path):
    (match,) = findscu(node, tmp_path, "PatientID=P3", "ScheduledProcedureStepSequence")
    (step,) = match.ScheduledProcedureStepSequence
    assert step.ScheduledStationName == "STN3"
    assert step.ScheduledProcedureStepStatus == "SCHEDULED"


@pytest.mark.parametrize(
    ("requested", "answered"),
    [("ISO_IR 100", "ISO_IR 100"), ("ISO_IR 192", "ISO_IR 192"), ("ISO_IR 144", "ISO_IR 192")],
)
def test_findscu_gets_names_in_the_character_set_that_it_asks_for(
    node: Node, tmp_path: Path, requested: str, answered: str
):
    keys = (*WISHES, "PatientID=P2", f"SpecificCharacterSet={requested}")
    (match,) = findscu(node, tmp_path, *keys)
    assert match.SpecificCharacterSet == answered
    assert match.PatientName == "MÜLLER^JÜRGEN"


def pynetdicom_association(port: int, *contexts: str) -> Any:
    pynetdicom = pytest.importorskip("pynetdicom")
    entity = pynetdicom.AE("CT1")
    for context in contexts:
        entity.add_requested_context(context)
    association = entity.associate("127.0.0.1", port, ae_title="ISOCENTER")
    assert association.is_established
    return association


def test_pynetdicom_finds(node: Node):
    asked, step = Dataset(), Dataset()
    asked.PatientName = "*"
    asked.SpecificCharacterSet = "ISO_IR 100"
    step.Modality = "CT"
    step.ScheduledProcedureStepStartDate = "20240131"
    asked.ScheduledProcedureStepSequence = [step]
    association = pynetdicom_association(node.port, MODALITY_WORKLIST_FIND)
    responses = list(association.send_c_find(asked, MODALITY_WORKLIST_FIND))
    association.release()
    assert [status.Status for status, _ in responses] == [0xFF00, 0x0000]
    assert responses[0][1].PatientName == "MÜLLER^JÜRGEN"


def test_pynetdicom_performs_a_step(tmp_path: Path):
    from pynetdicom.sop_class import (
        ModalityPerformedProcedureStep,
        ModalityPerformedProcedureStepRetrieve,
    )

    with Node(tmp_path / "data") as node:
        files = worklist_files(tmp_path / "files")
        taken = isocenter("worklist", "import", "--data", node.data, files[1])
        assert taken.returncode == 0, taken.stdout
        begun = Dataset.from_json(to_json(step_begun("SPD2", "1.2.276.0.7230010.3.2.2")))
        ended = Dataset.from_json(to_json(step_ended()))
        uid = "1.2.276.0.7230010.9"
        writing, reading = (
            ModalityPerformedProcedureStep,
            ModalityPerformedProcedureStepRetrieve,
        )
        association = pynetdicom_association(node.port, writing, reading)
        assert association.send_n_create(begun, writing, uid)[0].Status == 0x0000
        assert association.send_n_create(begun, writing, uid)[0].Status == 0x0111
        assert association.send_n_set(ended, writing, "1.9")[0].Status == 0x0112
        assert association.send_n_set(ended, writing, uid)[0].Status == 0x0000
        status, known = association.send_n_get([0x00400252], reading, uid)
        assert (status.Status, known.PerformedProcedureStepStatus) == (0, "COMPLETED")
        again, _ = association.send_n_set(ended, writing, uid)
        assert (again.Status, again.ErrorID) == (0x0110, 0xA710)
        association.release()
        (scheduled,) = isocenter_json("worklist", "list", "--data", node.data)
        assert scheduled["00400100"]["Value"][0]["00400020"]["Value"] == ["COMPLETED"]
        (performed,) = isocenter_json("worklist", "steps", "--data", node.data)
        assert performed["00080018"]["Value"] == [uid]


@contextmanager
def wlmscpfs(folder: Path) -> Iterator[Server]:
    """DCMTK's worklist server over the three files."""
    worklist_files(folder / "WORKLIST")
    (folder / "WORKLIST" / "lockfile").touch()
    port = free_port()
    program = require("wlmscpfs", "dcmtk")
    command = [program, "-v", "-csk", "-dfp", folder, "-dfr", str(port)]
    with Server(command, port, folder / "wlmscpfs.log") as server:
        yield server


def test_our_modality_asks_wlmscpfs(tmp_path: Path):
    asked = data_set(PatientName="", AccessionNumber="") | {
        tag: element for tag, element in item().items() if tag == 0x00400100
    }
    (step,) = asked[0x00400100].value
    step.clear()
    step.update(data_set(Modality="CT", ScheduledProcedureStepID=""))
    with wlmscpfs(tmp_path) as server:
        destination = Destination("127.0.0.1", server.port, "WORKLIST")
        with destination.connect([find_context(MODALITY_WORKLIST_FIND)]) as association:
            *matches, final = association.find(MODALITY_WORKLIST_FIND, asked)
    assert final.status.code == 0
    found = [neutral_elements(each.identifier, EXPLICIT_VR_LITTLE_ENDIAN) for each in matches]
    names = {match[0x00100010].value.decode() for match in found}
    assert names == {"MÜLLER^JÜRGEN", "ABAKUS^BEA"}


def test_the_command_asks_wlmscpfs(tmp_path: Path):
    with wlmscpfs(tmp_path) as server:
        found = isocenter_json(
            "find",
            "-W",
            f"WORKLIST@{server.address}",
            "-k",
            f"{STEP}Modality=MR",
            "-k",
            "PatientID",
        )
    assert [match["00100020"]["Value"] for match in found] == [["P1"]]


def test_our_modality_tells_pynetdicom():
    pytest.importorskip("pynetdicom")
    from pynetdicom import AE, evt
    from pynetdicom.sop_class import ModalityPerformedProcedureStep

    told: list[tuple[str, Dataset]] = []

    def on_create(event: Any) -> tuple[int, Dataset]:
        told.append((event.request.AffectedSOPInstanceUID, event.attribute_list))
        return 0x0000, event.attribute_list

    def on_set(event: Any) -> tuple[int, Dataset]:
        told.append((event.request.RequestedSOPInstanceUID, event.modification_list))
        return 0x0110, Dataset()

    department = AE("RIS")
    department.add_supported_context(ModalityPerformedProcedureStep)
    server = department.start_server(
        ("127.0.0.1", 0),
        block=False,
        evt_handlers=[(evt.EVT_N_CREATE, on_create), (evt.EVT_N_SET, on_set)],
    )
    try:
        port = server.socket.getsockname()[1]
        destination = Destination("127.0.0.1", port, "RIS")
        with destination.connect(PROCEDURE_STEP_CONTEXTS) as association:
            created = create_step(association, "1.2.3", step_begun(PatientName="Müller^Jürgen"))
            changed = set_step(association, "1.2.3", step_ended())
    finally:
        server.shutdown()
    assert (created.status.code, changed.status.code) == (0, 0x0110)
    assert created.attributes == step_begun(PatientName="Müller^Jürgen")
    assert [uid for uid, _ in told] == ["1.2.3", "1.2.3"]
    assert told[0][1].PatientName == "Müller^Jürgen"
    assert told[1][1].PerformedProcedureStepStatus == "COMPLETED"
