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
@pytest.mark.parametrize("path", PATHS)
def test_an_object_that_is_named_as_a_path_is_refused(tmp_path: Path, path: str, options: list):
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    honest = instance(HONEST)
    named = instance("1.2.3.4.2", changed={SOP_INSTANCE_UID: RawElement("UI", path.encode())})
    folders = {
        STUDY_INSTANCE_UID: RawElement("UI", path.encode()),
        SERIES_INSTANCE_UID: RawElement("UI", path.encode()),
    }
    placed = instance("1.2.3.4.3", changed=folders)
    sent = [(path, named), (HONEST, honest), ("1.2.3.4.3", placed)]
    with malicious_scp(*sent) as scp:
        done = isocenter(
            "get", f"127.0.0.1:{scp.port}", "-k", "StudyInstanceUID=1.2.3",
            "--sop-class", CT, "-od", inside, *options,
        )  # fmt: skip
    assert "Traceback" not in done.stdout
    assert scp.statuses[:2] == [0x0117, 0]
    written = everything(tmp_path)
    assert f"{HONEST}.dcm" in written
    assert written <= {f"{HONEST}.dcm", "1.2.3.4.3.dcm"}
    assert all(found.is_relative_to(inside) for found in tmp_path.rglob("*.dcm"))


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
