"""Webhooks: a Flask app whose doors are alerts, by POST, and whether the runner lives and is ready.

Answers: 200 once the outcome is committed (none of these may be sent again), 503 only when it
could not be committed, 4xx for what can never succeed. A sender with the right secret never
gets 429 or 504: TradingView would not repeat those. Only wrong secrets are told to wait, and
they never keep a right one out, whatever address both come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException, NotFound, RequestEntityTooLarge

from runner.core.decision import AlertAnswer
from runner.core.events import Alert
from runner.sources.bodies import MAX_BYTES
from runner.sources.door import TOO_LARGE, UNKNOWN, Answer, Door, Knock, Reply, failed
from runner.sources.hooks import HookTable
from runner.sources.readiness import Readiness
from runner.sources.senders import Senders, networks

DOOR = "runner door"
"""Where the app's extensions keep the door: what takes alerts without the app looks there."""

SIGNATURE = "X-Signature"
"""The header of senders that sign: sha256= and HMAC-SHA256 of the body, in hexadecimal."""

NOTHING_HERE = (
    "this address takes alerts, by POST to /hook/<path>: `runner alert RULE` prints the message "
    "and the path of a rule"
)


def create_app(
    hooks: Callable[[], HookTable],
    submit: Callable[[Alert], AlertAnswer | None],
    readiness: Callable[[], Readiness],
    now: Callable[[], int],
    *,
    allow: Iterable[str] = (),
    proxies: Iterable[str] = (),
    readiness_of: Callable[[str], Readiness | None] = lambda _: None,
    hand_in: Callable[[Alert], Reply | None] = lambda _: None,
) -> Flask:
    """Return the app.

    `submit` blocks until the alert's outcome is committed and returns it, or returns None when
    it could not be committed in time. `hooks` is asked at each request, so a reload takes effect
    at once. `now` is UTC ms. `allow`: whose alerts are taken, everybody's when empty; `proxies`:
    whose X-Forwarded-For counts; both as runner.sources.senders.networks reads them.
    `readiness_of` tells of one of several accounts, None where there is none of this name.
    `hand_in` does not block, as Door says.
    """
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BYTES
    app.url_map.merge_slashes = False  # a redirect would make the sender drop the body
    door = Door(hooks, submit, now, Senders(networks(allow), networks(proxies)), hand_in)
    app.extensions[DOOR] = door

    def take(path: str, token: str | None = None) -> Response:
        return _take(door, path, token)

    for rule in ("/hook/<path>", "/hook/<path>/<token>"):
        app.add_url_rule(rule, "hook", take, methods=["POST"], provide_automatic_options=False)
    app.add_url_rule("/livez", "livez", lambda: jsonify(live=True))
    app.add_url_rule("/readyz", "readyz", lambda: _readyz(readiness()))
    app.add_url_rule("/readyz/<name>", "readyz_of", lambda name: _readyz(readiness_of(name)))
    app.register_error_handler(RequestEntityTooLarge, lambda _: _error(413, TOO_LARGE))
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(Exception, lambda error: _response(failed(error)))
    return app


def _take(door: Door, path: str, token: str | None) -> Response:
    """Answer `POST /hook/<path>`."""
    knock = Knock(
        path,
        token,
        request.get_data(cache=False),
        request.remote_addr or "",
        request.headers.getlist("X-Forwarded-For"),
        request.headers.get(SIGNATURE),
    )
    found = door.look(knock)
    return _response(found if isinstance(found, Answer) else door.ask(found))


def _readyz(state: Readiness | None) -> Response:
    if state is None:
        raise NotFound
    response = jsonify(state.document())
    response.status_code = 200 if state.ready else 503
    return response


def _response(answer: Answer) -> Response:
    response = Response(answer.body, answer.status, content_type="application/json")
    if answer.retry_after is not None:
        response.headers["Retry-After"] = str(answer.retry_after)
    return response


def _error(status: int, message: str) -> Response:
    return _response(Answer(status, {"error": message}))


def _refused(error: HTTPException) -> Response:
    looked = request.path == "/" and request.method in ("GET", "HEAD")
    message = {
        404: NOTHING_HERE if looked else UNKNOWN,
        405: f"{request.method} does nothing here: send the alert by POST",
    }.get(error.code or 500, f"{error.name}: the request is not understood")
    response = _error(error.code or 500, message)
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response
