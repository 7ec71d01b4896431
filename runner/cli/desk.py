"""What the dashboard asks of the rest, answered as the verbs of the command line answer."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click
import requests

from runner.cli.accounts import IN_EFFECT
from runner.cli.commanding import command
from runner.cli.explain import rule_lines
from runner.cli.holding import held
from runner.cli.reading import journal_of, started
from runner.cli.rules import rules_of
from runner.cli.status import told_of
from runner.cli.switching import give
from runner.connecting import wall_ms
from runner.core.limits import Limits
from runner.core.rules import Rule, RuleSet
from runner.dashboard.desk import Candle, Plain, Told
from runner.dashboard.passwords import SECRET
from runner.errors import ConfigurationError, JournalError, RunnerError
from runner.journal import JournalReader
from runner.killing import leave_request
from runner.ops.secrets import Secrets
from runner.rulebook.watch import Watch
from runner.settings import Settings
from runner.venues.binance_usdm.presets import reach

PATIENCE = 5.0
"""Seconds for which the runner is waited for when it is asked what it sees."""

STATUS_AGE = 1_000
CANDLES_AGE = 5_000
"""Ms for which an answer is given again."""

CANDLES = 180
WHO = "dashboard"


class FolderDesk:
    """The desk of a runner's folder; `dashboard.desk.Desk` says what each method answers."""

    def __init__(self, folder: Path, settings: Settings, account: str = "") -> None:
        """`settings` are the folder's, read once as the daemon does.

        Where they have several accounts, it is about the one that is named.
        """
        self._folder = folder
        self._account = account
        if account:
            settings = settings.of(account)
        self._settings = settings
        self._secrets = Secrets(settings.secrets, folder)
        self.secrets = self._secrets.values
        """What no log may hold."""

        self._lock = threading.Lock()
        self._status: tuple[int, Plain] | None = None
        self._candles: dict[tuple[str, str], tuple[int, tuple[Candle, ...]]] = {}
        self._reading = threading.Lock()
        self._watch = Watch(folder / "rules")
        self._digest: str | None = None
        self._rules: RuleSet | ConfigurationError = RuleSet({})

    @property
    def folder(self) -> str:
        """As it was given."""
        return str(self._folder)

    def journal(self) -> JournalReader:
        """On a connection of its own."""
        return journal_of(self._folder, self._settings)

    def status(self) -> Plain:
        """Read anew once a second at most, by one thread."""
        with self._lock:
            now = wall_ms()
            if self._status is None or now - self._status[0] >= STATUS_AGE:
                with self.journal() as journal, self._acting():
                    self._status = now, told_of(self._folder, journal, now, self._read)
            return self._status[1]

    @contextmanager
    def _acting(self) -> Iterator[None]:
        """What is read of the folder meanwhile is the account's, as under `--account`."""
        with click.Context(click.Command("dashboard")) as context:
            context.meta[IN_EFFECT] = self._account
            yield

    def rules(self) -> Mapping[str, Rule]:
        """Read anew when the files have changed."""
        try:
            return self._read().rules
        except ConfigurationError:
            return {}

    def warm(self) -> None:
        """Read the rules before the first page asks for them."""
        self.rules()

    def _read(self) -> RuleSet:
        with self._reading:
            digest = self._watch.digest()
            if digest != self._digest:
                try:
                    with self._acting():
                        self._rules = rules_of(self._folder)
                except ConfigurationError as error:
                    self._rules = error
                self._digest = digest
            if isinstance(self._rules, ConfigurationError):
                raise ConfigurationError(str(self._rules))
            return self._rules

    def account_limits(self) -> Limits:
        """Of the account that the newest start named; none where runner.yaml has none."""
        name = str(self.status()["account"] or "")
        known = self._settings.accounts.get(name)
        return Limits() if known is None else known.limits

    def look(self, rule_id: str = "", symbol: str = "") -> Plain | None:
        """By a command that changes nothing."""
        return self._ask("look", rule_id=rule_id, symbol=symbol)

    def account(self) -> Plain | None:
        """By a command that changes nothing; from the journal where nobody answers it."""
        try:
            with self.journal() as journal, self._acting():
                return held(self._folder, self._settings, journal, wall_ms())[0]
        except JournalError:
            return None

    def _ask(self, verb: str, **data: str) -> Plain | None:
        if not self.status()["running"]:
            return None
        now = wall_ms()
        try:
            told = command(
                self._folder, self._settings, verb, {"who": WHO, "at": now, **data}, now, PATIENCE
            )
        except RunnerError:
            return None
        return dict(told.data) if told.done and told.data is not None else None

    def order(self, verb: str, *, reason: str, symbol: str = "", rule_id: str = "") -> Told:
        """As the verb of the command line; a kill's cancels leave at once."""
        data: dict[str, Any] = {"who": WHO, "at": wall_ms(), "reason": reason}
        if symbol:
            data["symbol"] = symbol
        if rule_id:
            data["rule_id"] = rule_id
        key = ""
        if verb == "kill":
            data["flatten"] = self._settings.on_kill == "flatten"
            key = f"{verb}-{data['at']}-{os.getpid()}"
            leave_request(self._folder, key, data, self._settings.apart)
        with self._acting():
            answer = give(self._folder, self._settings, verb, data, key)
        with self._lock:
            self._status = None
        return Told(answer.done, answer.text)

    def candles(self, symbol: str, interval: str) -> tuple[Candle, ...]:
        """Public prices of the account's exchange (GET /fapi/v1/klines, weight 2)."""
        key, now = (symbol, interval), wall_ms()
        kept = self._candles.get(key)
        if kept is None or now - kept[0] >= CANDLES_AGE:
            kept = now, self._fetch(symbol, interval)
            self._candles[key] = kept
        return kept[1]

    def _fetch(self, symbol: str, interval: str) -> tuple[Candle, ...]:
        rest = self._rest()
        if rest is None:
            return ()
        query: dict[str, str | int] = {"symbol": symbol, "interval": interval, "limit": CANDLES}
        try:
            answer = requests.get(f"{rest}/fapi/v1/klines", params=query, timeout=3)
            answer.raise_for_status()
            return tuple(_candle(row) for row in answer.json())
        except (requests.RequestException, ValueError, TypeError, IndexError, InvalidOperation):
            return ()

    def _rest(self) -> str | None:
        """Where the exchange is that the runner trades on; the embedded one says so itself."""
        with self.journal() as journal:
            exchange = started(journal).get("exchange")
        if exchange:
            return str(exchange["rest"])
        try:
            account = self._settings.account()
            return reach(account.address, "rest").rest
        except (RunnerError, KeyError):
            return None

    def written(self, rule_text: str) -> list[str]:
        """As `runner explain` shows it."""
        return rule_lines(rule_text)

    def password(self) -> str | None:
        """The secret `dashboard`; None where there is none, or none that may be read."""
        try:
            return self._secrets.get(SECRET)
        except ConfigurationError:
            return None


def _candle(row: list[Any]) -> Candle:
    return Candle(int(row[0]), *(Decimal(str(each)) for each in row[1:5]))
