"""runner.yaml: what it sets, what its defaults are, and how its mistakes are shown."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from runner.core.lifecycle import Timing
from runner.errors import ConfigurationError
from runner.resources import folder
from runner.settings import (
    Account,
    Paper,
    SecretSource,
    Settings,
    load,
    parse,
    parse_hook,
)
from runner.settings.schema import FILE_NAME, SCHEMA, schema_text

KEY = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789AB"

LIVE = (
    "version: 1\naccounts: {a: {venue: binance_usdm, address: live, api_key: k, api_secret: s}}\n"
)

WHOLE = b"""\
# yaml-language-server: $schema=schemas/settings.v1.schema.json
version: 1
namespace: demo1
accounts:
  demo: {venue: binance_usdm, address: paper, api_key: demo_key, api_secret: demo_secret}
  here:
    venue: binance_usdm
    address:
      rest: http://127.0.0.1:9090
      streams: ws://127.0.0.1:9090
      ws_api: ws://127.0.0.1:9090/ws-fapi/v1
    api_key: k
    api_secret: s
    position_mode: hedge
    default: true
    journal: data/here.db
journal: data/journal.db
hook: 0.0.0.0:9000
hooks: {allow: [tradingview, 10.0.0.0/8], trusted_proxies: [127.0.0.1]}
secrets:
  demo_key: {env: BINANCE_KEY}
  demo_secret: {file: /run/demo}
  tv_eth:
    command: [pass, show, tv/eth]
timing:
  recv_window: 500ms
  probe_offsets: [0s, 10ms, 1m30s]
  back_off: [5ms]
  max_attempts: 3
  stale_after: 5s
