import pytest

from isocenter.archive.archive import Archive
from isocenter.archive.importer import import_paths
from isocenter.archive.receiving import BLOCK_SIZE
from isocenter.encoding.part10 import FileMeta, encode_file_meta
from tests.archive.storing import CT_IMAGE_STORAGE, data_set, sop_instance_uid, stored_bytes


def write_file(path, number, *, pixels=1000, content=None):
    meta = FileMeta(
        sop_class_uid=CT_IMAGE_STORAGE,
        sop_instance_uid=sop_instance_uid(number),
        transfer_syntax_uid="1.2.840.10008.1.2.1",
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_file_meta(meta) + (content or data_set(number, pixels=pixels)))


@pytest.fixture
def archive(tmp_path):
    with Archive(tmp_path / "archive") as opened:
        yield opened


def test_every_instance_in_a_tree_is_stored(archive, tmp_path):
    for number in range(1, 60):
        write_file(tmp_path / "in" / str(number % 4) / f"{number}.dcm", number)
    write_file(tmp_path / "in" / "large", 99, pixels=5 * BLOCK_SIZE)
    progress = []
    report = import_paths(
        archive, [tmp_path / "in"], on_progress=lambda done, _: progress.append(done)
    )
    assert (report.stored, report.duplicate, report.refused) == (60, 0, [])
    assert progress == list(range(1, 61))
    assert stored_bytes(archive, 7) == data_set(7)
    assert stored_bytes(archive, 99) == data_set(99, pixels=5 * BLOCK_SIZE)


def test_importing_again_resumes_where_it_stopped(archive, tmp_path):
    write_file(tmp_path / "in" / "1", 1)
    import_paths(archive, [tmp_path / "in"])
    write_file(tmp_path / "in" / "2", 2)
    report = import_paths(archive, [tmp_path / "in"])
    assert (report.stored, report.duplicate) == (1, 1)


def test_what_is_refused_is_named_with_its_reason(archive, tmp_path):
    folder = tmp_path / "in"
    write_file(folder / "good", 1)
    write_file(folder / "truncated", 4, content=data_set(4)[:-10])
    (folder / "notes.txt").write_text("no DICOM here")
    (folder / "empty").write_bytes(b"")
    report = import_paths(archive, [folder, tmp_path / "nowhere"])
    assert report.stored == 1
    refused = {path.name: reason for path, reason in report.refused}
    assert refused.keys() == {"truncated", "notes.txt", "empty", "nowhere"}
    assert all(refused.values())


def test_the_data_set_says_which_instance_a_file_is(archive, tmp_path):
    write_file(tmp_path / "in" / "mislabelled", 2, content=data_set(3))
    assert import_paths(archive, [tmp_path / "in"]).stored == 1
    assert stored_bytes(archive, 3) == data_set(3)


def test_a_conflicting_file_is_counted_as_quarantined(archive, tmp_path):
    write_file(tmp_path / "in" / "1", 1)
    write_file(tmp_path / "in" / "2", 1, pixels=2000)
    report = import_paths(archive, [tmp_path / "in"])
    assert (report.stored, report.quarantined) == (1, 1)


def test_a_file_that_vanishes_while_it_is_read_is_refused_and_the_rest_goes_on(
    archive, tmp_path, monkeypatch
):
    from isocenter.archive import importer

    for number in (1, 2, 3):
        write_file(tmp_path / "in" / str(number), number)
    collected = list(importer.collect_files([tmp_path / "in"]))
    (tmp_path / "in" / "2").unlink()
    monkeypatch.setattr(importer, "collect_files", lambda _: iter(collected))
    report = import_paths(archive, [tmp_path / "in"])
    assert report.stored == 2
    assert [(p.name, r) for p, r in report.refused] == [("2", "no such file or directory")]
