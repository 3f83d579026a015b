"""`make bench ARGS="--only retrieve"`: C-GET and C-MOVE of a CT study, beside DCMTK and Orthanc.

Every server is filled with the same study and stays up; they take turns, in an order that rotates
from round to round, with the same receiver. Printed are medians over the rounds.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import accounting, receiver, report, sender
from bench.servers import ISOCENTER, NODELAY, Running, Server, orthanc
from bench.synth import Template, make_template

_ROOT = Path(__file__).parent.parent
_STUDY, _SHORT = "2.999.3.100", "2.999.3.101"  # what the reference sender's associations store
_CALLED = "ANY-SCP"
_LARGEST_PDU = 131072


@dataclass(frozen=True)
class Way:
    """One way to have the study sent: a column of the table."""

    key: str
    title: str
    destination: str = ""
    maximum_length: int = _LARGEST_PDU
    part: int = 1  # or 10: a tenth of the instances, where the receiver takes its time


WAYS = (
    Way("get", "C-GET"),
    Way("get-16k", "C-GET, PDUs of 16 KiB", maximum_length=16384),
    Way("move", "C-MOVE", "RECEIVER"),
    Way("move-storescp", "C-MOVE to `storescp`", "STORESCP", part=10),
)


@dataclass
class Figures:
    """What the rounds of one server and one way brought."""

    rates: list[float] = field(default_factory=list)  # MB/s
    cpu: list[float] = field(default_factory=list)  # ms per instance


Found = dict[tuple[str, str], Figures]


def main(arguments: Sequence[str] | None = None) -> None:
    """Fills the servers, retrieves from them in turns, prints the table."""
    options = _options(arguments)
    ways = [way for way in WAYS if way.key in options.ways]
    print(run(options.folder, options.servers, ways, options.runs, options.instances))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.retrieve", description=__doc__)
    keys = [server.key for server in _servers({})]
    parser.add_argument("--servers", nargs="+", default=keys, metavar="KEY", help=", ".join(keys))
    ways = [way.key for way in WAYS]
    parser.add_argument("--ways", nargs="+", default=ways, metavar="WAY", help=", ".join(ways))
    parser.add_argument("--runs", type=int, default=5, help="rounds to take medians of (5)")
    parser.add_argument("--instances", type=int, default=500, help="in the study (500)")
    parser.add_argument("--folder", type=Path, default=_ROOT / ".make", help="for the data (.make)")
    return parser.parse_args(arguments)


def run(
    base: Path, keys: Sequence[str] | None, ways: Sequence[Way], runs: int, instances: int
) -> str:
    """Measures, and returns a Markdown table: MB/s and, in brackets, server CPU per instance.

    `keys` choose among the servers.
    """
    template = make_template("ct", 512)
    found: Found = {}
    with ExitStack() as stack:
        ports = {"RECEIVER": stack.enter_context(receiver.listening(_LARGEST_PDU))}
        if any(way.destination == "STORESCP" for way in ways):
            ports["STORESCP"] = stack.enter_context(_storescp())
        servers = [each for each in _servers(ports) if each.installed]
        running = [
            stack.enter_context(Running(server, base / "retrieve" / server.key))
            for server in servers
            if keys is None or server.key in keys
        ]
        for each in running:
            _fill(each, template, instances)
        for round_ in range(runs + 1):  # the first one warms up
            for way in ways:
                turn = round_ % len(running)
                for each in running[turn:] + running[:turn]:
                    rate, cpu = _measure(each, way, instances, template.size)
                    _say(each.server, way, rate, cpu)
                    if round_:
                        figures = found.setdefault((each.server.title, way.title), Figures())
                        figures.rates.append(rate)
                        figures.cpu.append(cpu)
    print(file=sys.stderr)
    return _table(found, [each.server.title for each in running], [way.title for way in ways])


def _fill(running: Running, template: Template, instances: int) -> None:
    """Stores the study, and the short one."""
    client = sender.StoreClient(running.port, template, _CALLED)
    for association, count in ((0, instances), (1, instances // 10)):
        for number in range(count):
            client.store(association, number)
    client.release()


def _measure(running: Running, way: Way, instances: int, size: int) -> tuple[float, float]:
    """MB/s, and server CPU in ms per instance."""
    study, instances = (_STUDY if way.part == 1 else _SHORT), instances // way.part
    cpu = accounting.settled_cpu_seconds(running.process.pid)
    link = receiver.Link(socket.create_connection(("127.0.0.1", running.port)), way.maximum_length)
    began = time.monotonic()
    status, completed = link.retrieve(_CALLED, study, way.destination)
    seconds = time.monotonic() - began
    link.release()
    if status or completed != instances:
        raise RuntimeError(
            f"{running.server.title}, {way.title}: status {status:04X}H, {completed} instances"
        )
    cpu = accounting.settled_cpu_seconds(running.process.pid) - cpu
    return instances * size / seconds / 1e6, cpu / instances * 1e3


@contextmanager
def _storescp() -> Iterator[int]:
    """DCMTK's receiver as a destination, dropping what it gets."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = ["storescp", "--ignore", "--fork", "-pdu", str(_LARGEST_PDU), str(port)]
    process = subprocess.Popen(command, env=os.environ | NODELAY, stdin=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


def _servers(ports: Mapping[str, int]) -> list[Server]:
    """The three that are measured, with these destinations."""
    return [
        Server("isocenter", "Isocenter", _isocenter(ports), ISOCENTER),
        Server("dcmqrscp", "DCMTK dcmqrscp", _dcmqrscp(ports), "dcmqrscp", NODELAY),
        Server("orthanc", "Orthanc", _orthanc(ports), "Orthanc"),
    ]


def _isocenter(ports: Mapping[str, int]) -> Callable[[int, Path], list[str]]:
    def command(port: int, data: Path) -> list[str]:
        config = data.with_name("isocenter.toml")
        config.write_text(
            "".join(
                f'[peers.{name}]\nae_title = "{name}"\nhost = "127.0.0.1"\nport = {port}\n'
                for name, port in ports.items()
            )
        )
        how = ["--durability", "os", "--port", str(port), "--data", str(data)]
        return [ISOCENTER, "serve", "-c", str(config), *how]

    return command


def _dcmqrscp(ports: Mapping[str, int]) -> Callable[[int, Path], list[str]]:
    def command(port: int, data: Path) -> list[str]:
        config = data.with_name("dcmqrscp.cfg")
        hosts = "".join(f"{name} = ({name}, 127.0.0.1, {at})\n" for name, at in ports.items())
        config.write_text(
            f"NetworkTCPPort = {port}\nMaxPDUSize = {_LARGEST_PDU}\nMaxAssociations = 16\n"
            f"HostTable BEGIN\n{hosts}HostTable END\n"
            "VendorTable BEGIN\nVendorTable END\n"
            f"AETable BEGIN\n{_CALLED} {data} RW (500, 4096mb) ANY\nAETable END\n"
        )
        return ["dcmqrscp", "-c", str(config)]

    return command


def _orthanc(ports: Mapping[str, int]) -> Callable[[int, Path], list[str]]:
    modalities = {name: [name, "127.0.0.1", port] for name, port in ports.items()}
    allowed = {f"DicomAlwaysAllow{service}": True for service in ("Get", "Move")}
    return orthanc(False, {"DicomModalities": modalities, **allowed})


def _say(server: Server, way: Way, rate: float, cpu: float) -> None:
    line = f"{server.title}: {way.title}: {rate:,.0f} MB/s, {cpu:.2f} ms CPU"
    print(f"\r{line}".ljust(78), end="", file=sys.stderr, flush=True)


def _table(found: Found, servers: Sequence[str], ways: Sequence[str]) -> str:
    """MB/s (CPU in ms per instance) by server and way, then how many times faster the first is."""
    rows = [
        [
            server,
            *(f"{_rate(found, server, way):,.0f} ({_cpu(found, server, way):.2f})" for way in ways),
        ]
        for server in servers
    ]
    first, *others = servers
    rows += [
        [f"{first} / {other}"]
        + [f"{_rate(found, first, way) / _rate(found, other, way):.2f}" for way in ways]
        for other in others
    ]
    return report.markdown(["server", *ways], rows)


def _rate(found: Found, server: str, way: str) -> float:
    return statistics.median(found[server, way].rates)


def _cpu(found: Found, server: str, way: str) -> float:
    return statistics.median(found[server, way].cpu)


if __name__ == "__main__":
    main()
