"""What a person is told of committed decisions: one notice for each thing worth telling."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal

from runner.core.decision import FINAL, Decision, FillRow, LegChange, Reason, Record, Run, RunStatus
from runner.core.notice import CRITICAL, Notice
from runner.core.orders import OrderIntent, OrderState, Side
from runner.core.values import replace
from runner.core.wording import leg_words

SAID = "CRITICAL "
"""How the journal's lines about what is critical begin; a notice says it by its kind."""

MOST_TITLE = 160
MOST_SYMBOLS = 3
MOST_FILLING = 10_000
"""Orders whose fills are added up at the same time; the oldest is forgotten first."""

_BY_STATE: Mapping[OrderState, tuple[str, str]] = {
    OrderState.REJECTED: ("rejected", "refused by the exchange"),
    OrderState.LAPSED: ("rejected", "not sent"),
    OrderState.CANCELED: ("cancelled", "cancelled"),
    OrderState.EXPIRED: ("cancelled", "expired"),
    OrderState.UNKNOWN: ("unknown", "unclear, the exchange is asked about it"),
}
"""States that are told, with the kind and the words; fills and PARKED are told elsewhere."""


SWITCHING = frozenset({"enable", "disable", "pause", "resume", "cancel", "flatten", "unlock"})
"""The verbs that are told as commands; a kill is critical, a fire is told as what it fires."""

_OF_ORDERS = (Reason.REJECTED.value, Reason.LAPSED.value, Reason.PARKED.value)
"""Reasons of stopped runs that are told with their order."""


class Noticing:
    """Follows the decisions in their order; adds up the fills of each order until it is over."""

    def __init__(self, rule_of: Callable[[str], str], footer: str, pages: str = "") -> None:
        """`rule_of` tells the rule of a run; `footer` ends each body: which runner says so.

        `pages`: where the dashboard's pages begin, so that each body ends with one of them.
        """
        self._rule_of = rule_of
        self._footer = footer
        self._pages = pages
        self._filled: dict[str, list[FillRow]] = {}

    def notices(self, decisions: Sequence[Decision], now: int) -> Iterator[Notice]:
        """Everything worth telling, whether the settings want it told or not; `now` in ms."""
        for decision in decisions:
            for fill in decision.fills:
                self._filled.setdefault(fill.client_order_id, []).append(fill)
            for record in together(decision.records):
                yield from self._of_record(record)
            for run in decision.runs.values():
                yield from self._of_run(run, now)
            for change in decision.legs.values():
                yield from self._of_leg(change, now)
        while len(self._filled) > MOST_FILLING:
            self._filled.pop(next(iter(self._filled)))

    def _of_record(self, record: Record) -> Iterator[Notice]:
        kind = _kind(record)
        if kind is None:
            return
        first, _, rest = record.text.removeprefix(SAID).partition("\n")
        title = first
        if kind in ("fired", "refused", "guard"):
            reason = f" {record.reason}:" if record.reason else ""
            did = "fired:" if kind == "fired" else "did not fire:"
            title = f"{record.rule_id} {record.symbol} {did}{reason} {first}"
        elif kind == "dead_man" and record.symbol not in first:
            title = f"{record.symbol} {first}"
        elif record.rule_id and record.rule_id not in first:
            title = f"{first} ({record.rule_id})"
        run = f"run {record.run_id}" if record.run_id else ""
        page = self._page(record.run_id, record.rule_id)
        yield self._notice(record.at, kind, title, rest, run, page=page)

    def _of_run(self, run: Run, now: int) -> Iterator[Notice]:
        """A run that stopped before its orders were made: why."""
        if run.status is not RunStatus.STOPPED or run.reason.startswith(_OF_ORDERS):
            return
        kind = "guard" if run.reason.startswith(Reason.GUARD.value) else "rejected"
        identity = run.identity
        title = f"{identity.rule_id} {identity.symbol} stopped: {run.reason}"
        yield self._notice(now, kind, title, f"run {run.run_id}", page=self._page(run.run_id))

    def _of_leg(self, change: LegChange, now: int) -> Iterator[Notice]:
        before, leg = change.before, change.after
        intent = leg.intent
        if not isinstance(intent, OrderIntent):
            return
        rule_id = self._rule_of(leg.run_id)
        run = f"run {leg.run_id}"
        moved = before is None or before.state is not leg.state
        over = moved and leg.state in FINAL
        grown = leg.cumulative_quantity > (before.cumulative_quantity if before else 0)
        if leg.cumulative_quantity and (over or grown):
            yield self._fill(change, rule_id, now, over=over)
        told = _BY_STATE.get(leg.state)
        if moved and told is not None:
            kind, words = told
            why = f": {leg.message}" if leg.message else ""
            title = f"{intent.symbol} {leg_words(leg.name)} {words}{why} ({rule_id})"
            yield self._notice(now, kind, title, "", run, page=self._page(leg.run_id))
        if over:
            self._filled.pop(leg.client_order_id, None)

    def _fill(self, change: LegChange, rule_id: str, now: int, *, over: bool) -> Notice:
        leg, intent = change.after, change.after.intent
        assert isinstance(intent, OrderIntent)
        fills = [each.fill for each in self._filled.get(leg.client_order_id, [])]
        pnl = sum((each.realised_pnl for each in fills), Decimal(0))
        closes = intent.protective or bool(pnl)
        side = _side(intent, closes=closes)
        price = f" @ {money(leg.average_price)}" if leg.average_price else ""
        did = "closed" if closes else "opened"
        part = "" if leg.state is OrderState.FILLED else ", partly"
        gain = f" {pnl:+,.2f} USDT" if pnl else ""
        size = money(leg.cumulative_quantity)
        title = f"{intent.symbol} {side} {size} {did}{part}{price}{gain} ({rule_id})"
        fees: dict[str, Decimal] = {}
        for each in fills:
            fees[each.commission_asset] = (
                fees.get(each.commission_asset, Decimal(0)) + each.commission
            )
        paid = ", ".join(f"{money(fee)} {asset}" for asset, fee in fees.items() if fee)
        kind = did if over else "partly_filled"
        what = f"{leg_words(leg.name)}, run {leg.run_id}"
        fee = f"fee {paid}" if paid else ""
        return self._notice(now, kind, title, fee, what, page=self._page(leg.run_id))

    def _page(self, run_id: str, rule_id: str = "") -> str:
        """Where the dashboard tells more of it; empty where nobody can reach the dashboard."""
        if not self._pages:
            return ""
        if run_id:
            return f"{self._pages}/runs/{run_id}"
        return f"{self._pages}/rules/{rule_id}" if rule_id else f"{self._pages}/"

    def _notice(self, at: int, kind: str, title: str, *body: str, page: str) -> Notice:
        words = " ".join(title.split())
        whole = () if len(words) <= MOST_TITLE else (words,)
        short = words if not whole else words[: MOST_TITLE - 1] + "…"
        lines = [line for line in (*whole, *body, self._footer, page) if line]
        return Notice(at, kind, short, "\n".join(lines))


