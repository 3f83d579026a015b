"""The workflow database of an archive, `workflow.sqlite`."""

from pathlib import Path

from isocenter.database.database import Database
from isocenter.database.migration import Migrations
from isocenter.errors import IsocenterError

HEAD = "0004"


class WorkflowUnusable(IsocenterError):
    """The file is no workflow database, or a newer Isocenter's."""


class WorkflowUnavailable(IsocenterError):
    """The workflow database did not take or give what it was asked."""


class Workflow(Database):
    """The worklist, performed steps, commitments, jobs and failures of an archive.

    Raises WorkflowUnusable; its transactions raise WorkflowUnavailable.
    """

    migrations = Migrations(
        "a workflow database", Path(__file__).parent / "migrations", HEAD, WorkflowUnusable
    )
    unavailable = WorkflowUnavailable
