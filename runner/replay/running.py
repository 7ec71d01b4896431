"""One replay from its files to its report: what can be played is chosen first, and said if not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from runner import __version__
from runner.core.candles import INTERVALS
from runner.core.rules import KLINE, Rule, RuleSet
from runner.errors import UsageError
from runner.replay.playing import Player
from runner.replay.report import Report, heard, unheard
from runner.replay.series import Cut, Given, Series, survey
from runner.replay.stage import Terms
from runner.replay.tally import COLUMNS, Tally
from runner.venues.paper.symbols import Symbol

Heard = Callable[[int, int, int], object]
"""(now, from, to) of what is played, UTC ms."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What shall be played: which rules (all where none is named), and how strictly.

    `partial` leaves out what no data is given for, instead of refusing.
    """

    rules: Collection[str] = ()
    partial: bool = False


def replay(
    rules: RuleSet,
    data: Sequence[Given],
    symbols: Mapping[str, Symbol],
    cut: Cut,
    terms: Terms,
    choice: Choice,
    told: Heard | None = None,
) -> Report:
    """Play the data through the rules. Raises UsageError for what cannot be played."""
    named = _named(rules, choice)
    series = survey(data, cut)
    silent = {rule_id: unheard(rule) for rule_id, rule in named.rules.items()}
    kept = {rule_id: heard(rule) for rule_id, rule in named.rules.items()}
    chosen, left_out = _with_data(replace(named, rules=kept), series, choice, silent)
    partly = {
        name: silent[name] for name, rule in chosen.rules.items() if rule.triggers and silent[name]
    }
    wanted = {symbol for rule in chosen.rules.values() for symbol in rule.symbols}
    played = {name: one for name, one in series.items() if name in wanted and one.count}
    if not played:
        raise UsageError("no data lies in the time that --from and --to leave: widen them")
    known = _known(played, symbols)
    _check_candles(chosen, played)
    asset = _asset(known)
    start = min(one.start for one in played.values())
    stop = max(one.end for one in played.values())
    tally = Tally(start, stop, asset, _columns(played, stop - start))
    player = Player(chosen, played, cut, terms, known, tally)
    if told is not None:
        player.heard = lambda at: told(at, start, stop)
    player.play()
    return Report(tally, played, chosen, terms, left_out, partly, __version__)


def _columns(series: Mapping[str, Series], length: int) -> int:
    """No narrower than the longest candle: the lines of a chart have a value in each."""
    span = max(one.span for one in series.values())
    return max(min(length // span, COLUMNS), 1) if span else COLUMNS


def _named(rules: RuleSet, choice: Choice) -> RuleSet:
    for rule_id in choice.rules:
        if rule_id not in rules.rules:
            known = ", ".join(rules.rules) or "none"
            raise UsageError(f"there is no rule {rule_id}: the rules here are {known}")
    if not choice.rules:
        return rules
    kept = {rule_id: rule for rule_id, rule in rules.rules.items() if rule_id in choice.rules}
    return RuleSet(kept, rules.dead_men, rules.revision)


def _with_data(
    rules: RuleSet, series: Mapping[str, Series], choice: Choice, silents: Mapping[str, str]
) -> tuple[RuleSet, dict[str, str]]:
    """The rules whose symbols have data; why each other one, and each that cannot fire, is not."""
    kept: dict[str, Rule] = {}
    left_out: dict[str, str] = {}
    missing: dict[str, list[str]] = {}
    for rule_id, rule in rules.rules.items():
        silent = silents.get(rule_id, "") if not rule.triggers else ""
        if silent:
            left_out[rule_id] = silent
        have = tuple(symbol for symbol in rule.symbols if symbol in series)
        lacking = [symbol for symbol in rule.symbols if symbol not in series]
        if have:
            kept[rule_id] = replace(rule, symbols=have)
        if lacking and not silent:
            left_out[rule_id] = f"no data for {', '.join(lacking)}"
            for symbol in lacking:
                missing.setdefault(symbol, []).append(rule_id)
    if missing and not choice.partial:
        listed = "; ".join(f"{symbol} (rule {', '.join(ids)})" for symbol, ids in missing.items())
        raise UsageError(
            f"the rules want symbols that no data is given for: {listed}. Add --data SYMBOL=FILE "
            "for each, choose rules with --rule, or play what there is with --partial"
        )
    if not kept:
        given = ", ".join(series) or "nothing"
        raise UsageError(f"no rule here is for what the data is of: {given}")
    return RuleSet(kept, rules.dead_men, rules.revision), left_out


def _known(series: Mapping[str, Series], symbols: Mapping[str, Symbol]) -> dict[str, Symbol]:
    missing = [name for name in series if name not in symbols]
    if missing:
        raise UsageError(
            f"the tick and the filters of {', '.join(missing)} are not known: save GET "
            "/fapi/v1/exchangeInfo and name it with --exchange-info FILE"
        )
    return {name: symbols[name] for name in series}


def _asset(symbols: Mapping[str, Symbol]) -> str:
    assets = sorted({symbol.margin for symbol in symbols.values()})
    if len(assets) > 1:
        raise UsageError(f"the symbols are margined in {' and '.join(assets)}: replay them apart")
    return assets[0]


def _check_candles(rules: RuleSet, series: Mapping[str, Series]) -> None:
    """Candles that rules wait for must be made of whole recorded ones."""
    for symbol, source in sorted(rules.wanted):
        span = series[symbol].span if symbol in series else 0
        if source.startswith(KLINE) and span:
            interval = source.removeprefix(KLINE)
            if INTERVALS[interval] % span:
                raise UsageError(
                    f"a rule waits for candles of {interval} of {symbol}, and its data has candles "
                    f"of {span // 1000} s: give finer data"
                )
