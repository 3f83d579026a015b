"""What the sessions came to: for the terminal, and for `docs/fuzzing.md`."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence

from fuzz.found import FOUND
from fuzz.session import Result

_INTRODUCTION = """\
# Fuzzing

`make fuzz` wrote this page. Each target is a small harness (`fuzz/targets/`) that atheris, a
coverage-guided fuzzer, feeds with mutated inputs. An execution fails where

* anything but the documented errors comes out, or the text of one is long or holds control
  characters;
* a property of the target does not hold: what was decoded encodes to the same again, two readers of
  the same bytes agree, what goes out is bounded by what came in;
* it takes more than a second of CPU time;
* memory grows by more than 64 MiB after the first 65,536 executions, or passes 640 MiB at any
  moment.

`make fuzz ARGS="scanner --minutes 5"` runs a target for a while; a finding comes with its input and
the command that shows it again. The same harnesses run in `make test` without atheris, over their
seeds and mutations of them.
"""


def line(result: Result) -> str:
    """A result for the terminal."""
    text = (
        f"{result.name:<16}{result.executions:>11,} executions {_rate(result):>8,.0f}/s "
        f"{result.coverage:>6} branches {result.peak_mib:>4} MiB"
    )
    if not result.finding:
        return text
    return "\n".join(
        [
            text,
            f"  FOUND {result.finding}",
            f"  see it again: {reproduction(result)}" if result.saved else "",
            *(f"  | {line}" for line in result.log),
        ]
    )


def reproduction(result: Result) -> str:
    """The command that runs a finding's input again."""
    return f'make fuzz ARGS="{result.name} --input {result.saved}"'


def total(results: Sequence[Result], seconds: float) -> str:
    """The last line of a run."""
    executions = sum(result.executions for result in results)
    found = sum(bool(result.finding) for result in results)
    return (
        f"{len(results)} targets, {executions:,} executions in {seconds / 60:.1f} minutes, "
        f"{found} findings"
    )


def page(results: Sequence[Result], seconds: float) -> str:
    """`docs/fuzzing.md`."""
    rows = [
        f"| `{r.name}` | {r.about} | {r.executions:,} | {_rate(r):,.0f} | {r.coverage:,} "
        f"| {r.peak_mib} | {'yes' if r.finding else '0'} |"
        for r in results
    ]
    executions = sum(result.executions for result in results)
    cpu = sum(result.seconds for result in results)
    return "\n".join(
        [
            _INTRODUCTION,
            "## The last run\n",
            f"{time.strftime('%Y-%m-%d')}, Python {platform.python_version()}: "
            f"**{executions:,} executions** of {len(results)} targets in {cpu / 60:.0f} minutes of "
            f"CPU time ({seconds / 60:.0f} on the clock, beside other work), "
            f"{sum(bool(r.finding) for r in results)} findings.\n",
            "| target | what is fed to what | executions | per CPU second | branches | peak MiB "
            "| findings |",
            "|---|---|--:|--:|--:|--:|--:|",
            *rows,
            "",
            "## What fuzzing has found\n",
            "By a run, or while a target was written. Each became a test beside the code.\n",
            "| target | what happened | test |",
            "|---|---|---|",
            *(f"| `{target}` | {what} | `{test}` |" for target, what, test in FOUND),
            "",
        ]
    )


def _rate(result: Result) -> float:
    return result.executions / result.seconds if result.seconds else 0.0
