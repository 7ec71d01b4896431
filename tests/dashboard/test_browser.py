"""The dashboard in a real browser: accessible, self-contained, live, and usable by keyboard.

Drives the machine's own Chromium. RUNNER_SCREENSHOTS names a folder that gets a picture of every
page, on a desktop and a phone, light and dark.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from runner.core.decision import Decision, Record
from runner.dashboard.app import several
from runner.dashboard.desk import Candle
from runner.dashboard.server import DashboardServer, listen
from tests.dashboard.browsing import NEEDS_CHROMIUM, PATIENCE, Reader, launched, tab_to
from tests.dashboard.scene import MINUTE, Scene, scene_of, write
from tests.journal.building import NOW, run_of

pytestmark = NEEDS_CHROMIUM

PAGES = {
    "overview": "/",
    "rules": "/rules",
    "rule": "/rules/btc-breakout",
    "events": "/events",
    "run": f"/runs/{run_of('k1').run_id}",
    "orders": "/orders",
    "chart": "/chart?symbol=BTCUSDT",
    "journal": "/journal",
    "system": "/system",
    "kill": "/do/kill",
    "missing": "/nowhere",
}
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """No longer than these tests: it holds the thread's event loop."""
    with launched() as found:
        yield found


@pytest.fixture
def served(folder: Path) -> Iterator[tuple[Scene, str]]:
    """A dashboard on a port of its own, and its address."""
    price = Decimal(70000)
    prices = tuple(
        Candle(NOW + (n - 60) * MINUTE, price, price + 40 + n, price - 30, price + n)
        for n in range(61)
    )
    scene = scene_of(folder, prices=prices)
    server = DashboardServer(scene.dashboard, listen("127.0.0.1", 0))
    server.start()
    yield scene, server.url.rstrip("/")
    server.stop()


@pytest.fixture
def reader(browser: Browser, served: tuple[Scene, str]) -> Iterator[Reader]:
    """Logged in, on a desktop."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    reading = Reader(context, served[1])
    reading.log_in()
    yield reading
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_every_page_is_accessible_and_asks_nobody_else(
    browser: Browser, served: tuple[Scene, str], size: str, scheme: str
) -> None:
    """No serious finding of axe, nothing breaks the policy, nothing is wider than the screen."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    reading = Reader(context, served[1])
    reading.page.goto(f"{reading.url}/login")
    assert reading.grave() == []
    reading.log_in()
    for name, path in PAGES.items():
        reading.page.goto(reading.url + path)
        reading.page.get_by_role("heading", level=1).wait_for()
        assert reading.grave() == [], name
        wide = reading.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{name} is {wide} pixels wider than the screen"
        keep(reading.page, f"{name}-{size}-{scheme}")
    assert reading.complaints == []
    context.close()


def test_the_bar_of_accounts_is_accessible(browser: Browser, folder: Path) -> None:
    """On a phone, with two accounts: one click leads to the same page of the other."""
    desks = {name: scene_of(folder).desk for name in ("main", "hedge")}
    server = DashboardServer(several(desks), listen("127.0.0.1", 0))
    server.start()
    context = browser.new_context(viewport={"width": 390, "height": 844})
    reading = Reader(context, server.url.rstrip("/"))
    reading.log_in()
    reading.page.goto(f"{reading.url}/events")
    reading.page.get_by_role("navigation", name="Accounts").get_by_text("hedge").click()
    reading.page.wait_for_url(f"{reading.url}/account/hedge/events")
    expect(reading.page.locator("#live")).to_have_text(re.compile("^live"), timeout=PATIENCE)
    assert reading.grave() == []
    keep(reading.page, "accounts-phone-light")
    assert reading.complaints == []
    context.close()
    server.stop()


def keep(page: Page, name: str) -> None:
    """A picture, for who wants to look."""
    folder = os.environ.get("RUNNER_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_an_open_page_shows_what_happens(reader: Reader, served: tuple[Scene, str]) -> None:
    """A new record appears by itself, without a reload; what is typed in stays."""
    page = reader.page
    page.goto(f"{reader.url}/events")
    page.evaluate("document.body.dataset.same = 'page'")
    expect(page.locator("#live")).to_have_text(re.compile("^live"), timeout=PATIENCE)
    page.get_by_label("From").fill("2026-01-01T00:00")
    record = Record(NOW, "refused", "it rained", "tv-eth", "ETHUSDT", reason="cooldown")
    write(served[0].desk.path, Decision(records=[record]))
    expect(page.get_by_text("it rained")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_label("From")).to_have_value("2026-01-01T00:00")
    assert page.evaluate("document.body.dataset.same") == "page"
    assert reader.complaints == []


def test_an_answer_of_the_runner_appears_by_itself(reader: Reader) -> None:
    """The page is there at once, and what the runner sees follows."""
    reader.page.goto(f"{reader.url}/rules")
    text = "mark 70100 must be below 69500 first"
    expect(reader.page.get_by_text(text)).to_be_visible(timeout=PATIENCE)


def test_a_kill_by_keyboard_alone(reader: Reader, served: tuple[Scene, str]) -> None:
    """From the first key to the confirmed command; what became of it is an alert."""
    page = reader.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    tab_to(page, "Kill …")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Kill?", timeout=PATIENCE)
    assert served[0].desk.given == []
    tab_to(page, "Kill now")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("kill by dashboard", timeout=PATIENCE)
    assert [verb for verb, _ in served[0].desk.given] == ["kill"]


def test_a_session_that_ended_leads_to_the_login(reader: Reader, served: tuple[Scene, str]) -> None:
    """An open page does not stay behind with what it knew."""
    expect(reader.page.locator("#live")).to_have_text(re.compile("^live"), timeout=PATIENCE)
    served[0].dashboard.doors.sessions.close_all()
    record = Record(NOW, "event", "too late")
    write(served[0].desk.path, Decision(records=[record]))
    expect(reader.page.get_by_label("Password")).to_be_visible(timeout=PATIENCE)


def test_it_works_without_scripts(browser: Browser, served: tuple[Scene, str]) -> None:
    """Login, filters, a run and a command need none."""
    context = browser.new_context(java_script_enabled=False)
    reading = Reader(context, served[1])
    reading.log_in()
    page = reading.page
    page.goto(f"{reading.url}/events")
    page.get_by_label("Reason").select_option("cooldown")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(".chain")).to_have_count(1, timeout=PATIENCE)
    page.goto(f"{reading.url}/events")
    page.get_by_role("link", name=re.compile("^Explain")).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Run ", timeout=PATIENCE)
    page.get_by_role("link", name="Pause …").click()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("alert")).to_contain_text("pause by dashboard", timeout=PATIENCE)
    context.close()


def test_colours_can_be_chosen(reader: Reader) -> None:
    """Dark on a light machine, and it stays so."""
    reader.page.get_by_label("Colours").select_option("dark")
    reader.page.get_by_role("button", name="Apply").click()
    reader.page.goto(f"{reader.url}/rules")
    shade = reader.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert shade == "rgb(16, 21, 27)"
    assert reader.grave() == []
