"""Every page over a real journal: what it shows, what it filters, and what it escapes."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from runner.core.decision import Decision, Record, RuleMemory
from runner.core.limits import Limits, Most
from runner.core.switches import KILLED, PAUSED, SWITCHES
from runner.dashboard.desk import Candle
from runner.dashboard.guarded import words
from tests.dashboard.scene import ACCOUNT, MINUTE, Scene, scene_of, write
from tests.journal.building import NOW, run_of
from tests.support import eventually

RUN = run_of("k1").run_id


def asked_and_answered(scene: Scene, path: str) -> str:
    """The page once the runner's answer is there, which no page waits for."""
    scene.text(path)
    eventually(lambda: scene.desk.asked and not scene.dashboard.waiting._asking)
    return scene.text(path)


def test_the_overview_says_what_a_person_must_know(scene: Scene) -> None:
    """Mode, problems with their cure, switches, countdown, streams, limits, positions, events."""
    text = asked_and_answered(scene, "/")
    assert "PAPER" in text
    assert "the runner is not running" in text  # the journal's hook answers nobody
    assert "runner run --dir" in text
    assert re.search(r"BTCUSDT</b>\s*<span class=\"countdown\"", text)
    assert "<b>user</b> connected" in text
    assert "1 in the last minute" in text
    assert "max orders per minute" in text
    assert "70018.9" in text  # the position's entry
    assert ">-1.38<" in text
    assert "cooldown" in text


def test_the_overview_shows_kill_and_pause(folder: Path) -> None:
    """Who, when and why; then the way out is offered instead of the way in."""
    by = {"who": "ann", "at": NOW, "why": "odd fills"}
    for name, word, way_out in ((PAUSED, "PAUSED", "/do/resume"), (KILLED, "KILLED", "/do/unlock")):
        memory = RuleMemory(triggers={name: by})
        write(folder, Decision(memories={(SWITCHES, ""): memory}))
        scene = scene_of(folder)
        scene.log_in()
        text = scene.text("/")
        assert word in text
        assert "ann" in text
        assert "odd fills" in text
        assert way_out in text


def test_streams_and_limits_are_those_of_now(folder: Path) -> None:
    """As the running daemon tells them: what stands, and what is used of the exchange's limits."""
    streams = [
        {"stream": "market", "connected": True, "since": None},
        {"stream": "user", "connected": False, "since": NOW - MINUTE},
    ]
    limits = [
        {"limit": "weight", "every": MINUTE, "used": 480, "most": 2400},
        {"limit": "orders", "every": 10_000, "used": 3, "most": 300},
    ]
    scene = scene_of(folder, more={"streams": streams, "limits": limits})
    scene.log_in()
    text = re.sub(r"<[^>]+>", "", scene.text("/"))
    assert "market connected" in text
    assert "user broken off 1 min ago" in text
    assert "request weight 480 of 2400 in 1 min" in text
    assert "orders 3 of 300 in 10 s" in text


def test_rules_show_what_each_waits_for(scene: Scene) -> None:
    """First as the journal remembers, then as the runner sees it; a word narrows them."""
    before = scene.text("/rules")
    assert "as the journal remembers" in before
    assert "no price came yet" in before
    text = asked_and_answered(scene, "/rules")
    assert "as the runner saw them" in text
    assert "mark 70100 must be below 69500 first" in text
    assert "Follow a TradingView alert on ETH" in text
    narrowed = scene.text("/rules?q=breakout")
    assert "btc-breakout" in narrowed
    assert "tv-eth" not in narrowed
    assert "No rule fits" in scene.text("/rules?q=nothing-like-it")


def test_the_runner_is_asked_seldom(scene: Scene) -> None:
    """Ten looks at a page are one question: each question is a record of the journal."""
    for _ in range(10):
        asked_and_answered(scene, "/rules")
    assert scene.desk.asked.count("all") == 1


def test_one_rule_with_its_conditions_and_records(scene: Scene) -> None:
    """How it is written, each condition with its value, and what happened to it."""
    text = asked_and_answered(scene, "/rules/btc-breakout")
    assert "crosses_above: 70000" in text
    assert "does not hold" in text
    assert "cooldown" in text
    assert "looked at it" not in text
    assert "/do/disable?rule=btc-breakout" in text
    assert scene.get("/rules/nowhere").status_code == 404
    gone = scene.text("/rules/buy-dip")
    assert "not in the rule files any more" in gone
    assert f"/runs/{RUN}" in gone


def test_events_go_from_receipt_to_end(scene: Scene) -> None:
    """A firing with its steps and its end, a refusal with its reason, a click to explain."""
    text = scene.text("/events")
    steps = re.findall(r"<li><b>(\w+)</b> ([^<]+)", text)
    assert [word for word, _ in steps] == ["planned", "sent", "filled", "ended"]
    assert ("filled", "order 1: 0.01 filled @ 70000 ") in steps
    assert "Ends: done" in text
    assert '<span class="reason">cooldown</span>' in text
    assert f'href="/runs/{RUN}"' in text
    assert "looked at it" not in text


