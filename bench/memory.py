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
    folder = _ROOT / ".make" / "memory"
    for server in SERVERS:
        if server.key not in arguments.servers:
            continue
        with Running(server, folder) as running:
            before = accounting.peak_memory(running.process.pid)
            peak = peak_with_big_object(running.port, running.process.pid, arguments.megabytes)
        print(
            f"{server.title}: one object of {arguments.megabytes} MB:"
            f" {peak / 1e6:.0f} MB at most, {before / 1e6:.0f} MB before"
        )
        with Running(server, folder) as running:
            before = accounting.resident_memory(running.process.pid)
            after = memory_with_idle_associations(
                running.port, running.process.pid, arguments.associations
            )
        print(
            f"{server.title}: {arguments.associations} idle associations:"
            f" {after / 1e6:.0f} MB, {before / 1e6:.0f} MB before"
        )


def peak_with_big_object(port: int, root: int, megabytes: int) -> int:
    """Stores one multi-frame object; the most bytes that the process tree `root` held.

    Raises ConnectionError if the object is not accepted.
    """
    frames = max(2, megabytes * 10**6 // (2 * _SIDE * _SIDE))
    client = sender.StoreClient(port, make_template("multi-frame", _SIDE, frames))
    sizes = [accounting.peak_memory(root)]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            sizes.append(accounting.peak_memory(root))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        status = client.store_frames(frames)
    finally:
        done.set()
        watcher.join()
    if status:
        raise ConnectionError(f"the object was refused with status {status:04X}H")
    client.release()
    return max(*sizes, accounting.peak_memory(root))


def memory_with_idle_associations(port: int, root: int, count: int) -> int:
    """Opens associations that answer an echo and then rest; the bytes that `root` holds then."""
    clients = [
        sender.Client(port, sender.VERIFICATION, sender.IMPLICIT_VR_LITTLE_ENDIAN, "ANY-SCP")
        for _ in range(count)
    ]
    for client in clients:
        client.echo()
    size = accounting.resident_memory(root)
    for client in clients:
        client.release()
    return size


if __name__ == "__main__":
    main()
