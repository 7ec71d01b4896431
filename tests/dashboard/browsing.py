"""The machine's own Chromium, and somebody who reads pages in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.dashboard.scene import PASSWORD

CHROMIUM = shutil.which("chromium")
NEEDS_CHROMIUM = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium"
)

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PATIENCE = 60_000.0
"""Ms; a page has seconds to show what happened, a test has a machine that may be busy."""

GRAVE = ("serious", "critical")


@contextmanager
def launched() -> Iterator[Browser]:
    """One browser with a fresh profile; it holds the thread's event loop until it is closed."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS, timeout=3 * PATIENCE
        )
        yield browser
        browser.close()


def grave(page: Page) -> list[str]:
    """What axe finds serious or worse on a page."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {[node['target'] for node in each['nodes']]}"
        for each in found
        if each["impact"] in GRAVE
    ]


class Reader:
    """Somebody with a page open, who notes what a page must not do."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        """Nobody is logged in yet."""
        context.set_default_timeout(PATIENCE)
        self.url = url
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._outside(request.url))

    def _console(self, message: object) -> None:
        kind, text = getattr(message, "type", ""), getattr(message, "text", "")
        # the answer 404 or 401 itself is what a test asks for
        if kind in ("error", "warning") and "Failed to load resource" not in text:
            self.complaints.append(text)

    def _outside(self, url: str) -> None:
        if not url.startswith(f"{self.url}/"):
            self.complaints.append(f"a request left for {url}")

    def log_in(self) -> None:
        """By the form."""
        self.page.goto(f"{self.url}/login")
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_url(f"{self.url}/")

    def grave(self) -> list[str]:
        """What axe finds serious or worse."""
        return grave(self.page)


def tab_to(page: Page, text: str, most: int = 60) -> None:
    """Press Tab until this has the focus."""
    for _ in range(most):
        if page.evaluate("document.activeElement.textContent.trim()") == text:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard does not reach {text!r}")