@pytest.mark.parametrize(
    ("query", "fired", "refused"),
    [
        ("rule=buy-dip", True, False),
        ("rule=btc-breakout", False, True),
        ("symbol=BTCUSDT", True, True),
        ("symbol=XRPUSDT", False, False),
        ("reason=cooldown", False, True),
        ("since=2026-05-28T20:26&until=2026-05-28T20:27", True, True),
        ("until=2020-01-01T00:00", False, False),
        ("since=nonsense&before=nonsense", True, True),
        ("before=1", False, False),
    ],
)
def test_events_are_filtered(scene: Scene, query: str, fired: bool, refused: bool) -> None:
    """By rule, symbol, reason and time; what makes no sense filters nothing."""
    text = scene.text(f"/events?{query}")
    assert ("buy-dip fired" in text) is fired
    assert ('<span class="reason">cooldown</span>' in text) is refused


def test_events_are_paged(folder: Path) -> None:
    """Fifty on a page, the rest behind `Older`, with the filters kept."""
    records = [
        Record(NOW, "refused", f"number {n}", "tv-eth", "ETHUSDT", reason="cooldown")
        for n in range(120)
    ]
    write(folder, Decision(records=records))
    scene = scene_of(folder)
    scene.log_in()
    seen: list[str] = []
    path: str | None = "/events?rule=tv-eth"
    while path:
        text = scene.text(path)
        found = re.findall(r">number (\d+)<", text)
        assert len(found) <= 50
        seen += found
        older = re.search(r'href="(/events\?[^"]+)" rel="next"', text)
        path = older[1].replace("&amp;", "&") if older else None
        assert path is None or "rule=tv-eth" in path
    assert seen == [str(n) for n in reversed(range(120))]


def test_a_run_is_explained(scene: Scene) -> None:
    """Its event, the rule as it was, each order with attempts and fills, its log."""
    text = scene.text(f"/runs/{RUN}")
    assert "70010.5" in text
    assert "webhook" in text
    assert "buy limit 0.010 @ 70000.0" in text
    assert "attempt 1" in text
    assert "0.01 @ 70000" in text
    assert "POST /fapi/v1/order" in text
    assert scene.get("/runs/unknown").status_code == 404


def test_orders_and_positions(scene: Scene) -> None:
    """What is held, what is open, what is over; a filter that fits nothing leaves nothing."""
    text = asked_and_answered(scene, "/orders")
    assert "998.5" in text
    assert "no exit" in text
    assert ">-1.38<" in text
    assert "As the runner saw it 0 ms ago" in text
    assert "buy limit 0.010" in text
    assert f"/runs/{RUN}" in text
    assert f"/runs/{RUN}" not in scene.text("/orders?symbol=ETHUSDT")


@pytest.mark.parametrize(
    ("held", "words_shown"),
    [
        (None, "Not known"),
        ({**ACCOUNT, "known": False}, "has not read the account"),
        ({**ACCOUNT, "positions": []}, "No open positions"),
        ({**ACCOUNT, "live": False, "as_of": NOW - MINUTE}, "As the journal knew it 1 min ago"),
    ],
)
def test_positions_that_are_not_there_are_said(
    folder: Path, held: dict[str, object] | None, words_shown: str
) -> None:
    """Not known is not the same as none."""
    scene = scene_of(folder, held=held)
    scene.log_in()
    assert words_shown in asked_and_answered(scene, "/orders")


def candles(count: int = 3) -> tuple[Candle, ...]:
    """A quiet market around 70000."""
    price = Decimal(70000)
    return tuple(
        Candle(NOW + (n - 1) * MINUTE, price, price + 40, price - 30, price + n)
        for n in range(count)
    )


def test_the_chart_shows_price_levels_fills_and_orders(folder: Path) -> None:
    """As a drawing with a summary, and as lists; what is far away is named, not drawn."""
    scene = scene_of(folder, prices=candles())
    scene.log_in()
    text = asked_and_answered(scene, "/chart?symbol=BTCUSDT")
    assert text.count("<svg") == 2
    assert "last price 70002" in text
    assert ">70050</text>" in text
    assert "bought" in text
    assert text.count('class="mark buy"') == 2
    assert "Too far away to be drawn: level 990000" in text
    assert ">990000</text>" not in text


def test_a_chart_without_prices_still_shows_the_journal(scene: Scene) -> None:
    """The exchange may be away: fills and levels are drawn all the same."""
    text = asked_and_answered(scene, "/chart?symbol=BTCUSDT")
    assert "The exchange tells no prices now" in text
    assert 'class="mark buy"' in text


def test_a_chart_of_nothing(folder: Path) -> None:
    """An unknown symbol shows the first one; a symbol without anything says so."""
    scene = scene_of(folder, looked=None, held=None)
    scene.log_in()
    assert "<h1>Chart of BTCUSDT</h1>" in scene.text("/chart?symbol=NOSUCH&interval=9y")
    assert "nothing to draw for ETHUSDT" in scene.text("/chart?symbol=ETHUSDT")
    scene.desk.files = {}
    assert "No rule trades a symbol" in scene.text("/chart")


