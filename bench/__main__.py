"""`make bench`: how fast Isocenter takes instances in and sends them, beside known servers.

Every server is started afresh for each run, warmed up, then sent a burst. The servers take turns,
in an order that rotates from round to round, so that whatever else the machine does hits all of
them alike. Printed are medians over the rounds.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from bench import report, retrieve
from bench.measure import STORESCU, Bench, Case, Run
from bench.servers import DEFAULT_SERVERS, SECURITY_SERVERS, SERVERS, Server
from bench.synth import make_template

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results"
_DEAR_FILE = 150e-6  # seconds; an undisturbed ext4 takes 20 to 60 us
_FORGETTING = 360  # seconds
_RETRIEVE = "retrieve"
_SECURITY = "security"
SIDES = {"ct": 512, "small": 64}  # pixels of a row and of a column, 16 bit each


def main() -> int:
    """Measures what the arguments ask for, prints the tables and writes them to bench/results."""
    arguments = _arguments()
    with_retrieves = _RETRIEVE in arguments.only
    with_security = _SECURITY in arguments.only
    arguments.only = [objects for objects in arguments.only if objects in SIDES]
    if arguments.only:
        _ingest(arguments, "ingest")
    if with_security:  # what TLS, access control and the audit trail cost
        arguments.only, arguments.senders = ["ct"], ["reference"]
        arguments.servers = arguments.servers or list(SECURITY_SERVERS)
        _ingest(arguments, "security")
    if with_retrieves:
        ways = retrieve.WAYS
        instances = 100 if arguments.quick else 500
        table = retrieve.run(arguments.folder, None, ways, arguments.runs, instances)
        text = (
            f"### Retrieve of a CT study, {instances} instances: MB/s (server CPU, ms)\n\n{table}"
        )
        print(text)
        _write("retrieve", report.machine(arguments.folder), [], text)
    return 0


def _ingest(arguments: argparse.Namespace, what: str) -> None:
    templates = {name: make_template(name, SIDES[name]) for name in arguments.only}
    servers = _servers(arguments.servers)
    cases = list(_cases(arguments))
    base = arguments.folder.resolve() / "bench"
    machine = report.machine(base)
    print("\n".join(f"{name}: {text}" for name, text in machine.items()), flush=True)

    bench = Bench(
        base, templates, _counts(arguments), seconds=arguments.seconds, churn=arguments.churn
    )
    runs: list[Run] = []
    if not (arguments.quick or arguments.churn):
        _wait_for_calm_files(bench)
    began = time.monotonic()
    try:
        for server, case in _schedule(servers, cases, arguments.runs):
            run = bench.measure(server, case)
            runs.append(run)
            _say(run, len(runs), len(servers) * len(cases) * arguments.runs)
    finally:
        print(file=sys.stderr)
        bench.clean_up()
    descriptions = {
        name: f"{name.upper() if name == 'ct' else name.capitalize()}: {side} x {side} x 16 bit, "
        f"{templates[name].elements} elements, {templates[name].size / 1e3:.0f} kB"
        for name, side in SIDES.items()
        if name in templates
    }
    text = report.tables(runs, descriptions)
    print(text)
    print(f"{len(runs)} runs in {(time.monotonic() - began) / 60:.1f} minutes")
    _write(what, machine, runs, text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="one run of few instances each: a look, no more")
    add("--runs", type=int, help="rounds to take medians of (5)")
    add("--objects", type=int, help="instances per run, at most (ct 800, small 3000)")
    add("--seconds", type=float, help="seconds per run, at most (1.2)")
    only = [*SIDES, _RETRIEVE, _SECURITY]
    add("--only", choices=only, action="append", help="only these objects, retrieves, security")
    add("--servers", nargs="+", metavar="KEY", help=", ".join(s.key for s in SERVERS))
    add("--associations", type=int, nargs="+", default=[1, 4, 8], help="at once (1 4 8)")
    add("--senders", nargs="+", choices=["reference", *STORESCU], help="(all)")
    add("--churn", action="store_true", help="delete each run's files at once, as a router does")
    add("--folder", type=Path, default=ROOT / ".make", help="where the servers write (.make)")
    arguments = parser.parse_args()
    arguments.runs = arguments.runs or (1 if arguments.quick else 5)
    arguments.seconds = arguments.seconds or (0.5 if arguments.quick else 1.2)
    arguments.only = arguments.only or only
    arguments.senders = arguments.senders or ["reference", *STORESCU]
    return arguments


def _counts(arguments: argparse.Namespace) -> dict[str, int]:
    """The most instances that a run sends, by kind of object and for files by sender."""
    counts = {"ct": 800, "small": 3000, "storescu": 160, "storescu-nodelay": 240}
    if arguments.quick:
        counts = {"ct": 200, "small": 500, "storescu": 60, "storescu-nodelay": 100}
    if arguments.objects:
        counts["ct"] = counts["small"] = arguments.objects
    return counts


def _servers(keys: list[str] | None) -> list[Server]:
    chosen = [server for server in SERVERS if server.key in (keys or DEFAULT_SERVERS)]
    for server in chosen:
        if not server.installed:
            print(f"left out, not installed: {server.title}")
    return [server for server in chosen if server.installed]


def _cases(arguments: argparse.Namespace) -> Iterator[Case]:
    for objects in arguments.only:
        for sender in arguments.senders:
            for associations in arguments.associations:
                # storescu is about a few big files; without Nagle's algorithm, about one stream.
                most = {"reference": 99, "storescu": 4, "storescu-nodelay": 1}[sender]
                if associations <= most and (sender == "reference" or objects == "ct"):
                    yield Case(objects, sender, associations)


def _wait_for_calm_files(bench: Bench) -> None:
    """Waits until ext4 has forgotten the files that were deleted here (see servers.empty)."""
    for _ in range(_FORGETTING // 10):
        cost = bench.seconds_per_file()
        if cost < _DEAR_FILE:
            return
        print(
            f"\rcreating a file costs {cost * 1e6:.0f} us, as on ext4 for some minutes after"
            " many were deleted; waiting ...",
            end="",
            file=sys.stderr,
            flush=True,
        )
        time.sleep(10)
    print("\ncreating files stayed slow: servers that write one file per object suffer from it")


def _schedule(servers: list[Server], cases: list[Case], runs: int) -> Iterator[tuple[Server, Case]]:
    for round_ in range(runs):
        for case in cases:
            first = round_ % len(servers)
            for server in servers[first:] + servers[:first]:
                yield server, case


def _say(run: Run, number: int, total: int) -> None:
    case = run.case
    print(
        f"\r{number}/{total} {run.server}: {case.objects}, {case.sender}, {case.associations}"
        f" assoc.: {run.rate:,.0f}/s, {run.cpu_ms:.2f} ms CPU".ljust(78),
        end="\n" if run.failed or run.errors else "",
        file=sys.stderr,
        flush=True,
    )
    for error in run.errors:
        print(f"  {error}", file=sys.stderr)


def _write(what: str, machine: dict[str, str], runs: list[Run], text: str) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    name = time.strftime(f"{what}-%Y%m%d-%H%M%S")
    figures = [{**asdict(run), "rate": run.rate, "cpu_ms": run.cpu_ms} for run in runs]
    document = {"machine": machine, "command": sys.argv[1:], "runs": figures}
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1))
    lines = "\n".join(f"* {name}: {value}" for name, value in machine.items())
    (RESULTS / f"{name}.md").write_text(f"{lines}\n\n{text}")
    print(f"written to {(RESULTS / name).relative_to(ROOT)}.json and .md")


if __name__ == "__main__":
    raise SystemExit(main())
