"""A real Prometheus scrapes a real runner; rules and dashboard speak of what there is."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from ruamel.yaml import YAML

from tests.cli.calling import ALERTED, TOKEN, Process
from tests.conftest import REPOSITORY
from tests.metrics.exposition import names, needs_prometheus, needs_promtool, samples, used
from tests.support import eventually, free_port

MONITORING = REPOSITORY / "docs" / "monitoring"
PATIENCE = 120
SETTINGS = """\
version: 1
accounts:
  practice:
    venue: binance_usdm
    address: {{rest: "{url}", streams: "{stream}", ws_api: "{stream}/ws-fapi/v1"}}
    api_key: key
    api_secret: secret
metrics: 127.0.0.1:{port}
timing: {{answer_deadline: 500ms}}
"""
SCRAPE = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: runner
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class World:
    """An exchange, and a runner on it that shows its metrics."""

    def __init__(self, folder: Path) -> None:
        """Start both."""
        words = (
            "paper",
            "--port",
            0,
            "--api-key",
            "practice-key",
            "--api-secret",
            "practice-secret",
        )
        self.exchange = Process(*words, log=folder / "exchange.log")
        url = re.search(r"http://127\.0\.0\.1:\d+", self.exchange.line())
        assert url is not None, (folder / "exchange.log").read_text()
        self.port = free_port()
        place = folder / "my"
        (place / "rules").mkdir(parents=True)
        (place / "rules" / "rules.yaml").write_text(ALERTED)
        stream = url[0].replace("http", "ws")
        text = SETTINGS.format(url=url[0], stream=stream, port=self.port)
        (place / "runner.yaml").write_text(text)
        (place / "secrets").mkdir(mode=0o700)
        for name, secret in (
            ("key", "practice-key"),
            ("secret", "practice-secret"),
            ("tv_eth", TOKEN),
        ):
            path = place / "secrets" / name
            path.touch(mode=0o600)
            path.write_text(secret)
        self.runner = Process(
            "run", "--dir", place, "--hook", "127.0.0.1:0", log=folder / "runner.log"
        )
        ready = self.runner.line()
        assert ready.startswith("READY"), (folder / "runner.log").read_text()
        hook = re.search(r"http://127\.0\.0\.1:\d+", ready)
        assert hook is not None
        self.hook = hook[0]

    def close(self) -> None:
        """End both, whatever they do."""
        self.exchange.send(signal.SIGCONT)
        self.runner.__exit__()
        self.exchange.__exit__()

    def scrape(self) -> str:
        """What Prometheus gets."""
        answer = requests.get(f"http://127.0.0.1:{self.port}/metrics", timeout=30)
        answer.raise_for_status()
        return answer.text

    def alert(self) -> None:
        """Have an order placed."""
        body = {"secret": TOKEN, "action": "buy"}
        answer = requests.post(f"{self.hook}/hook/eth", json=body, timeout=30)
        assert answer.json()["outcome"] == "fired", answer.text


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world for the tests that change nothing in it, or only add."""
    world = World(tmp_path_factory.mktemp("world"))
    yield world
    world.close()


def expressions() -> list[str]:
    """Every expression of the dashboard and of the alert rules."""
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    found = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    rules = YAML(typ="safe").load(MONITORING / "alerts.yml")
    return found + [rule["expr"] for group in rules["groups"] for rule in group["rules"]]


def test_every_expression_names_a_metric_that_there_is(world: World) -> None:
    """A dashboard with an empty panel is worse than none."""
    known = names(world.scrape())
    assert used(expressions()) - known == set()
    assert {"runner_ready", "runner_orders_unknown"} <= used(expressions())


def test_every_metric_is_documented(world: World) -> None:
    """docs/monitoring.md lists each family, and no other."""
    page = (REPOSITORY / "docs" / "monitoring.md").read_text()
    listed = set(re.findall(r"^\| `(runner_[a-z_]+)`", page, re.MULTILINE))
    shown = set(re.findall(r"^# TYPE (runner_[a-z_]+) ", world.scrape(), re.MULTILINE))
    assert listed == shown


def test_an_order_is_seen_in_the_figures(world: World) -> None:
    """From the alert to the position."""
    world.alert()

    def filled() -> bool:
        text = world.scrape()
        labels = (("rule", "tv-eth"), ("state", "filled"), ("symbol", "ETHUSDT"))
        return samples(text, "runner_orders_total").get(labels, 0) >= 1

    eventually(filled, PATIENCE)
    text = world.scrape()
    assert samples(text, "runner_firings_total")[(("rule", "tv-eth"),)] >= 1
    assert samples(text, "runner_webhook_answers_total")[(("status", "200"),)] >= 1
    assert samples(text, "runner_ready")[()] == 1
    held = (("side", "both"), ("symbol", "ETHUSDT"))
    eventually(lambda: samples(world.scrape(), "runner_position_notional_usdt").get(held), PATIENCE)


@needs_promtool
def test_promtool_finds_nothing_to_say(world: World) -> None:
    """Names, units, help texts."""
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=world.scrape(),
        text=True,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_promtool
@pytest.mark.parametrize(
    "words",
    [("check", "rules", "alerts.yml"), ("check", "config", "prometheus.yml")],
    ids=lambda words: words[1],
)
def test_the_shipped_files_are_valid(words: tuple[str, ...]) -> None:
    """The alert rules, and the example of a configuration."""
    done = subprocess.run(
        ["promtool", *words], cwd=MONITORING, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_the_alert_rules_pass_their_own_tests() -> None:
    """alerts_test.yml: when each fires, and when it does not."""
    done = subprocess.run(
        ["promtool", "test", "rules", "alerts_test.yml"],
        cwd=MONITORING,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_prometheus
def test_order_state_unknown_fires_when_it_should(tmp_path: Path) -> None:
    """The exchange stops before it answers: pending, firing; and over once it answers again."""
    world = World(tmp_path)
    port = free_port()
    config = tmp_path / "prometheus.yml"
    config.write_text(SCRAPE.format(rules=MONITORING / "alerts.yml", port=world.port))
    prometheus = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: query(port, 'up{job="runner"} == 1'), PATIENCE)
        eventually(lambda: query(port, "runner_ready == 1"), PATIENCE)
        assert "RunnerOrderStateUnknown" not in firing(port)
        world.exchange.send(signal.SIGSTOP)
        world.alert()
        eventually(lambda: "RunnerOrderStateUnknown" in firing(port), PATIENCE)
        world.exchange.send(signal.SIGCONT)
        eventually(lambda: "RunnerOrderStateUnknown" not in firing(port), PATIENCE)
    finally:
        prometheus.kill()
        prometheus.wait(30)
        world.close()


def query(port: int, expression: str) -> list[Any]:
    """What Prometheus answers to an expression; nothing while it does not."""
    try:
        answer = requests.get(
            f"http://127.0.0.1:{port}/api/v1/query", params={"query": expression}, timeout=10
        )
        found: list[Any] = answer.json()["data"]["result"]
    except (requests.RequestException, ValueError, KeyError):
        return []
    return found


def firing(port: int) -> set[str]:
    """The alerts that fire now."""
    found = query(port, 'ALERTS{alertstate="firing"}')
    return {each["metric"]["alertname"] for each in found}
