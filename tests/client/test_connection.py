"""The Python API against a node of ours."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pydicom
import pytest

import isocenter
from isocenter.client import Connection, InputError, RequestFailed
from isocenter.client.pool import QUERY
from isocenter.errors import IsocenterError
from isocenter.services.errors import ServiceError
from tests.cli.helpers import write_object
from tests.support.node import Node


@pytest.fixture(scope="module")
def filled(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Node:
    """The node, holding three patients with a study of one image each."""
    folder = tmp_path_factory.mktemp("objects")
    for number, name in ((1, "DOE^JOHN"), (2, "DOE^JANE"), (3, "Müller^Дмитрий=山田")):
        write_object(folder / f"{number}.dcm", number, PatientName=name)
    with isocenter.connect(node.address) as assoc:
        assert len(assoc.store(folder).accepted) == 3
    return node


@pytest.fixture
def assoc(filled: Node) -> Iterator[Connection]:
    with isocenter.connect(filled.address) as connection:
        yield connection


def test_a_peer_answers_to_an_echo(assoc: Connection) -> None:
    assert assoc.echo().is_success


def test_a_peer_is_a_name_a_title_and_place_or_a_host_and_port(
    filled: Node, tmp_path: Path
) -> None:
    config = tmp_path / "some.toml"
    config.write_text(f'[peers.pacs]\nhost = "127.0.0.1"\nport = {filled.port}\nae_title = "P"\n')
    for peer in (("pacs",), (f"P@{filled.address}",), ("127.0.0.1", filled.port)):
        with isocenter.connect(*peer, config=config) as connection:
            assert connection.echo().is_success


def test_studies_are_found_by_keywords(assoc: Connection) -> None:
    found = {str(match.PatientID): match for match in assoc.find(PatientName="DOE*")}
    assert set(found) == {"1", "2"}
    assert found["1"].StudyDate == "20240229"
    assert found["1"].QueryRetrieveLevel == "STUDY"


@pytest.mark.parametrize(
    ("level", "keyword", "value"),
    [
        ("PATIENT", "PatientName", "DOE^JANE"),
        ("SERIES", "Modality", "CT"),
        ("IMAGE", "SOPInstanceUID", "1.2.3.2"),
    ],
)
def test_every_level_has_its_usual_attributes(
    assoc: Connection, level, keyword: str, value: str
) -> None:
    keys = {
        "PATIENT": {"PatientID": "2"},
        "SERIES": {"StudyInstanceUID": "1.2.3.2.1"},
        "IMAGE": {"StudyInstanceUID": "1.2.3.2.1", "SeriesInstanceUID": "1.2.3.2.2"},
    }[level]
    (match,) = assoc.find(level=level, **keys)
    assert match[keyword].value == value


def test_a_query_may_begin_with_a_data_set(assoc: Connection) -> None:
    query = pydicom.Dataset()
    query.QueryRetrieveLevel = "PATIENT"
    query.PatientName = "Müller*"
    query.PatientID = ""
    (match,) = assoc.find(query)
    assert (match.PatientID, match.PatientName) == ("3", "Müller^Дмитрий=山田")
    (other,) = assoc.find(query, keys={"0010,0010": "DOE^JOHN"})
    assert other.PatientID == "1"
    assert query.PatientName == "Müller*"


def test_who_names_what_to_return_gets_that(assoc: Connection) -> None:
    (match,) = assoc.find(PatientID="1", returning=["StudyDate"])
    assert "StudyDate" in match
    assert "StudyDescription" not in match


def test_leaving_the_loop_early_cancels_and_the_association_serves_on(assoc: Connection) -> None:
    for _ in range(3):
        for match in assoc.find(PatientName="*"):
            assert match.PatientID
            break
    gc.collect()
    assert len(assoc._pool._idle[QUERY]) == 1
    assert len(list(assoc.find(PatientName="*", limit=1))) == 1


def test_requests_may_be_nested(assoc: Connection) -> None:
    names = {}
    for match in assoc.find(PatientName="DOE*"):
        for image in assoc.get(StudyInstanceUID=match.StudyInstanceUID):
            names[str(image.SOPInstanceUID)] = str(image.PatientName)
    assert names == {"1.2.3.1": "DOE^JOHN", "1.2.3.2": "DOE^JANE"}


def test_nothing_is_sent_for_keys_that_make_no_identifier(assoc: Connection) -> None:
    with pytest.raises(IsocenterError, match="neither a tag nor a keyword"):
        assoc.find(PatienName="X")
    with pytest.raises(IsocenterError, match="not a level"):
        assoc.find(level="SERIES", model="PATIENT/STUDY")
    with pytest.raises(IsocenterError, match="Name what is wanted"):
        assoc.get(PatientName="DOE^JOHN")


def test_a_query_that_the_peer_refuses_raises(assoc: Connection) -> None:
    with pytest.raises(RequestFailed, match=r"C-FIND at ANY-SCP@.* ended with ") as failed:
        list(assoc.find(StudyInstanceUID="not*a*uid"))
    assert failed.value.status.is_failure
    assert len(list(assoc.find(PatientID="1"))) == 1


def test_objects_come_as_data_sets(assoc: Connection) -> None:
    (image,) = assoc.get(StudyInstanceUID="1.2.3.3.1")
    assert image.PatientName == "Müller^Дмитрий=山田"
    assert image.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"


def test_a_long_list_of_uids_takes_several_requests(assoc: Connection) -> None:
    uids = [f"1.2.3.{number}.1" for number in range(1, 1200)]
    progress: list[object] = []
    got = list(assoc.get(StudyInstanceUID=uids, on_progress=progress.append))
    assert {image.PatientID for image in got} == {"1", "2", "3"}
    final = [step for step in progress if not step.status.is_pending]  # type: ignore[attr-defined]
    assert len(final) == 3


def test_leaving_a_get_early_cancels_and_the_association_serves_on(assoc: Connection) -> None:
    wanted = {"StudyInstanceUID": ["1.2.3.1.1", "1.2.3.2.1", "1.2.3.3.1"]}
    for _ in assoc.get(**wanted):
        break
    gc.collect()
    assert len(list(assoc.get(**wanted))) == 3
    kinds = {kind: len(idle) for kind, idle in assoc._pool._idle.items()}
    assert set(kinds.values()) == {1}


def test_objects_come_as_files_by_study(assoc: Connection, tmp_path: Path) -> None:
    wanted = {"StudyInstanceUID": ["1.2.3.1.1", "1.2.3.2.1"]}
    folder = tmp_path / "new"
    got = assoc.get_files(folder, by_study=True, **wanted)
    expected = {folder / f"1.2.3.{n}.1" / f"1.2.3.{n}.2" / f"1.2.3.{n}.dcm" for n in (1, 2)}
    assert set(got.written) == expected
    again = assoc.get_files(folder, by_study=True, **wanted)
    assert (again.written, set(again.unchanged)) == ([], expected)


def test_who_hears_of_the_progress_may_end_it(assoc: Connection, tmp_path: Path) -> None:
    def enough(response: object) -> None:
        raise RuntimeError("enough")

    wanted = {"StudyInstanceUID": ["1.2.3.1.1", "1.2.3.2.1", "1.2.3.3.1"]}
    for folder in ("one", "two"):
        with pytest.raises(RuntimeError, match="enough"):
            assoc.get_files(tmp_path / folder, on_progress=enough, **wanted)
    kinds = [len(idle) for kind, idle in assoc._pool._idle.items() if kind.receiving]
    assert kinds == [1]
    assert len(assoc.get_files(tmp_path / "three", **wanted).written) == 3


def test_a_move_to_an_unknown_destination_raises_what_the_peer_says(assoc: Connection) -> None:
    with pytest.raises(RequestFailed) as failed:
        assoc.move("NOWHERE", StudyInstanceUID="1.2.3.1.1")
    assert failed.value.status.code == 0xA801
    assert failed.value.comment


def test_data_sets_are_stored(assoc: Connection) -> None:
    new = pydicom.Dataset()
    new.SOPClassUID, new.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.9.1"
    new.StudyInstanceUID, new.SeriesInstanceUID = "1.2.9.2", "1.2.9.3"
    new.PatientID, new.PatientName = "9", "NINE"
    assert assoc.store(new).complete
    assert not hasattr(new, "file_meta")
    (back,) = assoc.get(StudyInstanceUID="1.2.9.2")
    assert back.PatientName == "NINE"


def test_what_cannot_be_sent_is_said_before_anything_is(assoc: Connection, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no DICOM")
    good = write_object(tmp_path / "good.dcm", 77, PatientID="77")
    for bad in (tmp_path / "notes.txt", tmp_path / "absent", pydicom.Dataset(), 5):
        with pytest.raises(InputError, match=r"\.$"):
            assoc.store(good, bad)  # type: ignore[arg-type]
    assert list(assoc.find(PatientID="77")) == []
    assert len(assoc.store(tmp_path).accepted) == 1


def test_the_end_of_the_block_ends_the_connection(filled: Node) -> None:
    with isocenter.connect(filled.address) as connection:
        matches = connection.find(PatientName="*")
        next(matches)
    with pytest.raises(ServiceError, match="has been closed"):
        connection.echo()
    matches.close()


def test_an_association_that_the_peer_ended_is_made_anew(assoc: Connection) -> None:
    (association,) = assoc._pool._idle[QUERY]
    association.abort()
    assert not association.is_usable()
    assert assoc.echo().is_success


def test_a_peer_that_is_not_there_shows_at_once(free_port: int) -> None:
    with pytest.raises(IsocenterError, match="refused the connection"):
        isocenter.connect("127.0.0.1", free_port)


def test_what_a_peer_agrees_to_is_told(filled: Node) -> None:
    with isocenter.connect(filled.address, options=isocenter.QueryOptions(fuzzy=True)) as peer:
        assert peer.agreed in (isocenter.QueryOptions(), isocenter.QueryOptions(fuzzy=True))
        assert list(peer.find(PatientName="DOE^JOHN"))


def test_threads_get_associations_of_their_own(assoc: Connection) -> None:
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: len(list(assoc.find(PatientID="1"))), range(16)))
    assert set(found) == {1}
    assert 1 <= len(assoc._pool._idle[QUERY]) <= 4


def test_a_limit_holds_for_all_requests_together(assoc: Connection, tmp_path: Path) -> None:
    uids = [f"1.2.3.{number}.1" for number in (1, *range(1000, 2000), 2)]
    got = assoc.get_files(tmp_path, StudyInstanceUID=uids, limit=1)
    assert len(got.written) == 1
    assert len(list(assoc.get(StudyInstanceUID=uids, limit=1))) == 1
