"""Sixty-four associations of mixed work: no error, and nothing held that is not given back."""

from pathlib import Path

import pytest

from isocenter.archive.packs import IDLE_SECONDS, OPEN_PACKS
from tests.soak.nodes import soaked_node
from tests.soak.soak import Report, soak
from tests.support.processes import require

pytestmark = pytest.mark.interop  # some of the clients are DCMTK's

CLIENTS = 64
MB = 10**6


def assert_no_trouble(report: Report) -> None:
    assert report.trouble_count == 0, report.summary()


@pytest.fixture(autouse=True)
def _dcmtk() -> None:
    require("getscu", "dcmtk")


def test_sixty_four_associations_of_mixed_work_come_to_no_trouble(tmp_path: Path):
    with soaked_node(tmp_path) as (ward, watch):
        report = soak(ward, watch, clients=CLIENTS, rounds=8)
    assert_no_trouble(report)
    assert report.after.threads < CLIENTS, report.summary()  # none per association stays
    assert report.after.descriptors <= report.before.descriptors + OPEN_PACKS, report.summary()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_ten_minutes_of_mixed_work_leave_a_node_as_it_was(tmp_path: Path):
    """The archive stops growing in the first minute: the index's caches, which are bounded, grow
    with it and would hide a leak."""
    with soaked_node(tmp_path) as (ward, watch):
        ward.maximum_studies = 1000
        report = soak(ward, watch, clients=CLIENTS, seconds=600, quiet=IDLE_SECONDS + 5)
    assert_no_trouble(report)
    _, second, *_, last = watch.memory_by_minute()
    assert last <= second + max(16 * MB, second // 10), report.summary()
    assert report.after.threads < CLIENTS, report.summary()  # none per association stays
    assert report.after.descriptors <= report.before.descriptors + 16, report.summary()