def test_the_journal_is_filtered_by_kind_and_exported(scene: Scene) -> None:
    """The page, CSV and JSON lines show the same records."""
    text = scene.text("/journal?kind=refused")
    assert "3 h" in text
    assert "POST /fapi/v1/order" not in text
    answer = scene.get("/journal/export?format=csv&kind=refused")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="journal.csv"'
    [row] = csv.DictReader(io.StringIO(answer.text))
    assert (row["rule_id"], row["reason"], row["text"]) == ("btc-breakout", "cooldown", "3 h")
    lines = scene.text("/journal/export?format=json").splitlines()
    kinds = [json.loads(line)["kind"] for line in lines]
    assert kinds[-1] == "started"
    assert len(kinds) == 10


def test_an_export_is_no_formula(folder: Path) -> None:
    """A text that a spreadsheet would run is marked as text, and kept whole."""
    write(folder, Decision(records=[Record(NOW, "event", '=HYPERLINK("http://x")', "r")]))
    scene = scene_of(folder)
    scene.log_in()
    row = next(csv.DictReader(io.StringIO(scene.text("/journal/export?format=csv"))))
    assert row["text"] == '\'=HYPERLINK("http://x")'


def test_texts_of_alerts_are_escaped(folder: Path) -> None:
    """Whatever a sender writes stays text, on every page that shows it."""
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    write(folder, Decision(records=[Record(NOW, "refused", evil, "tv-eth", evil, reason=evil)]))
    scene = scene_of(folder)
    scene.log_in()
    for path in ("/", "/events", "/journal", "/rules/tv-eth", f"/events?rule={evil}&reason={evil}"):
        text = scene.text(path)
        assert "<img" not in text
        assert "<script>" not in text
        assert "&lt;script&gt;" in text


def test_system(scene: Scene) -> None:
    """Versions, journal, rule files, and the records of starts and streams."""
    text = scene.text("/system")
    assert "start it: runner run" in text
    for words_shown in ("runner</dt>", "demo.yaml", "user connected", "runner doctor --dir my"):
        assert words_shown in text


def test_a_journal_that_is_not_there_is_said(folder: Path) -> None:
    """Before the first start there is nothing to show: 503 with the cure, no trace."""
    scene = scene_of(folder)
    scene.log_in()
    (folder / "journal.db").rename(folder / "gone.db")
    answer = scene.get("/")
    assert answer.status_code == 503
    assert "journal.db" in answer.text
    assert "Traceback" not in answer.text


def test_an_unknown_page_and_a_wrong_method_are_said(scene: Scene) -> None:
    """404 and 405 with a way back."""
    for answer, code in ((scene.get("/nowhere"), 404), (scene.get("/logout"), 405)):
        assert answer.status_code == code
        assert 'href="/"' in answer.text


def test_colours_are_kept(scene: Scene) -> None:
    """Light, dark, or as the machine says; anything else changes nothing."""
    assert 'data-theme="auto"' in scene.text("/")
    scene.send("/theme", {"theme": "dark", "token": scene.token()})
    assert 'data-theme="dark"' in scene.text("/")
    scene.send("/theme", {"theme": '"><script>', "token": scene.token()})
    assert 'data-theme="dark"' in scene.text("/")


def test_guards_are_said_in_words() -> None:
    """Amounts, shares in percent, symbols by name; what is not set is left out."""
    limits = Limits(
        max_order_notional=Decimal("5000.0"),
        max_price_distance=Decimal("0.02"),
        max_daily_loss=Most(Decimal("0.05"), share=True),
        max_drawdown=Most(Decimal(300)),
        allowed_symbols=("BTCUSDT", "ETHUSDT"),
        symbols={"BTCUSDT": Limits(max_open_orders=3)},
    )
    assert words(limits) == (
        ("max order notional", "5000"),
        ("max price distance", "2%"),
        ("allowed symbols", "BTCUSDT, ETHUSDT"),
        ("max daily loss", "5%"),
        ("max drawdown", "300 USDT"),
        ("BTCUSDT max open orders", "3"),
    )
    assert words(replace(limits, symbols={}))[-1] == ("max drawdown", "300 USDT")


def test_the_accounts_guards_are_shown(folder: Path) -> None:
    """Beside those of the rule files."""
    scene = scene_of(folder, limits=Limits(max_open_orders=7))
    scene.log_in()
    text = scene.text("/")
    assert "the account" in text
    assert re.search(r"max open orders</dt><dd>7<", text)


def test_looks_of_the_past_are_not_shown_as_now(folder: Path) -> None:
    """When the runner does not answer, the journal's memory is shown as such."""
    scene = scene_of(folder, looked=None)
    scene.log_in()
    assert "as the journal remembers" in asked_and_answered(scene, "/rules")
