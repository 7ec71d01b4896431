"""The files that `runner init` writes: settings, a first rule, its test, a secret, schemas."""

from __future__ import annotations

from collections.abc import Mapping

SECRETS = "secrets/"
SECRET = "tv"  # noqa: S105 - its name

_MODELINE = "# yaml-language-server: $schema={to}schemas/{name}.v1.schema.json\n"

_DEMO = """\
accounts:
  main:
    venue: binance_usdm
    address: demo                    # the exchange's demo environment; live is real money
    api_key: demo_key                # names of secrets, never the secrets
    api_secret: demo_secret
"""
_PAPER = """\
# no account yet: runner run --paper trades inside the runner, without keys and without money
"""
_SETTINGS = """\
version: 1
{account}hook: 127.0.0.1:8080                 # where alerts come in
"""

_RULE = """\
# An alert turns the position: it buys or sells for some 200 USDT, with a stop 2 % away and a target
# 4 % away that follow what really filled.
version: 1
guards:
  max_order_notional: 500            # USDT, checked before every order
  max_position_notional: 1000        # USDT per symbol
rules:
  - id: first
    symbol: {symbol}
    when:
      - webhook:
          path: {path}
          secret: {secret}                 # the name of a secret: secrets/{secret}
          body: {{action: {{one_of: [buy, sell]}}}}
          max_age: 30s               # a late alert is not followed
    mode: restart                    # the opposite alert takes the place of the last one
    do:
      - cancel: all
      - close: {{type: market}}
      - bracket:
          entry: {{side: =trigger.action, type: market, notional: 200}}
          stop: {{trigger_price: '=mark * 0.98 if trigger.action == "buy" else mark * 1.02'}}
          target: {{price: '=mark * 1.04 if trigger.action == "buy" else mark * 0.96'}}
"""

_TESTS = """\
tests_for: first.yaml

tests:
  - name: an alert buys, with a stop and a target
    rule: first
    steps:
      - {{at: 0s, mark: {price}}}
      - at: 1s
        webhook: {{path: {path}, body: {{action: buy}}}}
        expect:
          bracket:
            entry: {{side: buy, type: market}}
            stop: {{side: sell}}
            target: {{side: sell}}
  - name: the same alert twice is one order
    rule: first
    steps:
      - {{at: 0s, mark: {price}}}
      - {{at: 1s, webhook: {{path: {path}, body: {{action: sell}}}}, expect: fired}}
      - {{at: 2s, webhook: {{path: {path}, body: {{action: sell}}}}, expect: nothing}}
"""

_IGNORED = """\
secrets/
journal.db*
witness/
paper.json*
rules.cache*
runner.lock
"""


def files(symbol: str, path: str, account: str) -> Mapping[str, str]:
    """Each file's text by its place in the folder, the secret and .gitignore apart."""
    from runner.rulebook import schema, tests_schema
    from runner.settings.schema import schema_text
    from runner.venues.paper.symbols import start_price

    filled = {
        "symbol": symbol,
        "path": path,
        "secret": SECRET,
        "price": f"{start_price(symbol):f}",
    }
    settings = _SETTINGS.format(account=_DEMO if account == "demo" else _PAPER)
    return {
        "runner.yaml": _MODELINE.format(to="", name="settings") + settings,
        "rules/first.yaml": _MODELINE.format(to="../", name="rules") + _RULE.format_map(filled),
        "rules/first.tests.yaml": _MODELINE.format(to="../", name="tests")
        + _TESTS.format_map(filled),
        "schemas/rules.v1.schema.json": schema.text(),
        "schemas/settings.v1.schema.json": schema_text(),
        "schemas/tests.v1.schema.json": tests_schema.text(),
    }


def secret() -> Mapping[str, str]:
    """A new secret of 128 random bits, in the file that only its owner may read."""
    import secrets

    return {f"{SECRETS}{SECRET}": f"{secrets.token_hex(16)}\n"}


def ignored() -> Mapping[str, str]:
    """What belongs into no repository: secrets, and what the runner writes."""
    return {".gitignore": _IGNORED}
