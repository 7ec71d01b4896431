"""The daemon as a real process: ready, an alert, a clean stop, a restart, and every bad folder."""

from __future__ import annotations

import json
import re
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.cli.calling import ALERTED, TOKEN, Process, answer, call, demo_folder
from tests.support import eventually

CONFIGURATION = 78


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A runner's folder whose one rule waits for an alert."""
    folder = demo_folder(tmp_path / "my")
    (folder / "rules" / "demo.yaml").write_text(ALERTED)
    return folder


def started(folder: Path, *words: object) -> tuple[Process, str]:
    """A daemon on paper that is ready, and its hook address."""
    process = Process("run", "--dir", folder, "--paper", "--hook", "127.0.0.1:0", *words)
    line = process.line()
    found = re.match(r"READY alerts at (http://127\.0\.0\.1:\d+)/hook/… on account paper", line)
    assert found, line + "".join(map(str, process.end()))
    return process, found[1]


def post(url: str, **fields: Any) -> dict[str, Any]:
    """Post an alert with the right secret, again while it is not taken, as TradingView does."""
    body = {"secret": TOKEN, **fields}

    def taken() -> dict[str, Any]:
        answer = requests.post(f"{url}/hook/eth", json=body, timeout=30)
        told: dict[str, Any] = answer.json()
        return {} if answer.status_code == 503 else told

    return eventually(taken, 60)


def filled(folder: Path) -> list[dict[str, Any]]:
    """The orders, once there are some and each is filled; none before."""
    orders: list[dict[str, Any]] = answer("orders", "--dir", folder)
    return orders if all(order["state"] == "FILLED" for order in orders) else []


def test_an_alert_becomes_one_order_and_a_restart_doubles_nothing(folder: Path) -> None:
    """Ready, one alert sent twice, one order; SIGTERM ends with 0; restarted, still one order."""
    process, url = started(folder)
    with process:
        ready = requests.get(f"{url}/readyz", timeout=5).json()
        assert (ready["ready"], ready["taking"], ready["reasons"]) == (True, True, [])
        assert (ready["problems"], ready["stale"]) == ([], [])
        assert post(url, action="buy")["outcome"] == "fired"
        assert post(url, action="buy")["outcome"] == "duplicate"
        [order] = eventually(lambda: filled(folder))
        assert (order["rule_id"], order["quantity"]) == ("tv-eth", "0.1")
        status = call("status", "--dir", folder, "--json")
        assert status.exit_code == 0, status.output
        told = json.loads(status.stdout)
        assert (told["mode"], told["running"], told["ready"]) == ("paper", True, True)
        process.send()
        assert process.end()[0] == 0
    kinds = [record["kind"] for record in answer("journal", "--dir", folder)]
    assert (kinds[0], kinds[-1]) == ("started", "stopped")
    process, url = started(folder)
    with process:
        assert post(url, action="buy")["outcome"] == "duplicate"
        assert len(answer("orders", "--dir", folder)) == 1
        process.send(signal.SIGINT)
        assert process.end()[0] == 0
    assert call("status", "--dir", folder).exit_code == 3


def test_why_asks_the_daemon_for_what_it_sees(folder: Path) -> None:
    """The price that has not crossed, and the values of each condition."""
    rule = "  - {id: up, symbol: BTCUSDT, if: [position.size == 0], do: [{cancel: all}],\n"
    rule += "     when: [{price: {crosses_above: 900000}}]}\n"
    with (folder / "rules" / "demo.yaml").open("a", encoding="utf-8") as file:
        file.write(rule)
    process, _ = started(folder)
    with process:

        def seen() -> str:
            text: str = call("why", "up", "--dir", folder).stdout
            return text if "has not crossed above 900000" in text else ""

        text = eventually(seen, 60)
        assert re.search(r"now: mark \d+(\.\d+)? has not crossed above 900000", text), text
        assert "if position.size == 0: holds (0 == 0)" in text
        assert "remembers" not in text
        process.send()
        assert process.end()[0] == 0


def test_alert_send_posts_to_the_running_daemon(folder: Path) -> None:
    """`runner alert --send` finds the daemon's address and secret; exit 0 only if it fired."""
    process, url = started(folder)
    with process:
        shown = call("alert", "tv-eth", "--dir", folder)
        assert f"{url}/hook/eth" in shown.stderr
        fired = call("alert", "tv-eth", "--dir", folder, "--send", "--field", "action=sell")
        assert (fired.exit_code, json.loads(fired.stdout)["outcome"]) == (0, "fired")
        again = call("alert", "tv-eth", "--dir", folder, "--send", "--field", "action=sell")
        assert (again.exit_code, json.loads(again.stdout)["outcome"]) == (1, "duplicate")
        planned = call("plan", "tv-eth", "--dir", folder, "--alert", '{"action": "buy"}')
        assert planned.exit_code == 0, planned.output
        assert len(answer("orders", "--dir", folder)) == 1


def test_journal_follows(folder: Path) -> None:
    """`--follow --json` prints one document a line as it happens; Ctrl-C ends it with 0."""
    process, url = started(folder)
    with process, Process("journal", "--dir", folder, "--follow", "--json") as follower:
        assert json.loads(follower.line())["kind"] == "started"
        post(url, action="buy")
        kinds: list[str] = []
        while "fired" not in kinds:
            kinds.append(json.loads(follower.line())["kind"])
        follower.send(signal.SIGINT)
        assert follower.end()[0] == 0


