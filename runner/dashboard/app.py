"""The dashboard as a Flask app: doors, pages, actions and the stream, put together."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from flask import Flask, g, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from runner.core.figures import figure, span
from runner.core.wording import leg_words, outcome_words, plain_words, state_words
from runner.dashboard.actions import Actions
from runner.dashboard.desk import Desk
from runner.dashboard.doors import Doors
from runner.dashboard.figures import ago, amount, instant, machine, money
from runner.dashboard.live import Live
from runner.dashboard.pages import Pages
from runner.dashboard.waiting import Waiting
from runner.errors import RunnerError

log = logging.getLogger(__name__)

MOST_FORM = 16 * 1024
"""Bytes of a form."""

THEMES = ("auto", "light", "dark")
_SORRY = {
    404: ("There is no such page", "Rules, runs and orders are found from the pages above."),
    500: (
        "This page has an error",
        "Alerts and orders go on. The error stands in the runner's log.",
    ),
}
NAVIGATION = (
    ("overview", "Overview"),
    ("rules", "Rules"),
    ("events", "Events"),
    ("orders", "Orders"),
    ("chart", "Chart"),
    ("journal", "Journal"),
    ("system", "System"),
)


class Dashboard:
    """The app and its parts; `app` is what a server serves."""

    def __init__(
        self,
        desk: Desk,
        proxies: Sequence[str] = (),
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        monotonic: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        """`now` and `monotonic` are the wall clock and one that never steps, in ms."""
        self._desk = desk
        self._now = now
        self.doors = Doors(desk.password, proxies, monotonic)
        self.live = Live(desk, self.doors)
        self.waiting = Waiting(desk, now, self.live.notice)
        self.app = Flask(__name__)
        self.app.config["MAX_CONTENT_LENGTH"] = MOST_FORM
        self.app.url_map.strict_slashes = False
        self.doors.install(self.app)
        Pages(desk, self.waiting, now).install(self.app)
        Actions(desk, self.waiting).install(self.app)
        self.live.install(self.app)
        self.app.add_url_rule("/theme", "theme", _theme, methods=["POST"])
        self.app.context_processor(self._common)
        self.app.register_error_handler(RunnerError, _failed)
        self.app.register_error_handler(HTTPException, _refused)
        self._words()

    def _words(self) -> None:
        """What templates may say."""
        self.app.jinja_env.filters.update(
            instant=instant,
            machine=machine,
            span=span,
            figure=figure,
            amount=amount,
            money=money,
            leg=leg_words,
            state=state_words,
            outcome=outcome_words,
            order=plain_words,
        )
        self.app.jinja_env.trim_blocks = self.app.jinja_env.lstrip_blocks = True
        folder = Path(self.app.static_folder or "")
        marks = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:12]
            for path in folder.iterdir()
        }

        def asset(name: str) -> str:
            return url_for("static", filename=name, v=marks[name])

        self.app.jinja_env.globals["asset"] = asset

    def _common(self) -> dict[str, Any]:
        """What every page shows: who is logged in, the mode, and what needs a person."""
        now = self._now()
        theme = request.cookies.get("theme", "")
        common: dict[str, Any] = {
            "now": now,
            "ago": lambda at: ago(at, now),
            "theme": theme if theme in THEMES else "auto",
            "themes": THEMES,
            "navigation": NAVIGATION,
            "folder": self._desk.folder,
            "session": g.get("session"),
            "status": None,
            "said": None,
        }
        if common["session"] is None:
            return common
        common["status"] = self._desk.status()
        if request.method == "GET" and "X-Fragment" not in request.headers:
            common["said"], g.session.said = g.session.said, None
        return common


def _theme() -> AnyResponse:
    """Keep what the reader wants to see: light, dark, or as the machine says."""
    wanted = request.form.get("theme", "")
    response = redirect(url_for("overview"), 303)
    if wanted in THEMES:
        response.set_cookie(
            "theme", wanted, max_age=31_536_000, samesite="Strict", httponly=True, secure=g.secure
        )
    return response


def _failed(error: RunnerError) -> tuple[str, int]:
    """The journal cannot be read, or the like: the text says what to do."""
    log.warning("the dashboard cannot show %s: %s", request.path, error)
    g.session = None
    return render_template("problem.html", title="This cannot be shown", text=str(error)), 503


def _refused(error: HTTPException) -> tuple[str, int] | HTTPException:
    if error.code is None or error.code < 400:
        return error
    g.setdefault("session", None)
    title, text = _SORRY.get(
        error.code, ("This request is not understood", str(error.description or error.name))
    )
    return render_template("problem.html", title=title, text=text), error.code
