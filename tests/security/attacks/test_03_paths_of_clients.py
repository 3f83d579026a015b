"""A provider that answers `isocenter get` with objects named as paths: they leave no folder."""

from pathlib import Path

import pytest

from isocenter.encoding.elements import RawElement
from tests.security.attacks.malicious_scp import malicious_scp
from tests.security.attacks.under_attack import attack
from tests.server.support_instances import (
    CT,
    SERIES_INSTANCE_UID,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    instance,
)
from tests.support.node import isocenter, isocenter_json

pytestmark = attack(3, "traversal on the client side")

HONEST = "1.2.3.4.1"
PATHS = ["../../evil", "/tmp/evil", "..", "1.2/../../evil", "1.2\\3", "evil.lnk"]


def everything(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("options", [[], ["--by-study"]])
def test_objects_that_are_named_as_paths_are_refused(tmp_path: Path, options: list[str]):
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    sent = []
    for number, path in enumerate(PATHS):
        value = RawElement("UI", path.encode())
        named = instance(f"1.2.3.5.{number}", changed={SOP_INSTANCE_UID: value})
        folders = {STUDY_INSTANCE_UID: value, SERIES_INSTANCE_UID: value}
        placed = instance(f"1.2.3.6.{number}", changed=folders)
        sent += [(path, named), (placed.uid, placed)]
    with malicious_scp(*sent, (HONEST, instance(HONEST))) as scp:
        done = isocenter(
            "get", f"127.0.0.1:{scp.port}", "-k", "StudyInstanceUID=1.2.3",
            "--sop-class", CT, "-od", inside, *options,
        )  # fmt: skip
    assert "Traceback" not in done.stdout
    assert scp.statuses[0:-1:2] == [0x0117] * len(PATHS)
    assert scp.statuses[-1] == 0
    assert all(found.is_relative_to(inside) for found in tmp_path.rglob("*") if found.is_file())
    assert everything(tmp_path) - {f"1.2.3.6.{n}.dcm" for n in range(len(PATHS))} == {
        f"{HONEST}.dcm"
    }


def test_a_file_that_is_there_is_not_replaced_by_what_a_peer_sends(tmp_path: Path):
    (tmp_path / f"{HONEST}.dcm").write_bytes(b"precious")
    with malicious_scp((HONEST, instance(HONEST))) as scp:
        isocenter_json(
            "get", f"127.0.0.1:{scp.port}", "-k", "StudyInstanceUID=1.2.3",
            "--sop-class", CT, "-od", tmp_path,
        )  # fmt: skip
    assert (tmp_path / f"{HONEST}.dcm").read_bytes() == b"precious"


def test_a_link_that_waits_in_the_folder_leads_nowhere(tmp_path: Path):
    """Somebody who may write into the folder plants a link under the name of what will come."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.write_bytes(b"precious")
    (inside / f"{HONEST}.dcm").symlink_to(outside)
    with malicious_scp((HONEST, instance(HONEST))) as scp:
        isocenter(
            "get", f"127.0.0.1:{scp.port}", "-k", "StudyInstanceUID=1.2.3",
            "--sop-class", CT, "-od", inside,
        )  # fmt: skip
    assert outside.read_bytes() == b"precious"
