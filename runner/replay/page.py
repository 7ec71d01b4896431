"""The report as one HTML page: tables and charts, light and dark, nothing loaded, no script."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html import escape
from typing import Any

from runner.core.figures import figure, span
from runner.replay.charts import Mark, chart
from runner.replay.report import Report, document, remarks

MOST_FILLS = 1_000
"""Rows of the table of fills; the JSON has them all."""

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1a1d21; --dim: #5a626b; --rule: #d9dee3;
  --line: #1f5fa8; --range: #1f5fa833; --buy: #0f7a3d; --sell: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e8eaed; --dim: #a3abb3;
  --rule: #343a40; --line: #7ab4f5; --range: #7ab4f540; --buy: #5fd08f; --sell: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 64rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p, li { max-width: 46rem; } .dim { color: var(--dim); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
caption { text-align: left; color: var(--dim); padding-bottom: .25rem; }
th, td { padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--rule); text-align: left;
  white-space: nowrap; } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.figures { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1rem 0; padding: 0; }
.figures div { min-width: 7rem; } .figures dt { color: var(--dim); font-size: .875rem; }
.figures dd { margin: 0; font-size: 1.15rem; font-variant-numeric: tabular-nums; }
svg { width: 100%; min-width: 40rem; height: auto; display: block; } .grid { stroke: var(--rule); }
.tick { fill: var(--dim); font-size: 12px; } .range { fill: var(--range); }
.line { fill: none; stroke: var(--line); stroke-width: 1.5; }
.buy { fill: var(--buy); stroke: var(--paper); } .sell { fill: var(--sell); stroke: var(--paper); }
"""


def page(report: Report) -> str:
    """The whole page; the same report gives the same bytes."""
    told = document(report)
    seal = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{seal}'; base-uri 'none'; form-action 'none'"
    title = f"Replay {_day(told['from'])} to {_day(told['to'])}"
    body = [
        f"<h1>{title}</h1>",
        f'<p class="dim">{escape(_data(told))}</p>',
        _figures(told),
        _remarks(report),
        "<h2>Equity</h2>",
        _equity(report),
        *_prices(report, told),
        "<h2>Rules</h2>",
        _rules(told),
        "<h2>Why not</h2>",
        _why_not(told),
        "<h2>Fills</h2>",
        _fills(told),
        "<h2>What this rests on</h2>",
        _list(told["assumptions"]),
    ]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title><style>{STYLE}</style></head><body><main>",
            *body,
            "</main></body></html>\n",
        ]
    )


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _second(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def _data(told: dict[str, Any]) -> str:
    parts = []
    for one in told["data"]:
        what = f"candles of {span(one['span'])}" if one["kind"] == "klines" else one["kind"]
        parts.append(f"{one['symbol']}: {one['count']} {what}")
    return "; ".join(parts)


def _figures(told: dict[str, Any]) -> str:
    sums, asset = told["totals"], told["terms"]["asset"]
    shown = [
        ("Net result", f"{cents(sums['net_pnl'])} {asset}"),
        ("Equity", f"{cents(sums['equity'])} {asset}"),
        ("Largest drawdown", f"{cents(sums['max_drawdown'])} ({sums['max_drawdown_percent']} %)"),
        ("Realised", cents(sums["realised_pnl"])),
        ("Unrealised", cents(sums["unrealised_pnl"])),
        ("Fees", cents(sums["fees"])),
        ("Funding", cents(sums["funding"])),
        ("Fires", sums["fires"]),
        ("Orders", sums["orders"]),
        ("Fills", sums["fills"]),
    ]
    cells = (f"<div><dt>{name}</dt><dd>{escape(str(value))}</dd></div>" for name, value in shown)
    return f'<dl class="figures">{"".join(cells)}</dl>'


def cents(text: str) -> str:
    """An amount to two decimals, as people read it; no minus before nothing."""
    amount = round(Decimal(text), 2)
    return f"{amount or Decimal('0.00'):,.2f}"


def _remarks(report: Report) -> str:
    found = remarks(report)
    return f"<h2>Mind</h2>\n{_list(found)}" if found else ""


def _list(lines: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def _equity(report: Report) -> str:
    tally = report.tally
    words = f"Equity from {figure(tally.opening)} to {figure(tally.closing)} {tally.asset}"
    return _scrolled("Equity", chart("equity", words, tally.equity, tally, ()))


def _prices(report: Report, told: dict[str, Any]) -> list[str]:
    tally = report.tally
    found = []
    for symbol, line in sorted(tally.lines.items()):
        marks = [
            Mark(
                tally.place(one["time"]),
                Decimal(one["price"]),
                one["side"],
                f"{one['rule']}: {one['side']} {one['quantity']} at {one['price']}, "
                f"{_second(one['time'])}",
            )
            for one in told["fills"][:MOST_FILLS]
            if one["symbol"] == symbol
        ]
        words = f"Price of {symbol} with {len(marks)} fills"
        found.append(f"<h2>{escape(symbol)}</h2>")
        drawn = chart(f"price-{symbol}", words, line, tally, marks)
        found.append(_scrolled(f"Price of {symbol}", drawn))
    return found


def _scrolled(name: str, inner: str) -> str:
    """What is wider than a phone scrolls by itself, by keyboard too."""
    label = escape(name, quote=True)
    return f'<div class="wide" role="region" tabindex="0" aria-label="{label}">{inner}</div>'


def _table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[object]], words: int) -> str:
    """A table whose first `words` columns are text."""
    if not rows:
        return f'<p class="dim">{caption}: none.</p>'

    def cells(tag: str, kind: str, values: Sequence[object]) -> str:
        number = f'{kind} class="n"'
        return "".join(
            f"<{tag}{kind if place < words else number}>{escape(str(value))}</{tag}>"
            for place, value in enumerate(values)
        )

    body = "\n".join(f"<tr>{cells('td', '', row)}</tr>" for row in rows)
    head = cells("th", ' scope="col"', heads)
    return _scrolled(
        caption,
        f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>",
    )


def _rules(told: dict[str, Any]) -> str:
    rows = [
        (
            one["rule"],
            one["fires"],
            one["orders"],
            one["rejected"],
            one["fills"],
            cents(one["fees"]),
            cents(one["realised_pnl"]),
        )
        for one in told["rules"]
    ]
    heads = ("rule", "fires", "orders", "rejected", "fills", "fees", "realised")
    return _table("What each rule did", heads, rows, 1)


def _why_not(told: dict[str, Any]) -> str:
    rows = [
        (one["rule"], reason, count)
        for one in told["rules"]
        for reason, count in one["why_not"].items()
    ]
    return _table("Why rules did not fire, or stopped", ("rule", "reason", "times"), rows, 2)


def _fills(told: dict[str, Any]) -> str:
    rows = [
        (
            _second(one["time"]),
            one["rule"],
            one["symbol"],
            one["side"],
            one["price"],
            one["quantity"],
            one["fee"],
            one["realised_pnl"],
        )
        for one in told["fills"][:MOST_FILLS]
    ]
    left = len(told["fills"]) - len(rows)
    caption = f"The first {MOST_FILLS}; {left} more are in --json" if left else "Every fill"
    heads = ("time (UTC)", "rule", "symbol", "side", "price", "quantity", "fee", "realised")
    return _table(caption, heads, rows, 4)
