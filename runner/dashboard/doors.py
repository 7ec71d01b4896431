"""Who may in: the way one came, the login, and where a form was sent from."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from runner.core.figures import span
from runner.dashboard.passwords import fits, is_hash
from runner.dashboard.sessions import LONGEST, Lockout, Session, Sessions
from runner.sources.senders import Senders, networks

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
"""Nothing inline, nothing from elsewhere."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # with no-referrer a form would come with `Origin: null`
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
OPEN = frozenset({"login", "static"})
"""What is shown without a login."""

UNIX_PEER = "localhost"
"""What waitress calls whoever comes by a Unix socket: a proxy, or the end of a tunnel.

The file's mode says who may; what they say of the sender counts.
"""

HOST_COOKIE = "__Host-runner"
PASSWORD_AGE = 10_000
"""Ms after which the kept hash is read again."""

Clock = Callable[[], int]


class Doors:
    """The dashboard's doorkeeper: `password` gives the kept hash, None when there is none."""

    def __init__(
        self, password: Callable[[], str | None], proxies: Sequence[str], now: Clock
    ) -> None:
        """`proxies`: whose word about the sender and about TLS counts; `now`: ms, never steps."""
        self._password = password
        self._senders = Senders(proxies=networks(proxies))
        self._now = now
        self._lock = threading.Lock()
        self._kept: str | None = None
        self._kept_at: int | None = None
        self.sessions = Sessions(now)
        self.lockout = Lockout(now)

    def install(self, app: Flask) -> None:
        """Put itself before and behind every request of the app, and add login and logout."""
        app.before_request(self._before)
        app.after_request(_after)
        app.add_url_rule("/login", "login", self._login, methods=["GET", "POST"])
        app.add_url_rule("/logout", "logout", self._logout, methods=["POST"])

    # every request

    def _before(self) -> AnyResponse | None:
        g.secure = self._secure()
        g.session = None
        if not (g.secure or _local()):
            return _page("elsewhere.html", 403)
        kept = self._current()
        if request.endpoint == "static":
            return None
        if kept is None:
            return _page("unset.html", 403)
        if request.method not in ("GET", "HEAD") and not self._from_here():
            return _page("foreign.html", 403)
        g.session = self.sessions.find(request.cookies.get(self.cookie, ""))
        if g.session is None and request.endpoint not in OPEN:
            return _to_login()
        changes = request.method == "POST" and request.endpoint not in OPEN
        if changes and not _token_fits(g.session):
            return _page("foreign.html", 403)
        return None

    @property
    def cookie(self) -> str:
        """The cookie's name: over plain HTTP browsers refuse the prefix, and ports share a jar."""
        return HOST_COOKIE if g.secure else f"runner-{urlsplit(request.host_url).port or 80}"

    def _secure(self) -> bool:
        """True when a trusted proxy says that the browser spoke TLS."""
        said = request.headers.get("X-Forwarded-Proto", "")
        peer = request.remote_addr or ""
        return said == "https" and (peer == UNIX_PEER or self._senders.trusts(peer))

    def _from_here(self) -> bool:
        """True when the form stood on one of our own pages."""
        scheme = "https" if g.secure else "http"
        return request.headers.get("Origin", "") == f"{scheme}://{request.host}"

    def _current(self, most: int = PASSWORD_AGE) -> str | None:
        """The kept hash; a new one ends every session."""
        with self._lock:
            now = self._now()
            if self._kept_at is None or now - self._kept_at >= most:
                found = self._password()
                found = found if found is not None and is_hash(found) else None
                if found != self._kept:
                    self.sessions.close_all()
                self._kept, self._kept_at = found, now
            return self._kept

    @property
    def address(self) -> str:
        """Who sent this request."""
        forwarded = request.headers.getlist("X-Forwarded-For")
        peer = request.remote_addr or ""
        if peer == UNIX_PEER and forwarded:
            *forwarded, peer = [part.strip() for each in forwarded for part in each.split(",")]
        return self._senders.address(peer, forwarded)

    # login and logout

    def _login(self) -> AnyResponse:
        if request.method == "GET":
            return redirect(url_for("overview")) if g.session else _page("login.html", 200)
        wait = self.lockout.wait(self.address)
        if wait:
            text = f"Too many wrong passwords: try again in {span(wait)}."
            return _page("login.html", 429, objection=text, wait=wait)
        if not fits(self._current(0) or "", request.form.get("password", "")):
            self.lockout.failed(self.address)
            wait = self.lockout.wait(self.address)
            text = "This is not the password."
            text += f" Too many wrong ones: try again in {span(wait)}." if wait else ""
            return _page("login.html", 401, objection=text, wait=wait)
        self.lockout.passed(self.address)
        response = redirect(_next(request.form.get("next", "")))
        response.set_cookie(
            self.cookie,
            self.sessions.open(),
            max_age=LONGEST // 1000,
            secure=g.secure,
            httponly=True,
            samesite="Strict",
        )
        return response

    def _logout(self) -> AnyResponse:
        self.sessions.close(request.cookies.get(self.cookie, ""))
        response = redirect(url_for("login"))
        response.delete_cookie(self.cookie, secure=g.secure, httponly=True, samesite="Strict")
        return response


def _local() -> bool:
    """True for a browser on this machine (or at the end of a tunnel) that says so in Host.

    A page of another site that makes its own name point here would still send that name.
    """
    host = urlsplit(f"//{request.host}").hostname or ""
    peer = request.remote_addr or ""
    near = peer == UNIX_PEER or _is_loopback(peer)
    return near and (host == "localhost" or _is_loopback(host))


def _is_loopback(text: str) -> bool:
    try:
        return ip_address(text).is_loopback
    except ValueError:
        return False


def _token_fits(session: Session) -> bool:
    given = request.form.get("token", "")
    return hmac.compare_digest(given.encode(), session.token.encode())


def _to_login() -> AnyResponse:
    if request.endpoint == "stream" or "X-Fragment" in request.headers:
        return Response("log in first\n", 401, mimetype="text/plain")
    path = request.full_path.rstrip("?") if request.method == "GET" else "/"
    path = request.script_root + path
    return redirect(url_for("login", next=path if path != "/" else None))


def _next(path: str) -> str:
    """Where to go after the login: a path of ours, else the overview."""
    parts = urlsplit(path)
    ours = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if ours and not parts.scheme and not parts.netloc else url_for("overview")


def _page(template: str, status: int, **values: Any) -> AnyResponse:
    response = make_response(render_template(template, **values), status)
    if values.get("wait"):
        response.headers["Retry-After"] = str(values["wait"] // 1000 + 1)
    return response


def _after(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers[name] = value
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    if g.get("secure"):
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    return response
