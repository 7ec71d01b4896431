"""Webhooks: a Flask app that turns an authenticated POST into an Alert and tells what came of it.

Answers: 200 once the outcome is committed (none of these may be sent again), 503 only when it
could not be committed, 4xx for what can never succeed. A sender with the right secret never
gets 429 or 504: TradingView would not repeat those. Only wrong secrets are told to wait, and
they never keep a right one out, whatever address both come from.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import (
    HTTPException,
    NotFound,
    RequestEntityTooLarge,
    ServiceUnavailable,
    TooManyRequests,
)

from runner.core.decision import AlertAnswer
from runner.core.events import Alert, Value
from runner.sources.bodies import MAX_BYTES, body_hash, event_time, parse
from runner.sources.hooks import Hook, HookTable
from runner.sources.malformed import BodyError
from runner.sources.readiness import Readiness
from runner.sources.senders import MOST_ALERTS, Refusals, Senders, Tally, networks
from runner.sources.texts import is_text

SIGNATURE = "X-Signature"
"""The header of senders that sign: sha256= and HMAC-SHA256 of the body, in hexadecimal."""

RETRY_AFTER = 5
"""Seconds; what TradingView waits before it sends an alert again."""

STATUS: Mapping[str, int] = {
    "fired": 200,
    "not fired": 200,
    "duplicate": 200,
    "stored": 200,
    "done": 200,
    "refused": 409,
    "unfit": 422,
}
TOO_LARGE = f"the body is larger than {MAX_BYTES} bytes: send fewer or shorter fields"
UNKNOWN = "there is no such hook, or its secret is missing or wrong"
WAIT = "too many refused requests from this address: wait a minute"
TOO_MANY = f"more than {MOST_ALERTS} alerts in a minute on this path: send it again later"
NOTHING_HERE = (
    "this address takes alerts, by POST to /hook/<path>: `runner alert RULE` prints the message "
    "and the path of a rule"
)
NOT_COMMITTED = "the alert could not be stored, nothing was done: send it again"

log = logging.getLogger(__name__)


def create_app(
    hooks: Callable[[], HookTable],
    submit: Callable[[Alert], AlertAnswer | None],
    readiness: Callable[[], Readiness],
    now: Callable[[], int],
    *,
    allow: Iterable[str] = (),
    proxies: Iterable[str] = (),
    readiness_of: Callable[[str], Readiness | None] = lambda _: None,
) -> Flask:
    """Return the app.

    `submit` blocks until the alert's outcome is committed and returns it, or returns None when
    it could not be committed in time. `hooks` is asked at each request, so a reload takes effect
    at once. `now` is UTC ms. `allow`: whose alerts are taken, everybody's when empty; `proxies`:
    whose X-Forwarded-For counts; both as runner.sources.senders.networks reads them.
    `readiness_of` tells of one of several accounts, None where there is none of this name.
    """
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BYTES
    app.url_map.merge_slashes = False  # a redirect would make the sender drop the body
    door = _Door(hooks, submit, now, Senders(networks(allow), networks(proxies)))
    for rule in ("/hook/<path>", "/hook/<path>/<token>"):
        app.add_url_rule(rule, "hook", door.take, methods=["POST"], provide_automatic_options=False)
    app.add_url_rule("/livez", "livez", lambda: jsonify(live=True))
    app.add_url_rule("/readyz", "readyz", lambda: _readyz(readiness()))
    app.add_url_rule("/readyz/<name>", "readyz_of", lambda name: _readyz(readiness_of(name)))
    app.register_error_handler(BodyError, lambda error: _error(400, error.message, cure=error.cure))
    app.register_error_handler(RequestEntityTooLarge, lambda _: _error(413, TOO_LARGE))
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(Exception, _not_committed)
    return app


class _Door:
    """The way of one request: parse, authenticate, submit, answer."""

    def __init__(
        self,
        hooks: Callable[[], HookTable],
        submit: Callable[[Alert], AlertAnswer | None],
        now: Callable[[], int],
        senders: Senders,
    ) -> None:
        self._hooks = hooks
        self._submit = submit
        self._now = now
        self._senders = senders
        self._refusals = Refusals()
        self._alerts = Tally()
        # an unknown path is compared with this, so that it costs what a wrong secret costs
        self._nobody = Hook("", os.urandom(32))

    def take(self, path: str, token: str | None = None) -> Response:
        """Answer `POST /hook/<path>`.

        The body is read before the path is looked up: a malformed one gets the same answer
        whether the path exists or not.
        """
        received_at = self._now()
        body = request.get_data(cache=False)
        hook = self._hooks().get(path, self._nobody)
        address = self._address()
        proven = self._proven(hook, token, body)
        try:
            fields = _fields(hook, body, proven is True)
        except BodyError as error:
            self._refuse(address, "malformed body", error.message, polite=proven is True)
            raise
        given = fields.pop(hook.secret_field, None)
        if not (hook.admits(given) if proven is None else proven):
            # not the path: people put secrets there
            self._refuse(address, "unknown hook or wrong secret")
            if is_text(body):
                parse(body)  # which refuses it, as on a path that takes JSON only
            raise NotFound
        if not self._senders.admits(address):
            self._refuse(address, "right secret, but hooks.allow lacks this address", polite=True)
            raise NotFound
        if self._alerts.add(path, received_at) > MOST_ALERTS:
            raise ServiceUnavailable(TOO_MANY)
        alert = Alert(path, fields, body_hash(fields), received_at, event_time(fields))
        answer = self._submit(alert)
        response = _error(503, NOT_COMMITTED) if answer is None else _outcome(answer)
        outcome = answer.outcome if answer else "not committed"
        log.info("alert", extra={"hook": path, "status": response.status_code, "outcome": outcome})
        return response

    def _address(self) -> str:
        forwarded = request.headers.getlist("X-Forwarded-For")
        return self._senders.address(request.remote_addr or "", forwarded)

    @staticmethod
    def _proven(hook: Hook, token: str | None, body: bytes) -> bool | None:
        """Whether path or signature open this hook; None where neither was given."""
        signature = request.headers.get(SIGNATURE)
        if signature is not None:
            return hook.signed(body, signature)
        return None if token is None else hook.admits(token)

    def _refuse(self, address: str, what: str, reason: str = "", *, polite: bool = False) -> None:
        """Note a refusal; raise TooManyRequests for an address that had too many.

        A sender that has proven itself is refused for its body only, however often.
        """
        wait, tell = self._refusals.another(address, self._now())
        if tell:
            more = {"reason": reason} if reason else {}
            text = f"{what}, and more from this address: not told any more" if wait else what
            log.warning(text, extra={"address": address, **more})
        if wait and not polite:
            raise TooManyRequests(WAIT, retry_after=60)


def _fields(hook: Hook, body: bytes, proven: bool) -> dict[str, Value]:
    """The body's fields. Raises BodyError; who is not `proven` learns nothing about the path."""
    if hook.text is None or not is_text(body):
        return parse(body)
    try:
        return hook.text.fields(body)
    except BodyError:
        if proven:
            raise
        return {}


