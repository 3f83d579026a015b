"""`python -m bench.memory`: what a big object and many idle associations cost in memory."""

import argparse
import threading
from pathlib import Path

from bench import accounting, sender
from bench.servers import SERVERS, Running
from bench.synth import make_template

_ROOT = Path(__file__).parent.parent
_SIDE = 512


def main() -> None:
    """Measures each server that was named and prints one line for each figure."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("--servers", nargs="+", default=["isocenter-os"])
    parser.add_argument("--megabytes", type=int, default=2000, help="size of the object (2000)")
    parser.add_argument("--associations", type=int, default=400, help="idle ones (400)")
    arguments = parser.parse_args()
    for server in SERVERS:
        if server.key not in arguments.servers:
            continue
        with Running(server, _ROOT / ".make" / "memory") as running:
            _big_object(running, arguments.megabytes)
        with Running(server, _ROOT / ".make" / "memory") as running:
            _idle_associations(running, arguments.associations)


def _big_object(running: Running, megabytes: int) -> None:
    frames = max(2, megabytes * 10**6 // (2 * _SIDE * _SIDE))
    template = make_template("multi-frame", _SIDE, frames)
    root = running.process.pid
    before = accounting.peak_memory(root)
    done = threading.Event()
    sizes = [before]

    def watch() -> None:
        while not done.wait(0.05):
            sizes.append(accounting.peak_memory(root))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        client = sender.StoreClient(running.port, template)
        status = client.store_frames(frames)
        client.release()
    finally:
        done.set()
        watcher.join()
    print(
        f"{running.server.title}: {frames * len(template.pixels) / 1e6:,.0f} MB in one object,"
        f" status {status:04X}H: {max(sizes) / 1e6:.0f} MB at most, {before / 1e6:.0f} MB before"
    )


def _idle_associations(running: Running, count: int) -> None:
    root = running.process.pid
    before = accounting.resident_memory(root)
    contexts = sender.VERIFICATION, sender.IMPLICIT_VR_LITTLE_ENDIAN
    clients = []
    for _ in range(count):
        clients.append(sender.Client(running.port, *contexts, "ANY-SCP"))
    after = accounting.resident_memory(root)
    answers = sum(client.echo() == 0 for client in clients)
    busy = accounting.resident_memory(root)
    for client in clients:
        client.release()
    print(
        f"{running.server.title}: {count} idle associations: {(after - before) / 1e6:.1f} MB more"
        f" ({before / 1e6:.0f} -> {after / 1e6:.0f} MB); after an echo on each ({answers}"
        f" answered): {busy / 1e6:.0f} MB"
    )


if __name__ == "__main__":
    main()
