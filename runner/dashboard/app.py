"""The dashboard as a Flask app: doors, pages, actions and the stream, put together."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, g, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.dispatcher import DispatcherMiddleware
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

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

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


@dataclass(frozen=True, slots=True)
class Among:
    """One account by its `name` among all `desks`, whose `first` dashboard keeps the doors."""

    name: str
    desks: Mapping[str, Desk]
    first: Dashboard | None = None


class Dashboard:
    """The app and its parts; `app` is what a server serves."""

    def __init__(
        self,
        desk: Desk,
        proxies: Sequence[str] = (),
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        monotonic: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
        among: Among | None = None,
    ) -> None:
        """`now` and `monotonic` are the wall clock and one that never steps, in ms.

        `among` are the accounts of which `desk` is one; without it there is no choice.
        """
        self._desk = desk
        self._now = now
        self._among = among or Among("", {"": desk})
        first = self._among.first
        self.doors: Doors = first.doors if first else Doors(desk.password, proxies, monotonic)
        self.live: Live = Live(desk, self.doors, first.live.room if first else None)
        self.waiting = Waiting(desk, now, self.live.notice)
        self.app = Flask(__name__)
        self.app.config["MAX_CONTENT_LENGTH"] = MOST_FORM
        self.app.url_map.strict_slashes = False
        self.doors.install(self.app)
        Pages(desk, self.waiting, now).install(self.app)
        Actions(desk, self.waiting, self._among.desks).install(self.app)
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
            "accounts": [*self._elsewhere()] if len(self._among.desks) > 1 else [],
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

    def _elsewhere(self) -> Iterator[tuple[str, str, bool]]:
        """Each account, where the same page of it is, and whether it is this one."""
        same = request.path if request.endpoint in dict(NAVIGATION) else "/"
        names = [*self._among.desks]
        for name in names:
            yield name, f"{prefix(names, name)}{same}", name == self._among.name


def several(desks: Mapping[str, Desk], proxies: Sequence[str] = ()) -> dict[str, Dashboard]:
    """A dashboard for each account, behind the same doors; the first is the default account's."""
    made: dict[str, Dashboard] = {}
    for name, desk in desks.items():
        among = Among(name, desks, next(iter(made.values()), None))
        made[name] = Dashboard(desk, proxies, among=among)
    return made


def together(dashboards: Mapping[str, Dashboard]) -> WSGIApplication:
    """All of them as one app: the first at the root, each other one under its account's name."""
    names = [*dashboards]
    mounts: dict[str, WSGIApplication] = {
        prefix(names, name): dashboards[name].app for name in names[1:]
    }
    root = dashboards[names[0]].app
    return DispatcherMiddleware(root, mounts) if mounts else root


def prefix(names: Sequence[str], name: str) -> str:
    """Where the pages of an account begin."""
    return "" if name == names[0] else f"/account/{name}"


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
