"""The report's page in a real browser, opened from disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.cli.calling import call
from tests.dashboard.browsing import NEEDS_CHROMIUM, PATIENCE, grave, launched
from tests.replay.drawing import drawn, flat, ruled
from tests.replay.test_made_up import BUY_AND_EXIT, RISE

pytestmark = NEEDS_CHROMIUM
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """No longer than these tests: it holds the thread's event loop."""
    with launched() as found:
        yield found


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """The page of one trade, after a gap."""
    data = drawn(tmp_path / "ETHUSDT.csv", [*RISE, *flat(3120, 9)], skip=[7])
    rules = ruled(tmp_path / "r.yaml", BUY_AND_EXIT)
    path = tmp_path / "page.html"
    result = call("replay", rules, "--data", data, "--report", path)
    assert result.exit_code == 0, result.output
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_the_page_is_accessible_and_asks_for_nothing(
    browser: Browser, report: Path, size: str, scheme: str
) -> None:
    """No serious finding of axe, no request but the file's, nothing wider than the screen."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(report.as_uri())
    assert grave(page) == []
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"it is {wide} pixels wider than the screen"
    assert asked == [report.as_uri()]
    assert complaints == []
    folder = os.environ.get("RUNNER_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"replay-{size}-{scheme}.png", full_page=True)
    context.close()
