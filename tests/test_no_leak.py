"""No secret gets out: logs at DEBUG, journal, traces, exceptions, answers, screens, a crash dump.

A whole scenario with everything that goes wrong; then every byte that the runner wrote or said is
searched for the API key, its secret, each signature, the listen key and the hooks' secrets.
"""

from __future__ import annotations

import faulthandler
import hashlib
import hmac
import io
import logging
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from runner import logs
from runner.app import App
from runner.cli.desk import FolderDesk
from runner.connecting import Place
from runner.core.engine import Engine
from runner.dashboard.app import Dashboard
from runner.errors import RunnerError
from runner.journal import JournalReader
from runner.ops.secret_files import write
from runner.rotating import KeyRotation, ask
from runner.settings import Settings, load
from runner.venues import RawAnswer
from runner.venues.binance_usdm.rest import Rest
from runner.venues.binance_usdm.signing import HmacSigner
from runner.venues.paper.auth import Credential
from runner.venues.paper.listen_keys import ListenKeys
from runner.venues.paper.market import Still
from runner.venues.paper.server import PaperServer
from tests.cli.calling import call
from tests.dashboard.scene import HASH, PASSWORD
from tests.support import eventually

PATIENCE = 90
SECRETS = {
    "demo_key": "KeyInUseAbCdEf0123456789",
    "demo_secret": "SecretInUseGhIjKl0123456789",
    "demo_key_next": "KeyNextMnOpQr0123456789",
    "demo_secret_next": "SecretNextStUvWx0123456789",
    "tv": "HookSecretYzAbCd0123456789/+x",
    "panic": "CommandSecretEfGh0123456789",
    "phone": "json://PhoneUserIjKl01:PhoneTokenMnOp0123456789@127.0.0.1:1/",
    "dashboard": HASH,
}
PARTS = (PASSWORD, "PhoneTokenMnOp0123456789")
"""What must not be seen besides: of the notifications' address, and what the hash is of."""

RULES = """\
version: 1
guards: {max_order_notional: 5000}
dead_man: {symbols: [BTCUSDT], countdown: 2m, refresh: 30s}
rules:
  - id: trade
    symbol: BTCUSDT
    mode: queued
    when:
      - webhook:
          path: signal
          secret: tv
          text: pairs
          body: {action: {one_of: [buy, sell]}, quantity: number, price: number}
          dedupe_window: 0s
    do:
      - place:
          side: =trigger.action
          type: limit
          price: =trigger.price
          quantity: =trigger.quantity
    on_failure: continue
"""
SETTINGS = """\
version: 1
hook: 127.0.0.1:0
metrics: 127.0.0.1:0
notifications: {{targets: [phone], kinds: {{fired: on, refused: on}}}}
commands: {{panic: {{command: pause, secret: panic}}}}
accounts:
  main:
    venue: binance_usdm
    address: {{rest: "{rest}", streams: "{streams}", ws_api: "{ws_api}"}}
    api_key: demo_key
    api_secret: demo_secret
    transport: {transport}
timing:
  recv_window: 2s
  engine_margin: 300ms
  skew: 100ms
  answer_deadline: 2s
  probe_offsets: [0s, 100ms, 200ms, 300ms]
  first_probe: 50ms
"""


