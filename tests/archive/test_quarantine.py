"""What lies in quarantine is whole, and explained, or is not there."""

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from isocenter.archive import quarantine as module
from isocenter.archive.quarantine import Quarantine
from tests.archive.index.entries import an_entry
from tests.archive.storing import files_in

RECORD = an_entry(offset=0)._replace(length=900)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    path = tmp_path / "pack.tar"
    path.write_bytes(bytes(range(250)) * 4)
    return path


def test_what_was_kept_is_listed_from_the_folder_alone(tmp_path: Path, pack: Path) -> None:
    kept = Quarantine(tmp_path / "quarantine").keep_record(pack, RECORD, "Because.")
    assert list(Quarantine(tmp_path / "quarantine").entries()) == [kept]
    assert (tmp_path / "quarantine" / kept.path).read_bytes() == pack.read_bytes()[:900]
    assert len(files_in(tmp_path / "quarantine")) == 2


@pytest.mark.parametrize("torn", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b"null"])
def test_a_torn_note_hides_no_other(tmp_path: Path, pack: Path, torn: bytes) -> None:
    quarantine = Quarantine(tmp_path / "quarantine")
    first, second = (quarantine.keep_record(pack, RECORD, reason) for reason in ("A.", "B."))
    note = (quarantine.root / first.path).with_suffix(".json")
    note.write_bytes(torn)
    with capture_logs() as lines:
        assert list(quarantine.entries()) == [second]
    (line,) = lines
    assert line["path"] == note.relative_to(quarantine.root).as_posix()


def test_at_every_moment_an_object_is_whole_and_explained_or_not_there(
    tmp_path: Path, pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quarantine = Quarantine(tmp_path / "quarantine")
    seen: list[int] = []

    def look(*_: object) -> None:
        objects = list(quarantine.root.rglob("*.dcm"))
        assert all(path.with_suffix(".json").exists() for path in objects)
        assert all(path.stat().st_size == 900 for path in objects)
        with capture_logs() as lines:
            assert len(list(quarantine.entries())) == len(objects)
        assert lines == []
        seen.append(len(objects))

    with monkeypatch.context() as watching:
        watching.setattr(os, "fsync", look)
        watching.setattr(module, "sync_folder", look)
        quarantine.keep_record(pack, RECORD, "Because.")
    assert seen == [0, 0, 0, 1, 1]


def test_nothing_is_left_of_a_copy_that_failed(tmp_path: Path, pack: Path) -> None:
    quarantine = Quarantine(tmp_path / "quarantine")
    with pytest.raises(EOFError):
        quarantine.keep_record(pack, RECORD._replace(length=2000), "Because.")
    with pytest.raises(FileNotFoundError):
        quarantine.keep_record(tmp_path / "no.tar", RECORD, "Because.")
    assert files_in(quarantine.root) == []


def test_nothing_is_left_where_the_note_cannot_be_written(
    tmp_path: Path, pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> None:
        raise OSError(28, "No space left on device")

    quarantine = Quarantine(tmp_path / "quarantine")
    monkeypatch.setattr(module, "sync_folder", refuse)
    with pytest.raises(OSError, match="No space left"):
        quarantine.keep_record(pack, RECORD, "Because.")
    assert files_in(quarantine.root) == []
