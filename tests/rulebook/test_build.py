"""A sound file becomes the rules it describes, and each rule can be built again from its text."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from runner.core.actions.bracket import Bracket
from runner.core.actions.place import Place
from runner.core.document import Node
from runner.core.limits import Limits
from runner.core.rules import Rule, RuleSet
from runner.core.triggers.price import PriceTrigger
from runner.core.triggers.webhook import WebhookTrigger
from runner.errors import ConfigurationError
from runner.resources import folder
from runner.rulebook import canonical
from runner.rulebook.build import rebuild
from runner.rulebook.load import load

DESIGN = folder("rules") / "examples" / "design.yaml"

STORED = (
    '{"guards":{},"id":"x1","symbols":["BTCUSDT"],"when":[{"dead_man":"late"}],"if":[],'
    '"do":[{"cancel":"all"}]}'
)

FULL = """\
version: 1
account: second
lists: {majors: [BTCUSDT, ETHUSDT]}
guards: {max_order_notional: 5000.50, max_orders_per_minute: 20}
rules:
  - id: full
    name: All keys
    account: main
    symbols: [majors, XRPUSDT, BTCUSDT]
    when:
      - price: {crosses_above: 70000}
      - webhook: {path: a, secret: s, body: {side: {one_of: [buy]}, size: number}}
      - price: {crosses_below: =position.entry_price * 0.5}
      - webhook: {path: b, secret: s, body: {side: {one_of: [sell, buy]}, note: text}}
    if: [position.size == 0, trigger.side == "sell"]
    do:
      - place: {side: =trigger.side, type: market, quantity: =trigger.size}
    cooldown: 1h30m
    max_fires: {per_day: 3, total: 10}
    enabled: false
    dry_run: true
    expires_after: 5s
    on_failure: continue
  - id: bare
    symbol: 币安人生USDT
    when: [{schedule: {every: 15m}}]
    do: [{cancel: all}]