on_stop: leave_armed
reload: {poll: 250ms, require_tests: pass}
paper: {seed: 7, state: p.json, balance: 500.50}
"""


def mistakes(text: str | bytes) -> str:
    """Return how the mistakes of a file are shown."""
    content = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(ConfigurationError) as caught:
        parse("runner.yaml", content)
    return str(caught.value)


def settings(text: str) -> Settings:
    """Return the settings of a text that follows `version: 1`."""
    return parse("runner.yaml", b"version: 1\n" + text.encode())


def test_every_setting_is_read() -> None:
    """Exact numbers, lengths of time in ms, names of secrets, addresses as written."""
    found = parse("runner.yaml", WHOLE)
    addresses = {
        "rest": "http://127.0.0.1:9090",
        "streams": "ws://127.0.0.1:9090",
        "ws_api": "ws://127.0.0.1:9090/ws-fapi/v1",
    }
    assert found == Settings(
        namespace="demo1",
        accounts={
            "demo": Account("demo", "binance_usdm", "paper", "demo_key", "demo_secret"),
            "here": Account(
                "here", "binance_usdm", addresses, "k", "s", "hedge", True, journal="data/here.db"
            ),
        },
        journal="data/journal.db",
        hook=("0.0.0.0", 9000),
        allow=("tradingview", "10.0.0.0/8"),
        trusted_proxies=("127.0.0.1",),
        secrets={
            "demo_key": SecretSource(env="BINANCE_KEY"),
            "demo_secret": SecretSource(file="/run/demo"),
            "tv_eth": SecretSource(command=("pass", "show", "tv/eth")),
        },
        timing=Timing(
            recv_window=500, probe_offsets=(0, 10, 90_000), back_off=(5,), max_attempts=3
        ),
        stale_after=5_000,
        on_stop="leave_armed",
        reload_poll=250,
        reload_tests=True,
        paper=Paper(7, "p.json", Decimal("500.50")),
    )


def test_a_summary_has_its_minute_and_a_link_no_slash_at_its_end() -> None:
    """Neither is there unless it is written."""
    told = settings("notifications: {summary: '21:30', link: 'https://example.com/runner/'}\n")
    assert told.notifications.summary == 21 * 60 + 30
    assert told.notifications.link == "https://example.com/runner"
    assert (Settings().notifications.summary, Settings().notifications.link) == (None, "")
    for wrong in ("summary: '24:00'", "link: example.com", "link: 'https://a/?b'"):
        assert wrong.partition(":")[0] in mistakes(f"version: 1\nnotifications: {{{wrong}}}\n")


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    """No account: only the paper exchange works, and asking for another says so."""
    found = load(tmp_path)
    assert found == Settings() == parse("runner.yaml", b"version: 1\n")
    assert (found.namespace, found.journal) == ("main", "journal.db")
    assert found.hook == ("127.0.0.1", 8080)
    with pytest.raises(ConfigurationError, match="add one under accounts, or start with --paper"):
        found.account()


def test_a_file_is_read_from_its_folder(tmp_path: Path) -> None:
    """A mistake names the whole path; what is no file says so."""
    path = tmp_path / "runner.yaml"
    path.write_bytes(WHOLE)
    assert load(tmp_path).namespace == "demo1"
    path.write_text("version: 2\n")
    with pytest.raises(ConfigurationError, match=f"^{path}:1:10: error: version cannot be 2"):
        load(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigurationError, match="cannot read"):
        load(tmp_path)


def test_the_account_is_the_only_one_the_default_or_the_named_one() -> None:
    """A name that is not there lists those that are."""
    found = parse("runner.yaml", WHOLE)
    assert found.account().name == "here"
    assert found.account("demo").name == "demo"
    with pytest.raises(ConfigurationError, match=r"no account main .*known: demo, here"):
        found.account("main")
    one = "accounts: {a: {venue: binance_usdm, address: live, api_key: k, api_secret: s}}"
    assert settings(one).account().address == "live"
    with pytest.raises(ConfigurationError, match="known: none"):
        Settings().account("main")


def test_a_mistake_shows_place_caret_and_cure() -> None:
    """The same shape as for rule files, all mistakes at once, the effect last."""
    assert mistakes("version: 1\nacounts: {}\nhook: 8080\n") == (
        "runner.yaml:2:1: error: unknown key acounts [unknown-key]\n"
        " 2 | acounts: {}\n"
        "   | ^~~~~~~ did you mean accounts?\n"
        "\n"
        "runner.yaml:3:7: error: hook must be text, this is a number [wrong-type]\n"
        " 3 | hook: 8080\n"
        "   |       ^~~~ Where alerts come in, HOST:PORT: 127.0.0.1:8080\n"
        "\n"
        "2 errors in runner.yaml. Nothing was started."
    )


ACCOUNT = "venue: binance_usdm, address: demo, api_key: k, api_secret: s"
DEFAULT = f"{ACCOUNT}, default: true"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "runner.yaml:1:1: error: the file needs version [missing-key]"),
        ("3", "the file must be a block of keys, this is a number"),
        ("[]", "the file must be a block of keys, this is a list"),
        ("version: 2", "version cannot be 2 [wrong-value]"),
        ("version: 1\nwhat: 1", "known here: version, namespace, accounts"),
        ("version: 1\nnamespace: Main", "2:12: error: namespace cannot be Main"),
        ("version: 1\njournal: ''", "journal cannot be this"),
        ("version: 1\naccounts: {demo: {venue: x}}", "demo needs address [missing-key]"),
        (
            "version: 1\naccounts: {demo: {venue: binance_usdm, address: live, api_key: a}}",
            "demo needs api_secret: only paper accounts do without [missing-key]",
        ),
        (f"version: 1\naccounts:\n  Demo: {{{ACCOUNT}}}", "3:3: error: this is not a name"),
        (f"version: 1\naccounts:\n  a: {{{ACCOUNT}, default: yes}}", "must be true or false"),
        (
            f"version: 1\naccounts:\n  a: {{{ACCOUNT}}}\n  b: {{{ACCOUNT}}}",
            "2:1: error: several accounts, and none is the default [no-default]",
        ),
        (
            f"version: 1\naccounts: {{a: {{{DEFAULT}}}, b: {{{DEFAULT}}}}}",
            "error: b is a second default account [two-defaults]",
        ),
        (
            "version: 1\naccounts: {a: {address: {rest: x}}}",
            "address needs ws_api",
        ),
        ("version: 1\nhook: localhost", "hook is not an address"),
        ("version: 1\nhooks: {allow: [binance]}", "2:17: error: binance is no address"),
        ("version: 1\nhooks: {trusted_proxies: [tradingview]}", "tradingview is no address"),
        ("version: 1\nhooks: {allow: [10.0.0.1/8]}", "write an address or a network"),
        ("version: 1\nsecrets: {a: {}}", "a needs exactly one source"),
        ("version: 1\nsecrets: {a: {env: X, file: y}}", "a needs exactly one source"),
        ("version: 1\nsecrets: {A: {env: X}}", "this is not a name that can be used in secrets"),
        ("version: 1\nsecrets: {a: {command: pass}}", "command must be a list, this is text"),
        ("version: 1\nsecrets: {a: {command: []}}", "command cannot be this"),
        ("version: 1\nsecrets: {a: {env: 1X}}", "env cannot be this"),
        ("version: 1\ntiming: {recv_window: 1ms}", "recv_window must be at least 100ms"),
        ("version: 1\ntiming: {engine_margin: 0s}", "engine_margin must be at least 100ms"),
        ("version: 1\ntiming: {recv_window: 2m}", "recv_window must be at most 1m"),
        ("version: 1\ntiming: {retention: 4d}", "retention must be at most 3d"),
        ("version: 1\ntiming: {probe_offsets: [5s]}", "needs 2 questions or more even in a test"),
        ("version: 1\ntiming: {probe_offsets: [0s, 1ms]}", "must be at least 100ms"),
        ("version: 1\ntiming: {back_off: [1s, 1ms]}", "back_off must be at least 5ms"),
        ("version: 1\ntiming: {max_attempts: 99}", "max_attempts must be at most 20"),
        (f"{LIVE}timing: {{engine_margin: 5s}}", "must be at least 10s on a real exchange"),
        (f"{LIVE}timing: {{probe_offsets: [0s, 30s]}}", "needs 3 questions"),
        (f"{LIVE}timing: {{probe_offsets: [0s, 1s, 2s]}}", "must be at least 20s on a real"),
        ("version: 1\ncommands: {panic: {command: stop, secret: s}}", "command cannot be stop"),
        ("version: 1\ncommands: {panic: {command: kill}}", "panic needs secret"),
        ("version: 1\ntiming: {skew: 3}", "must be a length of time with a unit, this is a number"),
        ("version: 1\ntiming: {skew: ''}", "skew cannot be this"),
        ("version: 1\ntiming: {skew: 3 s}", "skew cannot be 3 s"),
        ("version: 1\ntiming: {back_off: [5]}", "an item of back_off must be a length of time"),
        ("version: 1\ntiming: {probe_offsets: [5s, 0s]}", "probe_offsets must not go back"),
        ("version: 1\ntiming: {max_attempts: 0}", "max_attempts cannot be 0"),
        ("version: 1\non_stop: explode", "on_stop cannot be explode"),
        (
            "version: 1\npaper: {seed: 1.5}",
            "must be a whole number, this is a number with decimals",
        ),
        ("version: 1\npaper: {balance: 0}", "balance cannot be 0"),
        ("version: 1\npaper:\n", "paper must be a block of keys, this is empty"),
        ("version: 1\npaper: true", "this is true or false"),
        ("version: 1\nversion: 1", "2:1: error: version is written twice in the same block"),
        ("version: 1\naccounts:\n\ta: 1", "3:1: error: a tab stands here"),
        ("a: [1", "1:6: error: a bracket is opened here and never closed"),
        ("version: 1\nhook: 'x\n", "2:7: error: a quote is opened here and never closed"),
        ("hook: @x", "a text that starts with this sign needs quotes"),
        ("hook: *x", "a text that starts with * needs quotes"),
        ("a: 1\n b: 2", "a colon too many, or an indentation"),
        ("a: 1\n---\nb: 1", "--- starts a second document"),
        ("a:\n - 1\nb", "this cannot be read"),
        ("a: &x 1\nb: *x", "1:4: error: anchors (&) and aliases (*) are not used here"),
        ("? [a]\n: 1", "a key must be a plain word"),
        ("<<: {a: 1}", "a key must be a plain word"),
        ("version: 1\n" + "a" * 300 + ": 1", "unknown key …"),
        ("[" * 5_000, "the file is nested too deep"),
        (b"hook: \xff", "the file is not UTF-8 text"),
        (b"#" * 300_000, "the file is larger than 256 KiB"),
        ("a: \x01", "this cannot be read"),
    ],
)
def test_each_mistake_is_said_in_plain_words(text: str | bytes, expected: str) -> None:
    """What is wrong with what, never a word of the parser, the schema or Python."""
    shown = mistakes(text)
    assert expected in shown
    assert shown.endswith("Nothing was started.")
    for word in ("Traceback", "None", "jsonschema", "ruamel", "'object'", "additionalProperties"):
        assert word not in shown


@pytest.mark.parametrize(
    "text",
    [
        f"version: 1\naccounts:\n  a: {{venue: binance_usdm, api_key: {KEY}, api_secret: s}}",
        "version: 1\naccounts:\n  a:\n    api_secret: Geheim-17\n    api_key: Geheim-17",
        "version: 1\nsecrets:\n  tv: Geheim-17",
        "version: 1\nsecrets:\n  tv: {value: Geheim-17}",
        "version: 1\nsecrets:\n  tv: {env: Geheim-17}",
        f"version: 1\nsecrets: {{{KEY}: 1}}",
        f"version: 1\nkey: [{KEY}",
    ],
)
def test_a_secret_written_into_the_file_is_refused_and_not_repeated(text: str) -> None:
    """Neither in the message nor in the source line: this text goes to logs and issues."""
    shown = mistakes(text)
    assert KEY not in shown
    assert "Geheim" not in shown


def test_aliases_cannot_blow_up() -> None:
    """A file of nested aliases is refused in no time and in one sentence."""
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    shown = mistakes("\n".join(["a0: &a0 [x]", *levels]))
    assert "anchors (&) and aliases (*) are not used here" in shown
    assert len(shown) < 5_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:80", ("::1", 80)),
        ("::1:80", None),
        ("8080", None),
        (":8080", None),
        ("host:", None),
        ("host:65536", None),
        ("host:-1", None),
        ("host:٣", None),
    ],
)
def test_a_hook_s_address_is_host_and_port(text: str, expected: tuple[str, int] | None) -> None:
    """IPv6 needs brackets, a port is a port."""
    assert parse_hook(text) == expected


def test_the_committed_schema_is_the_code_s() -> None:
    """schemas/settings.v1.schema.json is generated: regenerate it when this fails."""
    Draft7Validator.check_schema(SCHEMA)
    assert (folder("schemas") / FILE_NAME).read_text("utf-8") == schema_text()


def test_everything_in_the_schema_is_described() -> None:
    """Editors show the descriptions, and mistakes are cured by them."""

    def undescribed(schema: object, path: str) -> list[str]:
        if not isinstance(schema, dict):
            return []
        found = [path] if "type" in schema and not schema.get("description") else []
        below = dict(schema.get("properties", {}))
        for name in ("items", "additionalProperties"):
            below[name] = schema.get(name)
        return found + [
            each for name in below for each in undescribed(below[name], f"{path}.{name}")
        ]

    assert undescribed(SCHEMA, "") == []


@given(st.text(st.sampled_from("abc:{}[]\n -'\"&*#!|>0.5version accounts"), max_size=60))
def test_any_text_gives_settings_or_a_configuration_error(text: str) -> None:
    """No other exception leaves the reader."""
    try:
        parse("runner.yaml", b"version: 1\n" + text.encode())
    except ConfigurationError as error:
        assert "runner.yaml:" in str(error)  # noqa: PT017  # settings are as good an outcome