def together(records: Sequence[Record]) -> list[Record]:
    """The records, those of countdowns that differ in nothing but their symbol as one.

    All countdowns are late, or over, at the same moment when the link to the exchange breaks.
    """
    symbols: dict[tuple[str, ...], list[str]] = {}
    first: dict[tuple[str, ...], Record] = {}
    for number, record in enumerate(records):
        rest = record.text.replace(record.symbol, "") if record.symbol else record.text
        key = (rest, record.rule_id) if record.kind == "dead_man" else (str(number), "", "")
        first.setdefault(key, record)
        symbols.setdefault(key, []).append(record.symbol)
    return [_of_all(record, symbols[key]) for key, record in first.items()]


def _of_all(record: Record, symbols: Sequence[str]) -> Record:
    if len(symbols) == 1:
        return record
    more = f" and {len(symbols) - MOST_SYMBOLS} more" if len(symbols) > MOST_SYMBOLS else ""
    named = ", ".join(symbols[:MOST_SYMBOLS]) + more
    return replace(record, symbol=named, text=record.text.replace(record.symbol, named))


def _kind(record: Record) -> str | None:
    """What kind of notice a line of the journal is; None when nobody needs to hear of it."""
    match record.kind:
        case "notify":
            return CRITICAL if record.reason else "rule"
        case "refused":
            return "guard" if record.reason == Reason.GUARD.value else "refused"
        case "reload":
            return "reload_refused" if record.reason else "reloaded"
        case "error":
            # what a link to the exchange does is told once it has lasted
            return None if "link" in record.data else "error"
        case "command":
            return "command" if record.data.get("verb") in SWITCHING else None
        case "fired" | "dead_man" | "started" | "stopped":
            return record.kind
    return None


def _side(intent: OrderIntent, *, closes: bool) -> str:
    """The position's side: what a SELL closes was long."""
    if intent.position_side != "BOTH":
        return intent.position_side.lower()
    return "long" if (intent.side is Side.BUY) is not closes else "short"


def money(value: Decimal) -> str:
    """70117.00 -> 70,117."""
    return f"{value.normalize():,f}" if value else "0"
