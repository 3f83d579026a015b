"""The notes of validation: series queued once, judged in parts, joined, and listed."""

import pytest

from isocenter.archive.arrivals import Arrival
from isocenter.archive.workflow import Workflow
from isocenter.archive.workflow.jobs import Job, Jobs
from isocenter.archive.workflow.validations import (
    JOB_KIND,
    MOST_KINDS,
    KindOfFinding,
    Validations,
    Verdict,
    join_kinds,
)

KIND = KindOfFinding("type1-missing", "error", "(0028,0010)", "Rows is missing.", "PS3.3", 2)
BAD = Verdict(2, 1, 2, 0, 0, (KIND,))
CLEAN = Verdict(3, 0, 0, 0, 0, ())


@pytest.fixture
def validations(workflow: Workflow) -> Validations:
    return Validations(workflow, Jobs(workflow))


def arrival(first: int, last: int, series: str = "1.2.3.4") -> Arrival:
    return Arrival("1.2.3", series, first, last)


def claimed(validations: Validations) -> list[Job]:
    return validations.jobs.claim(JOB_KIND, 10)


def test_what_is_there_already_is_not_new(validations: Validations) -> None:
    assert validations.mark(1000) == 1000
    assert validations.mark(1200) == 1000


def test_an_index_that_was_made_anew_is_looked_at_from_its_end(validations: Validations) -> None:
    validations.mark(1000)
    assert validations.mark(10) == 10


def test_a_quiet_series_is_a_job_about_its_new_instances(validations: Validations) -> None:
    validations.queue([arrival(5, 9)], 9)
    (job,) = claimed(validations)
    series = validations.find(job.subject)
    assert series is not None
    assert (series.judged, series.wanted) == (4, 9)
    assert validations.totals().waiting == 1
    assert type(validations.totals().waiting) is int
    assert validations.note(job, series, BAD)
    assert validations.mark(100) == 9
    assert claimed(validations) == []
    assert validations.totals() == (1, 0, 2, 1, 2, 0)


def test_more_of_a_series_is_judged_from_where_it_was(validations: Validations) -> None:
    for first, last, verdict in ((5, 9, BAD), (12, 14, CLEAN)):
        validations.queue([arrival(first, last)], last)
        (job,) = claimed(validations)
        series = validations.find(job.subject)
        assert series is not None
        assert validations.note(job, series, verdict)
    assert (series.judged, series.wanted) == (9, 14)
    (one,) = validations.list()
    assert (one.verdict.instances, one.verdict.erroneous) == (5, 1)
    assert one.verdict.kinds == (KIND,)


def test_what_comes_while_a_series_is_judged_is_judged_next(validations: Validations) -> None:
    validations.queue([arrival(5, 9)], 9)
    (job,) = claimed(validations)
    series = validations.find(job.subject)
    assert series is not None
    validations.queue([arrival(10, 11)], 11)
    assert validations.note(job, series, CLEAN)
    (again,) = claimed(validations)
    series = validations.find(again.subject)
    assert series is not None
    assert (series.judged, series.wanted) == (9, 11)


def test_what_was_judged_already_is_not_queued_again(validations: Validations) -> None:
    validations.queue([arrival(5, 9)], 9)
    (job,) = claimed(validations)
    series = validations.find(job.subject)
    assert series is not None
    validations.note(job, series, CLEAN)
    validations.queue([arrival(5, 9)], 9)
    assert claimed(validations) == []


def test_a_clean_series_is_listed_for_its_study_only(validations: Validations) -> None:
    validations.queue([arrival(5, 9)], 9)
    (job,) = claimed(validations)
    series = validations.find(job.subject)
    assert series is not None
    validations.note(job, series, CLEAN)
    assert validations.list() == []
    assert len(validations.list("1.2.3")) == 1


def test_kinds_are_joined_bounded_and_the_gravest_come_first() -> None:
    notes = [KIND._replace(severity="note", text=f"{n}.") for n in range(200)]
    kinds = join_kinds([*notes, KIND, KIND])
    assert len(kinds) == MOST_KINDS
    assert kinds[0] == KIND._replace(occurrences=4)
