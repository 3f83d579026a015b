from collections.abc import Iterator
from pathlib import Path

import pytest

from isocenter.archive.workflow import Workflow
from isocenter.archive.workflow.performed_steps import PerformedSteps
from isocenter.archive.workflow.worklist import Worklist


@pytest.fixture
def workflow(tmp_path: Path) -> Iterator[Workflow]:
    with Workflow(tmp_path / "workflow.sqlite") as opened:
        yield opened


@pytest.fixture
def worklist(workflow: Workflow) -> Worklist:
    return Worklist(workflow)


@pytest.fixture
def performed(workflow: Workflow) -> PerformedSteps:
    return PerformedSteps(workflow)
