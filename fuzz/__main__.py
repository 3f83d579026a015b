"""`make fuzz`: runs the harnesses, several at once, and says what they found."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.util import find_spec
from pathlib import Path

from fuzz import report
from fuzz.session import Result, run_session
from fuzz.target import Target, load_target, target_names

ROOT = Path(__file__).parent.parent
EXECUTIONS = 10_000_000


def main() -> int:
    """Returns 1 if something was found, 2 where nothing could be run."""
    names = target_names()
    chosen = _arguments(names)
    if chosen.input is not None:
        load_target(chosen.targets[0]).one_input(chosen.input.read_bytes())
        print("nothing happens with this input any more")
        return 0
    if find_spec("atheris") is None:
        print("atheris is not installed here: it needs Linux on x86-64 and Python below 3.14")
        return 2
    began = time.monotonic()
    results = []
    for result in _run(chosen):
        results.append(result)
        print(report.line(result), flush=True)
    results.sort(key=lambda result: result.name)
    seconds = time.monotonic() - began
    print(report.total(results, seconds))
    if chosen.document is not None:
        chosen.document.write_text(report.page(results, seconds))
    return 1 if any(result.finding for result in results) else 0


def _run(chosen: argparse.Namespace) -> Iterator[Result]:
    """The results in the order in which they come."""
    targets = {name: load_target(name) for name in chosen.targets}
    rounds = -(-len(targets) // chosen.jobs)
    executions = shares(targets, chosen.executions)
    seconds = None if chosen.minutes is None else max(1, int(chosen.minutes * 60 / rounds))
    # A thread does nothing but wait for its process.
    with ThreadPoolExecutor(chosen.jobs) as threads:
        running = [
            threads.submit(
                run_session, name, target, chosen.folder / name, executions[name], seconds
            )
            for name, target in targets.items()
        ]
        for finished in as_completed(running):
            yield finished.result()


def shares(targets: Mapping[str, Target], executions: int | None) -> dict[str, int | None]:
    """How many executions each target gets; None for any number."""
    if executions is None:
        return dict.fromkeys(targets)
    parts = sum(target.share for target in targets.values())
    return {name: -(-executions * target.share // parts) for name, target in targets.items()}


def _arguments(names: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fuzz ARGS=...", description=__doc__)
    add = parser.add_argument
    add("targets", nargs="*", metavar="TARGET", help=f"(all) {', '.join(names)}")
    add("--executions", type=int, help=f"over all targets together ({EXECUTIONS:,})")
    add("--minutes", type=float, help="about how long in all; without it executions decide")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="targets at once (one a core)")
    add("--folder", type=Path, default=ROOT / ".make" / "fuzz", help="corpora (.make/fuzz)")
    add("--document", type=Path, metavar="FILE", help="write the results there as Markdown")
    add("--input", type=Path, metavar="FILE", help="run one target with this input only")
    chosen = parser.parse_args()
    unknown = sorted(set(chosen.targets) - set(names))
    if unknown:
        parser.error(f"there is no target {', '.join(unknown)}; there are {', '.join(names)}")
    if chosen.input is not None and len(chosen.targets) != 1:
        parser.error("--input needs the name of one target")
    if chosen.document is not None and chosen.targets:
        parser.error("--document is for a run of all targets")
    chosen.targets = chosen.targets or names
    if chosen.minutes is None and chosen.executions is None:
        chosen.executions = EXECUTIONS
    return chosen


if __name__ == "__main__":
    sys.exit(main())
