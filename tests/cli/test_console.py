"""What is shown: aligned, countable, and never a control character of somebody else's."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.cli.console import aligned, harmless, megabytes, plural, progress, show_table
from isocenter.cli.file_problems import input_exit_code, show_problems
from isocenter.cli.text_width import width


@given(st.text())
def test_nothing_from_outside_can_steer_a_terminal(text: str) -> None:
    assert harmless(text).isprintable()


def test_a_name_in_any_script_stays_as_it_is() -> None:
    assert harmless("Müller^Дмитрий 山田") == "Müller^Дмитрий 山田"
    assert harmless("A\x1b[2JB\n") == "A\\x1b[2JB\\n"


def test_columns_are_aligned_by_what_the_eye_sees() -> None:
    assert list(aligned([["Name", "N"], ["山田", "5"], ["Li", "1,000"]])) == [
        "Name      N",
        "山田      5",
        "Li    1,000",
    ]


def test_width_counts_ideographs_twice_and_marks_not_at_all() -> None:
    assert (width("abc"), width("山田"), width("e\u0301")) == (3, 4, 1)


def test_a_table_is_plain_where_no_terminal_is(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(["A", "B"], [["x\x07", "y"]])
    assert capsys.readouterr().out == "A      B\nx\\x07  y\n"


def test_a_table_is_framed_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show_table(["Name", "Count"], [["[red]x[/red]", "3"]])
    shown = capsys.readouterr().out
    assert "[red]x[/red]" in shown
    assert "━" in shown or "─" in shown


def test_a_progress_bar_is_shown_on_a_terminal_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with progress("Working", 2) as bar:
        bar.update(1)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress("Working") as bar:
        bar.update(1)
        bar.update(2, 2)
    assert "Working" in capsys.readouterr().err


def test_numbers_are_for_people() -> None:
    assert plural(1, "file") == "1 file"
    assert plural(1200, "file") == "1,200 files"
    assert [megabytes(n) for n in (0, 999, 1000, 526_000, 10**12)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "526.0 kB",
        "1.0 TB",
    ]


def test_files_are_listed_by_reason_and_not_without_end(capsys: pytest.CaptureFixture[str]) -> None:
    show_problems([(f"f{n}", "not a DICOM file") for n in range(5)] + [("g", "no room")], "Skipped")
    assert capsys.readouterr().err.splitlines() == [
        "Skipped 5 files: not a DICOM file",
        "  f0",
        "  f1",
        "  f2",
        "  ... and 2 more (-v lists all)",
        "Skipped 1 file: no room",
        "  g",
    ]


@pytest.mark.parametrize(
    ("usable", "problems", "code"),
    [
        (3, [], 0),
        (3, [("d/README", "not a DICOM file"), ("d/DICOMDIR", "a DICOMDIR, which ...")], 0),
        (3, [("README", "not a DICOM file")], 22),
        (3, [("d/x", "damaged DICOM file: ...")], 22),
        (0, [("d/README", "not a DICOM file")], 23),
        (0, [], 21),
    ],
)
def test_the_exit_code_of_reading_files_tells_all_some_or_none(
    usable: int, problems: list[tuple[str, str]], code: int
) -> None:
    assert input_exit_code(usable, problems, ["README"]) == code
