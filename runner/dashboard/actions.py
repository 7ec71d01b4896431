"""Kill, pause, resume, flatten, unlock and the rules' switches: asked twice, given as a verb."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from flask import Flask, abort, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from runner.dashboard.desk import Desk
from runner.dashboard.waiting import Waiting
from runner.errors import RunnerError

log = logging.getLogger(__name__)

LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Verb:
    """One command: its button, what it will do, and whether it needs a reason or a target."""

    title: str
    button: str
    text: str
    grave: bool = False
    reasoned: bool = False
    of_rule: bool = False


VERBS: Mapping[str, Verb] = {
    "kill": Verb(
        "Kill",
        "Kill now",
        "Cancels every open order of the runner's symbols, also those placed by hand, and opens "
        "nothing more until it is unlocked. Positions are then closed at market, unless "
        "runner.yaml says on_kill: cancel.",
        grave=True,
    ),
    "flatten": Verb(
        "Flatten",
        "Close positions now",
        "Cancels the runner's open orders and closes the positions at market, reduce-only: of one "
        "symbol, or all. Rules go on and may open anew: pause first if they shall not.",
        grave=True,
    ),
    "pause": Verb(
        "Pause",
        "Pause",
        "No rule opens anything any more, and entries that were not sent are taken back. Exits go "
        "on. It lasts over restarts, until you resume.",
    ),
    "resume": Verb("Resume", "Resume", "Rules may open positions again."),
    "unlock": Verb(
        "Unlock",
        "Unlock",
        "Takes entries again after a kill. Say what you found; it is kept in the journal.",
        reasoned=True,
    ),
    "disable": Verb(
        "Disable rule",
        "Disable this rule",
        "The rule does not fire until it is enabled again. What it has begun goes on.",
        of_rule=True,
    ),
    "enable": Verb("Enable rule", "Enable this rule", "The rule may fire again.", of_rule=True),
}


class Actions:
    """The pages that change something: a question, and what became of the answer."""

    def __init__(self, desk: Desk, waiting: Waiting) -> None:
        """Commands go to `desk`; what `waiting` had seen before is forgotten."""
        self._desk = desk
        self._waiting = waiting

    def install(self, app: Flask) -> None:
        """Add them to the app."""
        app.add_url_rule("/do/<verb>", "confirm", self.confirm, methods=["GET"])
        app.add_url_rule("/do/<verb>", "give", self.give, methods=["POST"])

    def confirm(self, verb: str) -> str:
        """What it will do, and the button that does it."""
        return self._question(verb, request.args.get("rule", ""), "")

    def give(self, verb: str) -> AnyResponse | tuple[str, int]:
        """Do it, and go where what became of it is told."""
        what = self._known(verb)
        reason = request.form.get("reason", "").strip()[:LONGEST_REASON]
        rule_id = request.form.get("rule", "").strip()[:100] if what.of_rule else ""
        symbol = request.form.get("symbol", "").strip()[:40] if verb == "flatten" else ""
        if what.reasoned and not reason:
            return self._question(verb, rule_id, "Say why: the reason is kept in the journal."), 422
        log.warning("the dashboard gives the command %s", verb)
        try:
            told = self._desk.order(verb, reason=reason, symbol=symbol, rule_id=rule_id)
            g.session.said = (told.done, told.text)
        except RunnerError as error:
            g.session.said = (False, str(error))
        self._waiting.forget()
        where = url_for("rule", rule_id=rule_id) if rule_id else url_for("overview")
        return redirect(where, 303)

    def _question(self, verb: str, rule_id: str, objection: str) -> str:
        what = self._known(verb)
        if what.of_rule and not rule_id:
            abort(404)
        held = self._waiting.account()
        symbols = {each["symbol"] for each in held["positions"]} if held else set()
        symbols |= {symbol for rule in self._desk.rules().values() for symbol in rule.symbols}
        return render_template(
            "confirm.html",
            verb=verb,
            what=what,
            rule_id=rule_id,
            symbols=sorted(symbols) if verb == "flatten" else [],
            objection=objection,
        )

    @staticmethod
    def _known(verb: str) -> Verb:
        if verb not in VERBS:
            abort(404)
        return VERBS[verb]
