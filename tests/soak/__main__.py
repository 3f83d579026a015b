"""`make soak`: mixed work over many associations at once, for as long as one likes."""

import argparse
import sys
import tempfile
from pathlib import Path

from isocenter.archive.packs import IDLE_SECONDS
from tests.soak.nodes import soaked_node
from tests.soak.soak import soak


def main() -> int:
    """Runs one soak, prints its figures, and returns 1 if there was any trouble."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (10)")
    parser.add_argument("--associations", type=int, default=64, help="at once (64)")
    parser.add_argument("--workers", type=int, default=1, help="processes of the node (1)")
    parser.add_argument("--studies", type=int, help="store no more than so many (no limit)")
    parser.add_argument("--seed", type=int, default=0, help="what decides who does what (0)")
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="isocenter-soak-") as folder,
        soaked_node(Path(folder), "--workers", str(chosen.workers)) as (ward, watch),
    ):
        ward.maximum_studies = chosen.studies
        report = soak(
            ward,
            watch,
            clients=chosen.associations,
            seconds=60 * chosen.minutes,
            quiet=IDLE_SECONDS + 5,
            seed=chosen.seed,
        )
    print(report.summary())
    return 1 if report.trouble_count else 0


if __name__ == "__main__":
    sys.exit(main())
