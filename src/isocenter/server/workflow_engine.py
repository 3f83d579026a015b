"""Joins the workflow's services to its database, as `engine` does for the archive's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from isocenter.archive.query import InvalidQuery
from isocenter.archive.workflow import Workflow
from isocenter.archive.workflow.performed_step_rules import Fault, StepRefused
from isocenter.archive.workflow.performed_steps import PerformedSteps
from isocenter.archive.workflow.worklist import Worklist
from isocenter.archive.workflow.worklist_search import WorklistMatches
from isocenter.dimse import status
from isocenter.encoding.elements import Elements
from isocenter.services.find_identifiers import InvalidIdentifier
from isocenter.services.performed_procedure_step_scp import (
    MAY_NO_LONGER_BE_UPDATED,
    StepNotTaken,
)
from isocenter.services.query_options import QueryOptions

STATUS_BY_FAULT = {
    Fault.MISSING_ATTRIBUTE: status.MISSING_ATTRIBUTE,
    Fault.MISSING_VALUE: status.MISSING_ATTRIBUTE_VALUE,
    Fault.INVALID_VALUE: status.INVALID_ATTRIBUTE_VALUE,
    Fault.INVALID_INSTANCE: status.INVALID_SOP_INSTANCE,
    Fault.DUPLICATE: status.DUPLICATE_SOP_INSTANCE,
    Fault.UNKNOWN: status.NO_SUCH_SOP_INSTANCE,
    Fault.FINAL: status.PROCESSING_FAILURE,
    Fault.TOO_LARGE: status.RESOURCE_LIMITATION,
}


class WorklistQueries:
    """The worklist as its C-FIND provider wants it; steps in a `hidden` status are not offered.

    `time_limit` bounds the seconds that the database may work on one query.
    """

    def __init__(
        self, workflow: Workflow, hidden: frozenset[str], time_limit: float | None = None
    ) -> None:
        self._time_limit = time_limit
        self._worklist = Worklist(workflow)
        self._hidden = hidden

    def find(self, identifier: Elements, options: QueryOptions) -> WorklistMatches:
        """Start a query. Raises InvalidIdentifier."""
        try:
            return WorklistMatches(
                self._worklist,
                identifier,
                self._hidden,
                fuzzy_names=options.fuzzy,
                time_limit=self._time_limit,
            )
        except InvalidQuery as error:
            raise InvalidIdentifier(str(error), error.offending_tag) from error


class KeptSteps:
    """Performed procedure steps as their provider wants them."""

    def __init__(self, workflow: Workflow) -> None:
        self._steps = PerformedSteps(workflow)

    def create(self, sop_instance_uid: str, attributes: Elements, source_ae: str) -> None:
        """Make a new step durable. Raises StepNotTaken."""
        with _refusals():
            self._steps.create(sop_instance_uid, attributes, source_ae)

    def change(self, sop_instance_uid: str, modifications: Elements) -> None:
        """Make a change of a step durable. Raises StepNotTaken."""
        with _refusals():
            self._steps.change(sop_instance_uid, modifications)

    def get(self, sop_instance_uid: str) -> Elements:
        """All attributes of a step. Raises StepNotTaken."""
        with _refusals():
            return self._steps.get(sop_instance_uid).data_set


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except StepRefused as error:
        raise StepNotTaken(
            STATUS_BY_FAULT[error.fault],
            str(error),
            tags=error.tags,
            error_id=MAY_NO_LONGER_BE_UPDATED if error.fault is Fault.FINAL else None,
        ) from error