@dataclass(slots=True)
class Spy:
    """What must not be seen anywhere, and all that was said."""

    hidden: set[str] = field(default_factory=set)
    said: dict[str, str] = field(default_factory=dict)
    log: io.StringIO = field(default_factory=io.StringIO)

    def forms(self) -> set[bytes]:
        """Each secret as it is, and percent-encoded."""
        both = {form for each in self.hidden for form in (each, quote(each, safe=""))}
        return {form.encode() for form in both}

    def hits(self, where: str, data: bytes) -> list[str]:
        """Which place shows a secret, with what stands around it."""
        return [
            f"{where}: …{data[max(at - 60, 0) : at].decode(errors='replace')}<here>"
            for form in self.forms()
            if (at := data.find(form)) >= 0
        ]


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spy]:
    """Notes every signature and every listen key, and all that is logged at DEBUG."""
    spy = Spy({*SECRETS.values(), *PARTS})
    sign, create = HmacSigner.sign, ListenKeys.create

    def signing(self: HmacSigner, payload: bytes) -> str:
        made = sign(self, payload)
        spy.hidden.add(made)
        return made

    def creating(self: ListenKeys, account: str, now: int) -> str:
        made = create(self, account, now)
        spy.hidden.add(made)
        return made

    monkeypatch.setattr(HmacSigner, "sign", signing)
    monkeypatch.setattr(ListenKeys, "create", creating)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield spy
    root.handlers[:] = before
    root.setLevel(level)


@pytest.fixture
def paper() -> Iterator[PaperServer]:
    """An exchange with both keys of the account, and a control endpoint."""
    keys = {
        SECRETS["demo_key"]: Credential("main", SECRETS["demo_secret"]),
        SECRETS["demo_key_next"]: Credential("main", SECRETS["demo_secret_next"]),
    }
    with PaperServer(keys=keys, market=Still(), control=True) as server:
        yield server


def folder_on(tmp_path: Path, paper: PaperServer, transport: str) -> Path:
    """A runner's folder with all the secrets."""
    folder = tmp_path / "my"
    (folder / "rules").mkdir(parents=True)
    (folder / "rules" / "rules.yaml").write_text(RULES)
    (folder / "runner.yaml").write_text(SETTINGS.format(**paper.addresses, transport=transport))
    for name, value in SECRETS.items():
        write(folder / "secrets" / name, value)
    return folder


