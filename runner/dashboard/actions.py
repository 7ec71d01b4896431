"""Kill, pause, resume, flatten, unlock and the rules' switches: asked twice, given as a verb."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from flask import Flask, abort, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from runner.dashboard.desk import Desk, Told
from runner.dashboard.waiting import Waiting
from runner.errors import RunnerError

log = logging.getLogger(__name__)

LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Verb:
    """One command: its button, what it will do, and whether it needs a reason or a target.

    What `stops` trading is meant for every account, unless one is chosen.
    """

    title: str
    button: str
    text: str
    grave: bool = False
    stops: bool = False
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
        stops=True,
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
        stops=True,
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

    def __init__(self, desk: Desk, waiting: Waiting, desks: Mapping[str, Desk]) -> None:
        """Commands go to `desk`, one of `desks` by account, or to all of them.

        What `waiting` had seen before is forgotten.
        """
        self._desk = desk
        self._waiting = waiting
        self._desks = desks
        [self._own] = [name for name, one in desks.items() if one is desk]

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

        def order(desk: Desk) -> Told:
            return desk.order(verb, reason=reason, symbol=symbol, rule_id=rule_id)

        every = not what.of_rule and not request.form.get("account", self._own)
        told = _together(self._desks if every else {"": self._desk}, order)
        g.session.said = (told.done, told.text)
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
            own=self._own,
            others=len(self._desks) > 1 and not what.of_rule,
        )

    @staticmethod
    def _known(verb: str) -> Verb:
        if verb not in VERBS:
            abort(404)
        return VERBS[verb]


def _together(desks: Mapping[str, Desk], order: Callable[[Desk], Told]) -> Told:
    """Give it to all of them at once, so that none waits for another; one answer of theirs."""

    def given(desk: Desk) -> Told:
        try:
            return order(desk)
        except RunnerError as error:
            return Told(False, str(error))

    with ThreadPoolExecutor(len(desks)) as pool:
        answers = dict(zip(desks, pool.map(given, desks.values()), strict=True))
    texts = [f"account {name}: {one.text}" if name else one.text for name, one in answers.items()]
    return Told(all(one.done for one in answers.values()), "; ".join(texts))
