"""What every test may ask for, and the rules that hold for the whole suite."""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.support.node import Node
from tests.support.processes import free_port as find_free_port

# No test may depend on the machine's speed, so hypothesis keeps no stop-watch either.
_relaxed = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow],
    "print_blob": True,  # a failure that was seen once can be seen again
}
settings.register_profile("isocenter", **_relaxed)
settings.register_profile("prove", max_examples=2000, **_relaxed)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "isocenter"))

IN_CI = os.environ.get("CI") == "true"
# What a machine cannot have, and `.ci/run` has said so: dcmjs-dimse where npm reaches no registry.
DONE_WITHOUT = os.environ.get("ISOCENTER_TESTS_WITHOUT", "").split()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Under CI=true a foreign program that is missing is a failure, not a gap."""
    report = yield
    if IN_CI and report.skipped and item.get_closest_marker("interop"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        if not any(name in str(reason) for name in DONE_WITHOUT):
            report.outcome = "failed"
            report.longrepr = f"{reason} (under CI=true every interoperability test must run)"
    return report


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    """A command that ran in this process has directed the log: the next test wants it as it was."""
    yield
    if structlog.is_configured():
        structlog.reset_defaults()


@pytest.fixture
def free_port() -> int:
    """A TCP port that nothing listens on."""
    return find_free_port()


@pytest.fixture
def start_node(tmp_path: Path) -> Iterator[Callable[..., Node]]:
    """Starts nodes of a test's own; each is stopped, and its log checked, when the test ends."""
    numbers = itertools.count()
    with ExitStack() as stack:
        yield lambda data=None, *options: stack.enter_context(
            Node(data or tmp_path / f"data-{next(numbers)}", *options)
        )


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One running node that the tests of a module share."""
    with Node(tmp_path_factory.mktemp("node") / "data") as shared:
        yield shared
