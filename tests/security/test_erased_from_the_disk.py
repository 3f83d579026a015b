"""What was purged is nowhere on the disk: its image is searched for the bytes."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from isocenter.archive.index.uids import pack_uid
from isocenter.encoding.elements import Elements, RawElement
from tests.server.support import STORE, Peer
from tests.server.support_instances import Instance, instance
from tests.server.support_nodes import configured
from tests.support.node import Node, isocenter, isocenter_json
from tests.support.processes import require, run

IN_CI = os.environ.get("CI") == "true"
STUDY = "1.2.826.0.1.3680043.9.7777.1"
SERIES = "1.2.826.0.1.3680043.9.7777.2.31415926535897932384"
PATIENT = "Unmistakable^Zacharias Quirinus"
PATIENT_ID = "PID-9071-UNMISTAKABLE"
ACCESSION, DESCRIPTION = "ACC-UNMISTAKABLE-1", "A most unmistakable description"
PHYSICIAN = "Unmistakable^Referrer"

# The audit trail, which is kept on purpose, names patients; it is no subject here.
CONFIGURATION = (
    "[audit]\nenabled = false\n[storage]\nreserve = 1000000\n"
    'durability = "os"\n'  # the file system is unmounted, so everything gets to the disk
)


def told(uid: str, text: str) -> RawElement:
    return RawElement(uid, text.encode())


def object_of(number: int, *, pixels: int = 60_000) -> Instance:
    """An object whose every value can be told from anybody else's."""
    changed: Elements = {
        0x00080050: told("SH", ACCESSION),
        0x00080090: told("PN", PHYSICIAN),
        0x00081030: told("LO", DESCRIPTION),
        0x00100010: told("PN", PATIENT),
        0x00100020: told("LO", PATIENT_ID),
        0x0020000E: told("UI", SERIES),
    }
    return instance(sop_instance_uid(number), study=STUDY, pixels=pixels, changed=changed)


def sop_instance_uid(number: int) -> str:
    return f"1.2.826.0.1.3680043.9.7777.3.27182818284590452.{number}"


def other(number: int, *, size: int = 1000) -> Instance:
    """One of the many objects that stay, of patients whose names are scattered."""
    random = Random(number)
    changed: Elements = {
        0x00100010: told("PN", f"{random.randbytes(12).hex()}^Stays"),
        0x00100020: told("LO", f"{random.randbytes(6).hex()}"),
    }
    study = f"1.2.3.{random.getrandbits(60)}"
    return instance(f"{study}.1", study=study, pixels=size, changed=changed)


def needles(instances: list[Instance]) -> dict[str, bytes]:
    """What must not be found, by what it is."""
    found = {
        "patient's name": PATIENT.encode(),
        "its key": PATIENT.partition("^")[0].lower().encode(),
        "the same in capitals": PATIENT.partition("^")[0].upper().encode(),
        "patient ID": PATIENT_ID.encode(),
        "accession number": ACCESSION.encode(),
        "description": DESCRIPTION.encode(),
        "Series Instance UID": SERIES.encode(),
        "the same as the index has it": pack_uid(SERIES)[:-1],
    }
    for number, one in enumerate(instances):
        found[f"SOP Instance UID {number}"] = one.uid.encode()
        found[f"SOP Instance UID {number} as the index has it"] = pack_uid(one.uid)[:-1]
        found[f"pixels {number}"] = one.data_set[-1000:-900]
        found[f"more pixels {number}"] = one.data_set[len(one.data_set) // 2 :][:100]
    return found


class Disk:
    """A small ext4 file system in a file."""

    def __init__(self, folder: Path) -> None:
        self.image, self.place = folder / "disk.img", folder / "disk"
        self.place.mkdir()
        with self.image.open("wb") as file:
            file.truncate(96 * 1024 * 1024)
        made = run([require("mkfs.ext4", "e2fsprogs"), "-q", "-F", self.image])
        assert made.returncode == 0, made.stdout

    @contextmanager
    def mounted(self) -> Iterator[Path]:
        done = run(["mount", "-o", "loop", self.image, self.place])
        if done.returncode != 0:
            why = f"no file system can be mounted here: {done.stdout.strip()}"
            if IN_CI:
                pytest.fail(why)
            pytest.skip(why)
        try:
            yield self.place
        finally:
            subprocess.run(["umount", str(self.place)], check=True)

    def holds(self, needles: dict[str, bytes]) -> list[str]:
        content = self.image.read_bytes()
        return [what for what, needle in needles.items() if needle in content]


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def send(node: Node, instances: list[Instance]) -> None:
    with Peer.associated(node.port, STORE) as peer:
        for one in instances:
            assert peer.store(one).status == 0
        peer.released()


def delete(node: Node, *arguments: str) -> None:
    options = ("--data", node.data, "--role", "QA", "--reason", "a test", "--yes")
    done = isocenter("delete", *arguments, *options)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_no_byte_of_a_purged_study_is_left_on_the_disk(
    disk: Disk, tmp_path: Path, workers: int
) -> None:
    gone = [object_of(number) for number in range(4)]
    options = (*configured(tmp_path, CONFIGURATION), "--workers", str(workers))
    sought = needles(gone)
    with disk.mounted() as place:
        with Node(place / "data", *options) as node:
            send(node, [other(number) for number in range(200)])
            send(node, gone)
            send(node, [gone[0]])  # once more: a spool file
            send(node, [object_of(0, pixels=50_000)])  # into quarantine
            send(node, [other(number) for number in range(200, 400)])
        # Started anew: what the first run left on the disk counts as well.
        subprocess.run(["sync"], check=True)
        with Node(place / "data", *options) as node:
            assert isocenter_json("status", "--data", node.data)["studies"] == 401
    assert disk.holds({name: sought[name] for name in ("patient's name", "pixels 2")})
    with disk.mounted() as place:
        with Node(place / "data", *options) as node:
            delete(node, STUDY, "--now")
            (found,) = isocenter_json("delete", "list", "--data", node.data)
            assert (found["state"], found["instances"]) == ("purged", 4)
            assert found["quarantined"] == 1
            send(node, [other(number) for number in range(400, 420)])
        assert isocenter("verify", "--data", place / "data").returncode == 0
    assert disk.holds(sought) == []