def test_a_second_runner_on_the_same_folder_is_refused(folder: Path) -> None:
    """The second one ends at once with 1 and says whose the journal is; the first goes on."""
    process, url = started(folder)
    with process, Process("run", "--dir", folder, "--paper", "--hook", "127.0.0.1:0") as second:
        code, out, err = second.end()
        assert (code, out) == (1, "")
        assert re.fullmatch(r"runner: another runner \(pid \d+\) already uses .*\n", err)
        assert requests.get(f"{url}/readyz", timeout=5).status_code == 200


def test_a_second_sigterm_ends_at_once(folder: Path) -> None:
    """Nobody has to wait for a clean stop: the second request ends the process."""
    process, _ = started(folder)
    with process:
        process.send()
        process.send()
        assert process.end()[0] in (0, 128 + signal.SIGTERM)


def refused(folder: Path, *words: object) -> str:
    """The message with which the daemon refuses to start, with exit code 78."""
    with Process("run", "--dir", folder, "--hook", "127.0.0.1:0", *words) as process:
        code, out, err = process.end()
    assert (code, out) == (CONFIGURATION, ""), err
    assert "Traceback" not in err
    return err


def test_broken_rules_are_shown_as_diagnostics(folder: Path) -> None:
    """Place, caret and cure, as `runner check` prints them; nothing ran."""
    path = folder / "rules" / "demo.yaml"
    path.write_text(ALERTED.replace("quantity: 0.1", "quantty: 0.1"))
    err = refused(folder, "--paper")
    assert re.match(rf"{re.escape(str(path))}:\d+:\d+: error: ", err)
    assert "quantity" in err
    assert "Nothing was loaded." in err


def test_a_folder_without_rules_says_what_to_do(tmp_path: Path) -> None:
    """No rules/: exit 78 and where rules come from; nothing was created."""
    assert "put rule files there" in refused(tmp_path, "--paper")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_secret_is_named(folder: Path) -> None:
    """The rule's secret is nowhere: exit 78 with the three ways to give it."""
    (folder / "secrets" / "tv_eth").unlink()
    err = refused(folder, "--paper")
    assert err.startswith("runner: the secret tv_eth is nowhere to be found")
    assert err.count("\n") == 1


def test_no_account_points_to_paper(folder: Path) -> None:
    """Without an account and without --paper: exit 78 and both ways out."""
    assert "--paper" in refused(folder)


def test_a_journal_that_cannot_be_written_is_one_message(folder: Path) -> None:
    """A journal in a place where nothing can be created, even by root: exit 78."""
    (folder / "runner.yaml").write_text("version: 1\njournal: /proc/journal.db\n")
    err = refused(folder, "--paper")
    assert "/proc" in err
    assert err.count("\n") == 1


def test_a_paper_state_that_cannot_be_written_is_one_message(folder: Path) -> None:
    """The paper exchange cannot keep its orders: exit 78."""
    (folder / "runner.yaml").write_text("version: 1\npaper: {state: /proc/paper.json}\n")
    assert "/proc/paper.json" in refused(folder, "--paper")


def test_a_taken_port_is_one_message(folder: Path) -> None:
    """The hook's address is in use: exit 78 and which one."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        err = refused(folder, "--paper", "--hook", f"127.0.0.1:{port}")
    assert str(port) in err


def test_an_exchange_that_does_not_answer_is_one_message(folder: Path) -> None:
    """The account's address leads nowhere: exit 1, since it may answer at the next try."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        address = f"rest: 'http://127.0.0.1:{port}', streams: 'ws://127.0.0.1:{port}'"
        (folder / "runner.yaml").write_text(
            "version: 1\n"
            f"accounts: {{main: {{venue: binance_usdm, api_key: tv_eth, api_secret: tv_eth, "
            f"address: {{{address}, ws_api: 'ws://127.0.0.1:{port}/ws'}}}}}}\n"
        )
        with Process("run", "--dir", folder, "--hook", "127.0.0.1:0") as process:
            code, _, err = process.end()
    assert code == 1, err
    assert err.startswith("runner: cannot reach http://127.0.0.1")


def test_a_wrong_hook_is_usage(folder: Path) -> None:
    """--hook without a port: exit 2 and the form that is meant."""
    result = call("run", "--dir", folder, "--paper", "--hook", "8080")
    assert result.exit_code == 2
    assert "HOST:PORT" in result.stderr


def test_systemd_hears_when_it_is_ready(folder: Path, tmp_path: Path) -> None:
    """READY=1 once alerts are taken, STOPPING=1 at the stop (sd_notify)."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(path))
        ear.settimeout(120)
        words = ("run", "--dir", folder, "--paper", "--hook", "127.0.0.1:0")
        with Process(*words, env={"NOTIFY_SOCKET": str(path)}) as process:
            assert ear.recv(100) == b"READY=1"
            process.send()
            assert ear.recv(100) == b"STOPPING=1"
            assert process.end()[0] == 0


def test_a_taken_address_for_metrics_is_one_message(folder: Path) -> None:
    """It names the address and the setting."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (folder / "runner.yaml").write_text(f"version: 1\nmetrics: 127.0.0.1:{port}\n")
        told = refused(folder, "--paper")
    assert f"cannot show metrics on 127.0.0.1:{port}" in told
    assert "choose another address for metrics" in told