def _outcome(answer: AlertAnswer) -> Response:
    body: dict[str, Any] = {"outcome": answer.outcome}
    if answer.outcome == "unfit":
        misfits = "; ".join(
            f"{each.rule_id}: {each.detail or each.reason}" for each in answer.rules
        )
        body["error"] = f"no rule takes this body: {misfits}"
    body["rules"] = [asdict(each) for each in answer.rules]
    response = jsonify(body)
    response.status_code = STATUS[answer.outcome]
    return response


def _readyz(state: Readiness | None) -> Response:
    if state is None:
        raise NotFound
    response = jsonify(state.document())
    response.status_code = 200 if state.ready else 503
    return response


def _error(status: int, message: str, **more: str) -> Response:
    response = jsonify(error=message, **more)
    response.status_code = status
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER)
    return response


def _refused(error: HTTPException) -> Response:
    looked = request.path == "/" and request.method in ("GET", "HEAD")
    message = {
        404: NOTHING_HERE if looked else UNKNOWN,
        429: WAIT,
        503: TOO_MANY,
        405: f"{request.method} does nothing here: send the alert by POST",
    }.get(error.code or 500, f"{error.name}: the request is not understood")
    response = _error(error.code or 500, message)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _not_committed(error: Exception) -> Response:
    log.error("an alert could not be handed over", exc_info=error)
    return _error(503, NOT_COMMITTED)
