"""What attributes say beside each other, PS3.3 Annex C: each subject has a file of its own."""

from __future__ import annotations

from isocenter.objects.findings import Findings
from isocenter.objects.instance import Instance, Scope


def check_coherence(instance: Instance, root: Scope, findings: Findings) -> None:
    """Judge an instance as a whole."""