class Scenario:
    """Everything that can go wrong, one thing after another."""

    def __init__(self, spy: Spy, app: App, paper: PaperServer) -> None:
        self.spy = spy
        self.app = app
        self.rest = paper.addresses["rest"]

    def post(self, path: str, body: str, **headers: str) -> int:
        """Send an alert; what is answered must hold no secret."""
        url = f"{self.app.hook_server.url}/hook/{path}"
        answer = requests.post(url, data=body.encode(), headers=headers, timeout=PATIENCE)
        self.spy.said[f"answer {len(self.spy.said)}"] = f"{answer.text} {dict(answer.headers)}"
        return answer.status_code

    def order(self, number: int, quantity: str = "0.01") -> int:
        """A right alert; it becomes a limit order far below the market."""
        price = 40_000 + number
        text = f"secret={SECRETS['tv']};action=buy;quantity={quantity};price={price}"
        return self.post("signal", text)

    def taken(self, number: int) -> bool:
        """True once it is taken; on a slow machine it is sent again, as TradingView does."""
        return self.order(number) == 200

    def fault(self, **fault: Any) -> None:
        """The exchange misbehaves."""
        requests.post(f"{self.rest}/paper/fault", json=fault, timeout=PATIENCE)

    def settled(self) -> bool:
        """Nothing is on its way any more."""
        return not self.app.cell.engine.state.restless and not self.app.cell.gateway.busy

    def quiet(self) -> None:
        """Wait until it is settled."""
        eventually(self.settled, PATIENCE)

    def hooks(self) -> None:
        """Right and wrong secrets, in each of their places."""
        token, json_body = SECRETS["tv"], '{"action": "buy", "quantity": 1, "price": 1, "n": 1}'
        right = hmac.new(token.encode(), json_body.encode(), hashlib.sha256).hexdigest()
        self.spy.hidden.add(right)
        eventually(partial(self.taken, 1), PATIENCE)
        self.post(f"signal/{quote(token, safe='')}", json_body)
        self.post("signal", json_body, **{"X-Signature": f"sha256={right}"})
        self.post("signal", json_body, **{"X-Signature": "sha256=00"})
        self.post(f"signal/{SECRETS['panic']}", json_body)
        self.post("signal", f"secret={SECRETS['panic']};action=buy")
        self.post("signal", f'{{"secret": "{token}", "action": }}')
        self.post("signal", f'{{"secret": "{token}", "action": "hold", "quantity": 1}}')
        self.post("signal", f"secret={token};{token}")
        self.post(f"nowhere/{token}", json_body)
        self.post("panic", f'{{"secret": "{token}"}}')
        self.post(f"signal/{token}/more/{token}", json_body)

    def exchange(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Rejects, lost answers, errors of every kind, and a page that repeats the request."""
        self.order(2, "99")
        key, order = SECRETS["demo_key"], "POST /fapi/v1/order"
        said = f"Invalid API-key {key}, request {self.spy.log}"
        faults: list[dict[str, Any]] = [
            {"kind": "refuse", "code": -2019, "msg": "Margin is insufficient."},
            {"kind": "refuse", "code": -2015, "status": 401, "msg": said},
            {"kind": "drop_answer"},
            {"kind": "drop_request"},
            {"kind": "cut_answer"},
            {"kind": "reject_503_unknown"},
            {"kind": "answer", "status": 403, "body": f"<html>blocked: {key}</html>"},
            {"kind": "answer", "status": 200, "body": f"{key} is no JSON"},
            {"kind": "hang", "ms": 4_000},
        ]
        for number, fault in enumerate(faults, start=10):
            self.fault(**fault, match=order)
            eventually(partial(self.taken, number), PATIENCE)
            self.quiet()
        real = Rest.exchange

        def echo(self: Rest, method: str, path: str, payload: str, *gate: Any) -> RawAnswer:
            if path != "/fapi/v1/order" or method != "POST":
                return real(self, method, path, payload, *gate)
            page = f"<html>blocked {payload} X-MBX-APIKEY: {key}</html>"
            return RawAnswer("ok", 403, page.encode(), {"server": payload})

        with monkeypatch.context() as patch:
            patch.setattr(Rest, "exchange", echo)
            self.order(30)
            time.sleep(0)
        self.quiet()

    def trouble(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An event whose processing raises, a stream that is cut, an error behind the hook."""
        with monkeypatch.context() as patch:

            def broken(*_: object, **__: object) -> None:
                raise ValueError(f"could not use {SECRETS['tv']} {SECRETS['demo_secret']}")

            patch.setattr(Engine, "process", broken)
            self.order(40)
        with monkeypatch.context() as patch:
            patch.setattr(self.app.cell.dispatcher, "hand_in", broken)
            assert self.order(41) == 503
        requests.delete(f"{self.rest}/paper/streams", timeout=PATIENCE)
        self.fault(kind="refuse", match="listenKey", status=400, code=-1125, msg="no listenKey")
        eventually(lambda: self.app.readiness().ready, PATIENCE)
        self.order(42)
        self.quiet()


@pytest.mark.parametrize("transport", ["rest", "ws"])
def test_nothing_that_was_written_or_said_holds_a_secret(
    tmp_path: Path,
    paper: PaperServer,
    spy: Spy,
    monkeypatch: pytest.MonkeyPatch,
    transport: str,
) -> None:
    """Not one hit, whatever went wrong, over REST and over the WebSocket API."""
    folder = folder_on(tmp_path, paper, transport)
    settings = load(folder)
    app = App(Place(folder), settings)
    rotation = KeyRotation(folder, settings, app.secrets, app.cell.venue)  # type: ignore[arg-type]  # an Adapter
    logs.configure("DEBUG", app.secrets.values, spy.log)
    app.start()
    rotation.start()
    try:
        eventually(lambda: app.readiness().ready, PATIENCE)
        scenario = Scenario(spy, app, paper)
        scenario.hooks()
        scenario.exchange(monkeypatch)
        scenario.trouble(monkeypatch)
        spy.said["rotation"] = str(ask(folder, PATIENCE))
        scenario.order(50)
        scenario.quiet()
        look(folder, spy, app)
        with (tmp_path / "crash.dump").open("w") as dump:
            faulthandler.dump_traceback(dump, all_threads=True)
    finally:
        rotation.stop()
        app.stop()
        link = getattr(app.cell.venue, "ws", None)
        if link is not None:
            link.stop()
    look_at_the_dashboard(folder, settings, spy)
    for name in ("status", "orders", "journal", "alerts", "runs", "positions", "doctor"):
        shown = call(name, "--dir", folder, "--json")
        spy.said[name] = shown.output
    assert len(spy.hidden) > len(SECRETS) + 20
    found = [hit for where, text in spy.said.items() for hit in spy.hits(where, text.encode())]
    found += spy.hits("log", spy.log.getvalue().encode())
    for path in [*folder.rglob("*"), tmp_path / "crash.dump"]:
        if path.is_file() and path.parent.name != "secrets":
            found += spy.hits(path.name, path.read_bytes())
    assert found == [], "\n".join(found)


def look(folder: Path, spy: Spy, app: App) -> None:
    """What other eyes see while it runs: every page, screen and exception."""
    for page in ("/", "/livez", "/readyz", "/metrics", "/hook/signal"):
        answer = requests.get(app.hook_server.url + page, timeout=PATIENCE)
        spy.said[page] = f"{answer.text} {dict(answer.headers)}"
    assert app.metrics is not None
    host, port = app.metrics.address
    figures = requests.get(f"http://{host}:{port}/metrics", timeout=PATIENCE).text
    assert "runner_" in figures
    spy.said["metrics"] = figures
    with JournalReader.open(folder / "journal.db") as journal:
        spy.said["explain"] = "".join(
            call("explain", run["run_id"], "--dir", folder).output for run in journal.runs()[:20]
        )
    for words in (("secrets", "rotate"), ("why", "--all"), ("status",)):
        spy.said[f"{words} beside it"] = call(*words, "--dir", folder).output
    spy.said["objects"] = f"{app.secrets!r} {app.cell.venue!r} {app.hooks!r} {vars(app)!r}"
    for source in (folder / "journal.db-wal", folder / "journal.db"):
        if source.exists():
            spy.said[source.name] = source.read_bytes().decode("latin-1")
    write(folder / "secrets" / "demo_secret", "wrong-secret-of-somebody")
    spy.hidden.add("wrong-secret-of-somebody")
    for words in (("secrets", "check"), ("doctor",), ("audit",)):
        spy.said[words[0]] = call(*words, "--dir", folder).output
    try:
        App(Place(folder), load(folder))
    except RunnerError as error:
        spy.said["exception"] = "".join(traceback.format_exception(error))


def look_at_the_dashboard(folder: Path, settings: Settings, spy: Spy) -> None:
    """Every page that has no parameter, logged in and not; and a wrong password."""
    app = Dashboard(FolderDesk(folder, settings), ()).app
    pages = [
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.methods
        and "GET" in rule.methods
        and not rule.arguments
        and rule.endpoint != "stream"
    ]
    assert len(pages) > 6, pages
    client = app.test_client()
    seen = 0
    for password in (f"{PASSWORD}x", PASSWORD):
        for page in pages:
            answer = client.get(page)
            seen += answer.status_code == 200
            spy.said[f"dashboard {page} {password == PASSWORD}"] = answer.get_data(as_text=True)
        form = {"password": password}
        told = client.post("/login", data=form, headers={"Origin": "http://localhost"})
        spy.said[f"login {password == PASSWORD}"] = told.get_data(as_text=True)
    for page in pages:
        answer = client.get(page)
        seen += answer.status_code == 200
        spy.said[f"dashboard {page} after"] = answer.get_data(as_text=True)
    assert seen > len(pages), "the pages were shown once"
