"""Validation on the way in: after the response, when a series is quiet, in another process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import Dataset

from isocenter.archive.archive import Archive
from isocenter.archive.importer import import_paths
from isocenter.archive.workflow import Workflow
from isocenter.archive.workflow.deletions import Deletions
from isocenter.archive.workflow.jobs import Jobs
from isocenter.archive.workflow.validations import Validations
from isocenter.server.config import Config
from isocenter.server.validation import ValidationDesk
from tests.objects.samples import ct, encode

PATIENCE = 60.0


def store(archive: Archive, folder: Path, *data_sets: Dataset) -> None:
    for number, data_set in enumerate(data_sets):
        path = folder / f"{number}.dcm"
        path.write_bytes(encode(data_set))
        assert import_paths(archive, [path]).stored == 1
    archive.index.flush(PATIENCE)


def instance(number: int) -> Dataset:
    data_set = ct()
    data_set.SOPInstanceUID = f"1.2.3.1.1.{number}"
    return data_set


def config(folder: Path, policy: str) -> Config:
    return Config.model_validate(
        {"node": {"data_directory": folder}, "storage": {"validation": policy}}
    )


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.02)  # only the pause between two looks


@pytest.mark.parametrize("policy", ["note", "quarantine"])
def test_a_quiet_series_is_judged_and_its_errors_are_noted(tmp_path: Path, policy: str) -> None:
    good, bad = instance(1), instance(2)
    del bad.Rows

    async def run(archive: Archive, workflow: Workflow) -> None:
        desk = ValidationDesk(config(tmp_path, policy), archive, workflow, look_every=0.05)
        validations = Validations(workflow, Jobs(workflow))
        try:
            await until(lambda: desk.looks > 0)  # what is there before the first look is old
            await asyncio.to_thread(store, archive, tmp_path, good, bad)
            await until(lambda: validations.totals().instances == 2)
        finally:
            await desk.stop()
        (one,) = validations.list()
        assert one.series_instance_uid == "1.2.3.1.1"
        assert (one.verdict.instances, one.verdict.erroneous) == (2, 1)
        assert one.verdict.kinds[0].check == "type1-missing"
        hidden = Deletions(workflow, Jobs(workflow)).list()
        assert [one.uids for one in hidden] == (
            [("1.2.3.1.1.2",)] if policy == "quarantine" else []
        )

    with Archive(tmp_path / "data") as archive, Workflow(tmp_path / "w.sqlite") as workflow:
        asyncio.run(run(archive, workflow))


def test_what_was_stored_before_the_first_look_is_left_alone(tmp_path: Path) -> None:
    async def run(archive: Archive, workflow: Workflow) -> None:
        desk = ValidationDesk(config(tmp_path, "note"), archive, workflow, look_every=0.02)
        try:
            await until(lambda: desk.looks > 3)
        finally:
            await desk.stop()
        assert Validations(workflow, Jobs(workflow)).totals().series == 0

    with Archive(tmp_path / "data") as archive, Workflow(tmp_path / "w.sqlite") as workflow:
        store(archive, tmp_path, instance(1))
        asyncio.run(run(archive, workflow))
