"""The kinds of work that the clients of a soak do: each one association, from request to end.

Whatever does not go as the standard says raises; the caller counts it as trouble. What a client
gets back is compared, byte for byte, with what was stored.
"""

from collections.abc import Callable, Sequence
from random import Random

from isocenter.dictionary.sop_classes import (
    MODALITY_WORKLIST_FIND,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    VERIFICATION,
)
from isocenter.dictionary.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from isocenter.encoding.elements import Elements, RawElement
from isocenter.services.performed_procedure_step_scu import (
    PROCEDURE_STEP_CONTEXTS,
    create_step,
    set_step,
)
from isocenter.services.query_retrieve_scu import find_context
from isocenter.services.retrieve_scu import RetrieveProgress
from isocenter.services.storage_commitment import Reference
from isocenter.services.storage_commitment_scu import commit_instances
from isocenter.upperlayer.pdu import Abort
from tests.server.support import FIND, STORE, Peer, p_data
from tests.server.support_instances import CT, instance
from tests.soak.ward import INSTANCES_PER_STUDY, Collector, Study, Ward
from tests.support import peers
from tests.support.modality import beginning, elements_of, end

EXPLICIT = EXPLICIT_VR_LITTLE_ENDIAN.uid
SUCCESS, CANCELED = 0x0000, 0xFE00

STATIONS = ("SCANNER1", "SCANNER2")
ITEMS_PER_STATION = 10

_PIXELS = (1_000, 60_000)  # bytes of pixels in an instance


def echo(ward: Ward, random: Random) -> None:
    """A few C-ECHOs."""
    with ward.destination.connect([(VERIFICATION, [IMPLICIT_VR_LITTLE_ENDIAN.uid])]) as association:
        for _ in range(random.randint(1, 10)):
            assert association.echo().is_success


def store(ward: Ward, random: Random) -> Study:
    """A new study, one instance after the other; one that is known when there are enough."""
    number = ward.new_number()
    if ward.maximum_studies is not None and number > ward.maximum_studies:
        study = ward.some_study(random)
    else:
        study = Study(f"1.2.826.0.1.3680043.9.9999.{number}", random.randint(*_PIXELS))
    send(ward, study)
    ward.studies.append(study)
    return study


def store_again(ward: Ward, random: Random) -> None:
    """A study that is there already: the same bytes again are a success."""
    send(ward, ward.some_study(random))


def send(ward: Ward, study: Study) -> None:
    """C-STORE of every instance of a study."""
    with ward.destination.connect([(CT, [EXPLICIT])]) as association:
        for one in study.instances():
            response = association.store(one.sop_class_uid, one.uid, EXPLICIT, one.data_set)
            assert response.status == SUCCESS, f"C-STORE {response.status:04X}H"


def find(ward: Ward, random: Random) -> None:
    """Queries over one association, by UID: each has its one answer."""
    with ward.destination.connect([find_context(STUDY_ROOT_FIND)]) as association:
        for _ in range(random.randint(1, 10)):
            study = ward.some_study(random)
            *matches, final = association.find(STUDY_ROOT_FIND, study_level(study.uid))
            assert final.status.is_success
            (match,) = matches
            assert match.identifier[0x0020000D].value.rstrip(b"\0") == study.uid.encode()


def find_and_cancel(ward: Ward, random: Random) -> None:
    """A query for everything that is canceled early; the association serves another after it."""
    with ward.destination.connect([find_context(STUDY_ROOT_FIND)]) as association:
        *_, final = association.find(STUDY_ROOT_FIND, study_level(), cancel_after=2)
        assert final.status.code in (SUCCESS, CANCELED), final.status
        study = ward.some_study(random)
        *matches, final = association.find(STUDY_ROOT_FIND, study_level(study.uid))
        assert final.status.is_success
        assert len(matches) == 1


def get(ward: Ward, random: Random) -> None:
    """C-GET of a study: every instance comes, each as it was stored."""
    study = ward.some_study(random)
    receiver = Collector()
    contexts = [find_context(STUDY_ROOT_GET), (CT, [EXPLICIT])]
    with ward.destination.connect(contexts, receiving=[CT]) as association:
        *_, final = association.get(STUDY_ROOT_GET, study_level(study.uid), receiver)
    assert_complete(final)
    assert receiver.received == {one.uid: one.data_set for one in study.instances()}


def get_and_cancel(ward: Ward, random: Random) -> None:
    """C-GET that is canceled after one instance; what came is what was stored."""
    study = ward.some_study(random)
    receiver = Collector()
    contexts = [find_context(STUDY_ROOT_GET), (CT, [EXPLICIT])]
    with ward.destination.connect(contexts, receiving=[CT]) as association:
        identifier = study_level(study.uid)
        *_, final = association.get(STUDY_ROOT_GET, identifier, receiver, cancel_after=1)
    assert final.status.code in (SUCCESS, CANCELED), final.status
    stored = {one.uid: one.data_set for one in study.instances()}
    assert receiver.received.items() <= stored.items()


