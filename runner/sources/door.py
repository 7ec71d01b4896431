"""The way of one alert, whoever carries its bytes: parse, authenticate, hand in, answer."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, fields
from typing import Any

from runner.core.decision import AlertAnswer, RuleAnswer
from runner.core.events import Alert, Value
from runner.sources.bodies import MAX_BYTES, body_hash, event_time, parse
from runner.sources.hooks import Hook, HookTable
from runner.sources.malformed import BodyError
from runner.sources.senders import MOST_ALERTS, Refusals, Senders, Tally
from runner.sources.texts import is_text

RETRY_AFTER = 5
"""Seconds; what TradingView waits before it sends an alert again."""

PATIENCE = 2.5
"""Seconds an alert waits for its commit; TradingView gives up after 3."""

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
NOT_COMMITTED = "the alert could not be stored, nothing was done: send it again"

Reply = Future[AlertAnswer | None]

_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_SHOWN = tuple(field.name for field in fields(RuleAnswer))

log = logging.getLogger("runner.sources.webhook")
"""Under the name that people's settings of logs know."""


@dataclass(frozen=True, slots=True)
class Knock:
    """A POST to `/hook/<path>` or `/hook/<path>/<token>`.

    `peer` is who connected, `forwarded` its X-Forwarded-For headers, `signature` its X-Signature.
    """

    path: str
    token: str | None
    body: bytes
    peer: str
    forwarded: Sequence[str]
    signature: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a sender is told; `retry_after` in seconds."""

    status: int
    document: Mapping[str, Any]
    retry_after: int | None = None

    @property
    def body(self) -> bytes:
        """As JSON in one line."""
        return _JSON.encode(self.document).encode() + b"\n"


class _Refused(Exception):  # it is an answer, no error
    """An answer that ends the way at once."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class Door:
    """Lets alerts in. Any thread may call.

    `submit` blocks until the alert's outcome is committed and returns it, or returns None when
    it could not be committed in time. `hand_in` does not block: it gives the outcome's future,
    or None for what `submit` must be asked; whoever called waits `patience` seconds.
    """

    def __init__(
        self,
        hooks: Callable[[], HookTable],
        submit: Callable[[Alert], AlertAnswer | None],
        now: Callable[[], int],
        senders: Senders,
        hand_in: Callable[[Alert], Reply | None] = lambda _: None,
        patience: float = PATIENCE,
    ) -> None:
        """`hooks` is asked for at each alert, so a reload takes effect at once; `now` is in ms."""
        self.submit = submit
        self.hand_in = hand_in
        self.patience = patience
        self.counted: list[Callable[[int, float], None]] = []
        """Told the status and the seconds of each answer that did not go through the app."""
        self._hooks = hooks
        self._now = now
        self._senders = senders
        self._refusals = Refusals()
        self._alerts = Tally()
        # an unknown path is compared with this, so that it costs what a wrong secret costs
        self._nobody = Hook("", os.urandom(32))

    def look(self, knock: Knock) -> Alert | Answer:
        """Return the alert, authenticated and without its secret, or why it is refused.

        The body is read before the path is looked up: a malformed one gets the same answer
        whether the path exists or not.
        """
        try:
            return self._admitted(knock)
        except BodyError as error:
            return Answer(400, {"error": error.message, "cure": error.cure})
        except _Refused as refused:
            return refused.answer

    def ask(self, alert: Alert) -> Answer:
        """Have it decided and committed, however long that takes; the log tells of it."""
        answer = self.submit(alert)
        found = outcome(answer)
        tell(alert, answer, found)
        return found

    def _admitted(self, knock: Knock) -> Alert:
        received_at = self._now()
        body = knock.body
        hook = self._hooks().get(knock.path, self._nobody)
        address = self._senders.address(knock.peer, knock.forwarded)
        proven = _proven(hook, knock)
        try:
            told = _fields(hook, body, proven is True)
        except BodyError as error:
            self._refuse(address, "malformed body", error.message, polite=proven is True)
            raise
        given = told.pop(hook.secret_field, None)
        if not (hook.admits(given) if proven is None else proven):
            # not the path: people put secrets there
            self._refuse(address, "unknown hook or wrong secret")
            if is_text(body):
                parse(body)  # which refuses it, as on a path that takes JSON only
            raise _Refused(Answer(404, {"error": UNKNOWN}))
        if not self._senders.admits(address):
            self._refuse(address, "right secret, but hooks.allow lacks this address", polite=True)
            raise _Refused(Answer(404, {"error": UNKNOWN}))
        if self._alerts.add(knock.path, received_at) > MOST_ALERTS:
            raise _Refused(Answer(503, {"error": TOO_MANY}, RETRY_AFTER))
        return Alert(knock.path, told, body_hash(told), received_at, event_time(told))

    def _refuse(self, address: str, what: str, reason: str = "", *, polite: bool = False) -> None:
        """Note a refusal; raise the one of an address that had too many.

        A sender that has proven itself is refused for its body only, however often.
        """
        wait, worth_telling = self._refusals.another(address, self._now())
        if worth_telling:
            more = {"reason": reason} if reason else {}
            text = f"{what}, and more from this address: not told any more" if wait else what
            log.warning(text, extra={"address": address, **more})
        if wait and not polite:
            raise _Refused(Answer(429, {"error": WAIT}, 60))


def _proven(hook: Hook, knock: Knock) -> bool | None:
    """Whether path or signature open this hook; None where neither was given."""
    if knock.signature is not None:
        return hook.signed(knock.body, knock.signature)
    return None if knock.token is None else hook.admits(knock.token)


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


def outcome(answer: AlertAnswer | None) -> Answer:
    """Return what a sender is told of an outcome; None: it could not be committed."""
    if answer is None:
        return Answer(503, {"error": NOT_COMMITTED}, RETRY_AFTER)
    document: dict[str, Any] = {"outcome": answer.outcome}
    if answer.outcome == "unfit":
        misfits = "; ".join(
            f"{each.rule_id}: {each.detail or each.reason}" for each in answer.rules
        )
        document["error"] = f"no rule takes this body: {misfits}"
    document["rules"] = [_shown(each) for each in answer.rules]
    return Answer(STATUS[answer.outcome], document)


def _shown(rule: RuleAnswer) -> dict[str, str]:
    return {name: getattr(rule, name) for name in _SHOWN}


def tell(alert: Alert, answer: AlertAnswer | None, found: Answer) -> None:
    """One line in the log: which path, what came of it."""
    word = answer.outcome if answer else "not committed"
    log.info("alert", extra={"hook": alert.path, "status": found.status, "outcome": word})


def failed(error: Exception) -> Answer:
    """Return what a sender is told when something failed; the log has the trace."""
    log.error("an alert could not be handed over", exc_info=error)
    return outcome(None)
