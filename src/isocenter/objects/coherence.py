"""What attributes say beside each other, PS3.3 Annex C: each subject has a file of its own."""

from __future__ import annotations

from isocenter.objects.dimensions import check_dimensions, check_segments
from isocenter.objects.findings import Findings
from isocenter.objects.functional_groups import check_frames
from isocenter.objects.geometry import check_geometry
from isocenter.objects.identifiers import check_identifiers
from isocenter.objects.instance import Instance, Scope
from isocenter.objects.pixels import check_pixels
from isocenter.objects.radiotherapy import check_references
from isocenter.objects.structured_reports import check_content


def check_coherence(instance: Instance, root: Scope, findings: Findings) -> None:
    """Judge an instance as a whole."""
    check_pixels(instance, root, findings)
    check_geometry(root, findings)
    check_identifiers(root, findings)
    check_frames(root, findings)
    check_dimensions(root, findings)
    check_segments(root, findings)
    check_content(root, findings)
    check_references(root, findings)
