"""The switches in a real browser, before a runner and an exchange that really run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, expect

from runner.cli.desk import FolderDesk
from runner.dashboard.app import Dashboard
from runner.dashboard.server import DashboardServer, listen
from runner.settings import load
from tests.cli.calling import answer, call
from tests.crash.stage import GUARDED_BRACKET, PATIENCE, Stage
from tests.dashboard.browsing import NEEDS_CHROMIUM, Reader, launched
from tests.dashboard.browsing import PATIENCE as BROWSER_PATIENCE
from tests.dashboard.scene import HASH
from tests.support import eventually

pytestmark = NEEDS_CHROMIUM

ALERT = {"action": "buy"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """No longer than these tests: it holds the thread's event loop."""
    with launched() as found:
        yield found


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A runner that takes alerts, with a password for its dashboard."""
    stage = Stage(tmp_path / "runner", GUARDED_BRACKET)
    path = stage.folder / "secrets" / "dashboard"
    path.touch(mode=0o600)
    path.write_text(HASH)
    stage.run()
    yield stage
    stage.stop()


@pytest.fixture
def reader(browser: Browser, stage: Stage) -> Iterator[Reader]:
    """Logged in to the dashboard of that runner."""
    dashboard = Dashboard(FolderDesk(stage.folder, load(stage.folder)))
    server = DashboardServer(dashboard, listen("127.0.0.1", 0))
    server.start()
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    reading = Reader(context, server.url.rstrip("/"))
    reading.log_in()
    yield reading
    context.close()
    server.stop()


def give(reader: Reader, link: str, button: str, reason: str = "") -> None:
    """Ask for a command, read the question, and confirm it."""
    page = reader.page
    page.get_by_role("link", name=link).click()
    if reason:
        page.get_by_label("Reason").fill(reason)
    page.get_by_role("button", name=button, exact=True).click()
    page.get_by_role("alert").wait_for()


def told(reader: Reader) -> str:
    """What became of the command."""
    return reader.page.get_by_role("alert").inner_text()


def shows(reader: Reader, text: str) -> None:
    """The bar at the top says this."""
    expect(reader.page.locator("#bar")).to_contain_text(text, timeout=BROWSER_PATIENCE)


def status(stage: Stage) -> Any:
    """What `runner status` tells; a problem is no failure here."""
    return json.loads(call("status", "--dir", stage.folder, "--json").stdout)


def held(stage: Stage) -> list[str]:
    """The sizes that the account holds."""
    told = answer("positions", "--dir", stage.folder)
    return [each["size"] for each in told["positions"]]


def test_every_switch_does_what_it_says(reader: Reader, stage: Stage) -> None:
    """Pause refuses an alert, resume takes it, flatten closes, kill latches, unlock needs a why."""
    give(reader, "Pause …", "Pause", "lunch")
    assert told(reader).startswith("Done: ")
    shows(reader, "PAUSED")
    assert status(stage)["paused"]["why"] == "lunch"
    stage.alert(ALERT)
    assert stage.orders() == []

    give(reader, "Resume …", "Resume")
    shows(reader, "RUNNING")
    stage.alert(ALERT)
    eventually(lambda: held(stage) == ["0.01"], PATIENCE)
    row = reader.page.locator("#cards").get_by_role("row").filter(has_text="BTCUSDT")
    expect(row).to_contain_text("long", timeout=BROWSER_PATIENCE)

    give(reader, "Flatten …", "Close positions now")
    assert told(reader).startswith("Done: ")
    eventually(lambda: held(stage) == [], PATIENCE)
    stage.alert(ALERT)
    eventually(lambda: held(stage) == ["0.01"], PATIENCE)

    give(reader, "Kill …", "Kill now", "drill")
    shows(reader, "KILLED")
    eventually(lambda: held(stage) == [], PATIENCE)
    assert status(stage)["killed"] is not None
    give(reader, "Unlock …", "Unlock", "looked at everything")
    shows(reader, "RUNNING")
    assert status(stage)["killed"] is None
    assert reader.complaints == []


def test_under_a_ban_the_question_and_the_answer_say_what_protects(
    reader: Reader, stage: Stage
) -> None:
    """Before the click and after it: nothing can be sent, and the countdown cancels without us."""
    stage.fault(kind="refuse", status=418, code=-1003, retry_after=600, match="countdownCancelAll")
    eventually(lambda: "418" in str(status(stage)["problems"]), PATIENCE)
    page = reader.page
    page.get_by_role("link", name="Kill …").click()
    question = page.get_by_role("region", name="Confirmation")
    expect(question).to_contain_text("418", timeout=BROWSER_PATIENCE)
    expect(question).to_contain_text("countdown of BTCUSDT", timeout=BROWSER_PATIENCE)
    page.get_by_role("button", name="Kill now").click()
    expect(page.get_by_role("alert")).to_contain_text(
        "NOTHING CAN BE SENT NOW", timeout=BROWSER_PATIENCE
    )
    expect(page.get_by_role("alert")).to_contain_text(
        "the countdown of BTCUSDT protects", timeout=BROWSER_PATIENCE
    )
    shows(reader, "KILLED")
    orders = f"{stage.addresses['rest']}/paper/orders"
    assert requests.get(orders, timeout=PATIENCE).json()["orders"] == []
