"""Other people's code: pinned by hash, and kept out of the process that serves the network."""

import re
from pathlib import Path

import pytest

from tests.encoding.images import JPEG_LS, Image, jpeg_ls, noise
from tests.security.attacks.images import stored_and_asked_for
from tests.security.attacks.under_attack import attack
from tests.server.support_nodes import processes
from tests.support.node import Node

pytestmark = attack(38, "supply chain")

ROOT = Path(__file__).parents[3]
LOCKS = ["requirements.lock", "requirements-test.lock"]
FOREIGN = ("imagecodecs", "numpy")
"""Packages whose compiled code decodes what strangers send; pydicom loads numpy, too."""


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_with_its_hashes(lock: str):
    requirements = re.split(r"(?m)^(?=[\w.-]+(?:\[.*?\])?==)", (ROOT / lock).read_text())[1:]
    assert len(requirements) > 20
    for requirement in requirements:
        assert re.match(r"[\w.\[\]-]+==[^\s;]+", requirement), requirement
        assert "--hash=sha256:" in requirement, requirement.splitlines()[0]


def test_an_installation_checks_the_hashes_and_builds_with_what_is_pinned():
    script = (ROOT / "tools" / "install").read_text()
    assert "--require-hashes" in script
    assert "--no-build-isolation" in script


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_a_place_to_fetch_from(lock: str):
    assert not re.search(
        r"https?://|--(extra-)?index-url|--find-links|@ ", (ROOT / lock).read_text()
    )


def foreign_code(pid: int) -> set[str]:
    """Which of the FOREIGN packages a process has mapped."""
    maps = Path("/proc", str(pid), "maps").read_text()
    return {name for name in FOREIGN if f"/{name}" in maps}


@pytest.fixture(params=[1, 2])
def converting(request: pytest.FixtureRequest, start_node) -> Node:
    """A node, in one process or in several, that has just had images converted."""
    node = start_node(None, "--workers", str(request.param))
    image = Image(rows=9, columns=7).compressed(jpeg_ls(noise(9, 7)))
    sent, failed = stored_and_asked_for(node, {"1.2.3.4.1": (JPEG_LS, image)})
    assert (len(sent), failed) == (1, set())
    return node


def test_no_process_that_serves_the_network_has_loaded_a_codec(converting: Node):
    serving = [process.pid for process in processes(converting)]
    assert {pid: foreign_code(pid) for pid in serving} == {pid: set() for pid in serving}
    everybody = {
        child.pid for process in processes(converting) for child in process.children(recursive=True)
    }
    elsewhere = everybody - set(serving)
    assert any(foreign_code(pid) == set(FOREIGN) for pid in elsewhere)