"""


def loaded(folder: Path, text: str) -> RuleSet:
    """The rules of a file with this text."""
    path = folder / "rules.yaml"
    path.write_text(text, "utf-8")
    found = load(path)
    assert found.diagnostics == ()
    assert found.rules is not None
    return found.rules


def test_the_example_of_the_design_loads() -> None:
    """All five rules, without a finding."""
    found = load(DESIGN)
    assert found.diagnostics == ()
    assert found.rules is not None
    assert list(found.rules.rules) == [
        "btc-breakout",
        "eth-ladder",
        "tv-eth",
        "flat-before-funding",
        "link-lost",
    ]
    breakout = found.rules.rules["btc-breakout"]
    assert breakout.cooldown == 4 * 3_600_000
    assert breakout.limits == Limits(Decimal(5000), Decimal(20000), 20)
    (trigger,), (bracket, _) = breakout.triggers, breakout.actions
    assert isinstance(trigger, PriceTrigger)
    assert (trigger.hold, trigger.above) == (15_000, True)
    assert isinstance(bracket, Bracket)
    assert bracket.target is not None
    assert bracket.target.price is not None
    assert bracket.target.price.constant == Decimal("75000.10")
    assert found.rules.rules["link-lost"].symbols == ("BTCUSDT", "ETHUSDT")
    assert [(man.countdown, man.refresh) for man in found.rules.dead_men.values()] == [
        (120_000, 30_000),
        (120_000, 30_000),
    ]


def test_every_key_of_a_rule_counts(tmp_path: Path) -> None:
    """Lists are resolved, a rule's account outranks the file's, lengths of time are ms."""
    rule = loaded(tmp_path, FULL).rules["full"]
    assert rule.name == "All keys"
    assert rule.account == "main"
    assert rule.symbols == ("BTCUSDT", "ETHUSDT", "XRPUSDT")
    assert [trigger.name for trigger in rule.triggers] == [
        "price",
        "webhook",
        "price#2",
        "webhook#2",
    ]
    assert rule.limits == Limits(Decimal("5000.50"), None, 20)
    assert (rule.cooldown, rule.expires_after) == (5_400_000, 5_000)
    assert (rule.max_fires, rule.max_fires_per_day) == (10, 3)
    assert (rule.enabled, rule.dry_run, rule.stop_on_failure) == (False, True, False)
    assert (rule.file, rule.line) == (str(tmp_path / "rules.yaml"), 6)


def test_left_out_keys_have_their_defaults(tmp_path: Path) -> None:
    """The name is the id, entries expire after 60 s, one fire is as good as another."""
    rule = loaded(tmp_path, FULL).rules["bare"]
    assert (rule.name, rule.account, rule.symbols) == ("bare", "second", ("币安人生USDT",))
    assert (rule.cooldown, rule.expires_after) == (0, 60_000)
    assert (rule.max_fires, rule.max_fires_per_day) == (None, None)
    assert (rule.enabled, rule.dry_run, rule.stop_on_failure) == (True, False, True)
    assert rule.conditions == ()


def test_a_whole_number_of_fires_is_a_total(tmp_path: Path) -> None:
    """`max_fires: 2` means two in all."""
    rule = loaded(tmp_path, FULL.replace("{per_day: 3, total: 10}", "2")).rules["full"]
    assert (rule.max_fires, rule.max_fires_per_day) == (2, None)


def test_the_fields_of_all_triggers_are_known(tmp_path: Path) -> None:
    """What several triggers carry is known once, with the values of all of them."""
    rule = loaded(tmp_path, FULL).rules["full"]
    (action,) = rule.actions
    assert isinstance(action, Place)
    webhooks = [trigger for trigger in rule.triggers if isinstance(trigger, WebhookTrigger)]
    assert [each.path for each in webhooks] == ["a", "b"]
    assert [formula.text for formula in rule.conditions] == [
        "position.size == 0",
        'trigger.side == "sell"',
    ]


@pytest.mark.parametrize("text", [FULL, DESIGN.read_text("utf-8")])
def test_a_rule_is_built_again_from_its_text(tmp_path: Path, text: str) -> None:
    """The text holds all that is needed: symbols, guards and account too; only its place is not."""
    for rule in loaded(tmp_path, text).rules.values():
        again = rebuild(rule.text)
        for key in Rule.__dataclass_fields__:
            if key not in ("file", "line"):
                assert getattr(again, key) == getattr(rule, key), key
        assert again.file == ""
        assert rule.text_hash == canonical.digest(rule.text)
        assert json.loads(rule.text)["symbols"] == list(rule.symbols)


def test_only_what_a_rule_says_changes_its_hash(tmp_path: Path) -> None:
    """Comments, order of keys and neighbours do not; a guard, a list or a digit does."""
    before = loaded(tmp_path, FULL)
    same = FULL.replace("    cooldown: 1h30m\n", "").replace(
        "    symbols: [majors", "    cooldown: 1h30m   # why\n    symbols: [majors"
    )
    assert loaded(tmp_path, "# new\n" + same).revision == before.revision
    for old, new in [
        ("5000.50", "5000.51"),
        ("ETHUSDT]", "SOLUSDT]"),
        ("70000", "70000.0"),
        ("main", "other"),
    ]:
        after = loaded(tmp_path, FULL.replace(old, new))
        assert after.rules["full"].text_hash != before.rules["full"].text_hash
        assert after.revision != before.revision
    untouched = loaded(tmp_path, FULL.replace("1h30m", "2h"))
    assert untouched.rules["bare"].text_hash == before.rules["bare"].text_hash


def test_a_countdown_changes_the_revision(tmp_path: Path) -> None:
    """The dead-man switch is part of what runs."""
    text = FULL + "dead_man: {symbols: majors, countdown: 2m, refresh: 30s}\n"
    revisions = {loaded(tmp_path, each).revision for each in (FULL, text, text.replace("2m", "3m"))}
    assert len(revisions) == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"guards":{}}',
        '{"guards":{},"id":"x1","symbols":["BTCUSDT"],"when":[{"gone":1}],"do":[{"cancel":"all"}]}',
        '{"guards":{},"id":"x1","symbols":["X"],"when":[{"dead_man":"late"}],"do":[{"cancel":"a"}]}',
        STORED.replace('"if":[]', '"if":["old_name > 3"]'),
        '{"guards":{},"id":"x1","when":[{"dead_man":"late"}],"do":[{"cancel":"all"}]}',
    ],
)
def test_a_stored_text_of_another_age_is_an_error(text: str) -> None:
    """What this version cannot read is said, never half built."""
    with pytest.raises(ConfigurationError, match="a stored rule"):
        rebuild(text)


def test_canonical_text_is_exact_json() -> None:
    """Keys in order, numbers digit by digit, letters as they are."""
    tree = {"b": [Decimal("75000.10"), 5, True, None], "a": {"ä": "=x", "1": Decimal("1e-8")}}
    text = canonical.dump(tree)
    assert text == '{"a":{"1":0.00000001,"\\u00e4":"=x"},"b":[75000.10,5,true,null]}'
    assert canonical.parse(text)["b"][0] == Decimal("75000.10")
    assert canonical.dump(canonical.parse(text)) == text
    assert Node(canonical.parse(text)).child("b").child(0).value == Decimal("75000.10")