def move(ward: Ward, random: Random) -> None:
    """C-MOVE of a study to the ward's receiver."""
    study = ward.some_study(random)
    with ward.destination.connect([find_context(STUDY_ROOT_MOVE)]) as association:
        identifier = study_level(study.uid)
        *_, final = association.move(STUDY_ROOT_MOVE, identifier, ward.move_destination)
    assert_complete(final)


def commit(ward: Ward, random: Random) -> None:
    """Storage commitment of a study, reported on the same association."""
    study = ward.some_study(random)
    references = [Reference(one.sop_class_uid, one.uid) for one in study.instances()]
    assert commit_instances(ward.destination, references, wait=30).complete


def find_worklist(ward: Ward, random: Random) -> None:
    """The worklist of one station: the items that were put on it, and no others."""
    station = random.choice(STATIONS)
    step = {
        0x00400001: RawElement("AE", station.encode()),
        0x00400009: RawElement("SH", b""),
    }
    identifier = {0x00080050: RawElement("SH", b""), 0x00400100: RawElement("SQ", [step])}
    with ward.destination.connect([find_context(MODALITY_WORKLIST_FIND)]) as association:
        *matches, final = association.find(MODALITY_WORKLIST_FIND, identifier)
    assert final.status.is_success
    assert len(matches) == ITEMS_PER_STATION, matches


def perform(ward: Ward, random: Random) -> None:
    """A performed procedure step that begins and is discontinued."""
    uid = f"1.2.826.0.1.3680043.9.9997.{ward.new_number()}"
    with ward.destination.connect(PROCEDURE_STEP_CONTEXTS) as association:
        begun = create_step(association, uid, elements_of(beginning()))
        ended = set_step(association, uid, elements_of(end("DISCONTINUED")))
    assert begun.status.is_success, f"{begun.status}: {begun.comment}"
    assert ended.status.is_success, f"{ended.status}: {ended.comment}"


def abort(ward: Ward, random: Random) -> None:
    """An association that is aborted in the middle of an object, or of the answers to a query."""
    uid = f"1.2.826.0.1.3680043.9.9998.{ward.new_number()}"
    with Peer.associated(ward.destination.port, STORE, FIND) as peer:
        if random.random() < 0.5:
            peer.begin_store(instance(uid))
            peer.send(p_data(1, 0, bytes(1000)))
        else:
            peer.begin_find(study_level(), context_id=3)
            peer.read_message()
        peer.send(Abort(source=0, reason=0).encode())
        while peer.read() is not None:
            pass  # answers that were under way; then the node has to close


def dcmtk(ward: Ward, random: Random) -> None:
    """One of DCMTK's programs, as a process of its own."""
    where = (ward.destination.host, str(ward.destination.port))
    study = ward.some_study(random)
    keys = ("-S", "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study.uid}")
    match random.randrange(3):
        case 0:
            done = peers.dcmtk("echoscu", *where)
        case 1:
            done = peers.dcmtk("findscu", *keys, *where)
        case _:
            folder = ward.folder / f"getscu-{ward.new_number()}"
            folder.mkdir()
            done = peers.dcmtk("getscu", *keys, "-od", folder, *where)
            received = list(folder.iterdir())
            for path in received:
                path.unlink()
            assert len(received) == INSTANCES_PER_STUDY, done.stdout
    assert done.returncode == 0, done.stdout


Work = Callable[[Ward, Random], object]

KINDS: Sequence[tuple[Work, int]] = (
    (store, 20),
    (echo, 10),
    (store_again, 5),
    (find, 20),
    (find_and_cancel, 10),
    (get, 15),
    (get_and_cancel, 5),
    (move, 10),
    (commit, 5),
    (find_worklist, 5),
    (perform, 3),
    (abort, 5),
    (dcmtk, 1),
)
"""Each kind of work with its share; storing comes first, the others need what is stored."""


def study_level(uid: str = "") -> Elements:
    """An identifier at the STUDY level, for one study or for all."""
    return {
        0x00080052: RawElement("CS", b"STUDY"),
        0x00100010: RawElement("PN", b""),
        0x0020000D: RawElement("UI", uid.encode()),
    }


def assert_complete(final: RetrieveProgress) -> None:
    """A retrieve brought the whole study."""
    assert final.status.is_success, f"{final.status}: {final.comment}"
    assert (final.completed, final.failed) == (INSTANCES_PER_STUDY, 0), final
