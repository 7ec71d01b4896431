"""With several accounts each sample says whose it is; with one nothing changes."""

from __future__ import annotations

from prometheus_client import generate_latest

from runner.core.decision import Decision, Record
from runner.metrics.server import MetricsServer

FIRED = Decision([Record(1_700_000_000_000, "fired", "", rule_id="dip")])


def shown(server: MetricsServer) -> list[str]:
    """The page, line by line."""
    return generate_latest(server.registry).decode().splitlines()


def test_each_sample_names_its_account_and_each_metric_is_told_once() -> None:
    """Prometheus takes one TYPE line a metric."""
    server = MetricsServer(("main", "hedge"))
    server.counting("hedge").count([FIRED, FIRED])
    server.counting("main").count([FIRED])
    lines = shown(server)
    assert 'runner_firings_total{account="hedge",rule="dip"} 2.0' in lines
    assert 'runner_firings_total{account="main",rule="dip"} 1.0' in lines
    assert lines.count("# TYPE runner_firings_total counter") == 1
    assert not [line for line in lines if line.startswith("runner_errors_total ")]


def test_one_account_is_not_named() -> None:
    """Dashboards and alert rules of those who have one go on."""
    server = MetricsServer(("main",))
    server.counting("main").count([FIRED])
    assert 'runner_firings_total{rule="dip"} 1.0' in shown(server)
    assert server.counting("main") is server.counting("main")
