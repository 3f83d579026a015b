"""What the packs cannot tell again: the worklist, performed steps, commitments, jobs, failures.

The index may be thrown away and rebuilt from the packs; this file may not, so it is another one.
Its transactions are few, and durable when they return.
"""

from isocenter.archive.workflow.database import Workflow, WorkflowUnavailable, WorkflowUnusable

__all__ = ["Workflow", "WorkflowUnavailable", "WorkflowUnusable"]
