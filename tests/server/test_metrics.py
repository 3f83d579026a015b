"""Figures as a file for Prometheus, and certificates that come to their end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from isocenter.server.certificate_watch import CertificateWatch
from isocenter.server.config import Config
from isocenter.server.metrics import Figure, MetricsFile
from tests.server.support import ECHO, Peer
from tests.server.support_nodes import configured, eventually
from tests.support.node import Node
from tests.support.tls import Certificates

FIGURES = [
    Figure("associations", "Open.", 3),
    Figure("rejected_total", "Rejected.", 5),
    Figure("end_seconds", "End.", 1.5, (("kind", "CA"),)),
    Figure("end_seconds", "End.", 2.5, (("kind", "certificate"),)),
]


def samples(path: Path) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(path.read_text())
        for sample in family.samples
    }


@pytest.mark.parametrize("worker", [None, "1"])
def test_figures_are_written_so_that_prometheus_reads_them(
    tmp_path: Path, worker: str | None
) -> None:
    MetricsFile(tmp_path / "node.prom", worker, lambda: FIGURES).write(FIGURES)
    (written,) = tmp_path.iterdir()
    assert written.name == ("node.prom" if worker is None else "node-1.prom")
    own = () if worker is None else (("worker", "1"),)
    read = samples(written)
    assert read["isocenter_associations", own] == 3
    assert read["isocenter_rejected_total", own] == 5
    assert read["isocenter_end_seconds", (("kind", "CA"), *own)] == 1.5
    assert read["isocenter_end_seconds", (("kind", "certificate"), *own)] == 2.5


def test_a_place_that_cannot_be_written_is_a_line_in_the_log(tmp_path: Path) -> None:
    async def scene() -> None:
        metrics = MetricsFile(tmp_path / "absent" / "node.prom", None, lambda: FIGURES)
        task = asyncio.get_running_loop().create_task(metrics.run())
        while not lines:
            await asyncio.sleep(0)
        task.cancel()

    with capture_logs() as lines:
        asyncio.run(asyncio.wait_for(scene(), 20))
    assert lines[0]["event"] == "the metrics could not be written"


def test_a_running_node_counts_who_comes(tmp_path: Path) -> None:
    file = tmp_path / "node.prom"
    options = configured(
        tmp_path, f'[metrics]\nfile = "{file}"\n[node]\ncheck_called_ae = "never"\n'
    )
    with Node(tmp_path / "data", *options) as node, Peer.associated(node.port, ECHO):
        eventually(lambda: file.exists() and ("isocenter_associations", ()) in samples(file))
        assert samples(file)["isocenter_associations_rejected_total", ()] == 0


def test_a_certificate_that_ends_soon_is_told_and_figured(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path / "ca")
    soon = certificates.issue("ISOCENTER", ends_in=5.5)
    tls = {"certificate": soon.certificate, "key": soon.key, "trusted": certificates.ca}
    watch = CertificateWatch(Config.model_validate({"tls": {**tls, "expiry_warning": 10}}))
    with capture_logs() as lines:
        watch.look()
    (line,) = lines
    assert line["event"].startswith("a certificate expires soon")
    assert (line["days"], line["path"]) == (5, str(soon.certificate))
    ends = {dict(figure.labels)["kind"]: figure.value for figure in watch.figures()}
    assert ends["certificate"] == soon.parsed.not_valid_after_utc.timestamp()
    assert ends["CA"] > ends["certificate"]
