"""`runner reload` and edited files, at a real daemon: as editors edit, while alerts come in."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from runner.rulebook.load import load
from tests.cli.calling import TOKEN, Process, answer, call, demo_folder
from tests.support import eventually

SETTINGS = "version: 1\nreload: {poll: 500ms}\n"


def text(version: int) -> str:
    """A rule file of which every beginning, cut off after a line, is a sound file too."""
    lines = "".join(f"      - notify: version {version}, line {line}\n" for line in range(12))
    return (
        "version: 1\n"
        "rules:\n"
        "  - id: tv-eth\n"
        "    symbol: ETHUSDT\n"
        "    when: [{webhook: {path: eth, secret: tv_eth, body: {n: number}}}]\n"
        f"    do:\n{lines}"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A runner's folder with one rule."""
    folder = demo_folder(tmp_path / "my")
    for path in (folder / "rules").iterdir():
        path.unlink()
    (folder / "rules" / "eth.yaml").write_text(text(0))
    (folder / "runner.yaml").write_text(SETTINGS)
    return folder


@pytest.fixture
def daemon(folder: Path) -> Iterator[tuple[Process, str]]:
    """A daemon that is ready, and its hook address."""
    words = ("run", "--dir", folder, "--paper", "--hook", "127.0.0.1:0")
    with Process(*words, log=folder.parent / "log") as process:
        found = re.match(r"READY alerts at (\S+)/hook/…", process.line())
        assert found, process.end()
        yield process, found[1]


def post(url: str, n: int, path: str = "eth") -> requests.Response:
    """Send the n-th alert."""
    return requests.post(f"{url}/hook/{path}", json={"secret": TOKEN, "n": n}, timeout=10)


def reloads(folder: Path) -> list[dict[str, Any]]:
    """Every reload that the journal knows, and the start."""
    found: list[dict[str, Any]] = answer("journal", "--dir", folder, "--kind", "reload")
    return found


def revision(path: Path) -> str:
    """The revision of a rule file."""
    rules = load(path).rules
    assert rules is not None
    return rules.revision


# the ways in which editors and people write


def renamed_over(file: Path, new: str) -> None:
    """Vim, and everybody who is careful."""
    beside = file.with_name(".eth.yaml.swp")
    beside.write_text(new)
    beside.rename(file)


def in_pieces(file: Path, new: str) -> None:
    """Truncate, then a line at a time, each on the disk: nano, shells, slow copies."""
    with file.open("w") as stream:
        for line in new.splitlines(keepends=True):
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())


def link_swapped(file: Path, new: str) -> None:
    """The file is a link that changes its mind: configuration management."""
    target = file.parent.parent / f"target-{len(list(file.parent.parent.iterdir()))}"
    target.write_text(new)
    link = file.with_name(".link")
    link.symlink_to(target)
    link.rename(file)


def moved_aside(file: Path, new: str) -> None:
    """The old file becomes a backup, and for a moment there is none."""
    file.rename(file.with_name("eth.yaml~"))
    file.write_text(new)


def folder_replaced(file: Path, new: str) -> None:
    """As a checkout does: the whole folder goes, another one comes."""
    other = file.parent.with_name("other")
    other.mkdir()
    (other / file.name).write_text(new)
    file.parent.rename(file.parent.with_name("gone"))
    other.rename(file.parent)
    shutil.rmtree(file.parent.with_name("gone"))


EDITS: list[Callable[[Path, str], None]] = [
    renamed_over,
    in_pieces,
    link_swapped,
    moved_aside,
    folder_replaced,
    in_pieces,
]


class Sender:
    """Sends alerts one after the other, in a thread, until it is ended."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._ended = threading.Event()
        self.answers: list[tuple[int, str]] = []
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Sender:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            # a kept Response keeps its connection, and the hook server takes 500 of them
            answer = post(self._url, len(self.answers))
            self.answers.append((answer.status_code, str(answer.json()["outcome"])))


def test_edits_while_alerts_come_in(folder: Path, daemon: tuple[Process, str]) -> None:
    """Every alert fires once, by one of the whole versions; no edit is refused or half read."""
    file = folder / "rules" / "eth.yaml"
    whole = [revision(file)]
    with Sender(daemon[1]) as sender:
        for number, edit in enumerate(EDITS, start=1):
            edit(file, text(number))
            wanted = revision(file)
            whole.append(wanted)
            eventually(lambda: reloads(folder)[-1]["data"]["revision"] == wanted, 30)  # noqa: B023
    assert set(sender.answers) == {(200, "fired")}
    runs = answer("runs", "--dir", folder)
    assert len(runs) == len(sender.answers)
    told = [record for record in answer("journal", "--dir", folder) if record["kind"] == "notify"]
    by_run: dict[str, list[str]] = {}
    for record in told:
        by_run.setdefault(record["run_id"], []).append(record["text"])
    versions = [
        [f"version {version}, line {line}" for line in range(12)] for version in range(len(whole))
    ]
    assert all(by_run[run["run_id"]] in versions for run in runs)
    records = reloads(folder)
    assert [record["data"]["revision"] for record in records] == whole
    assert {record["reason"] for record in records} == {""}


def test_the_plan_is_printed(folder: Path, daemon: tuple[Process, str]) -> None:
    """`runner reload` takes the files up at once and says what changed; exit 0."""
    url = daemon[1]
    assert post(url, 1).json()["outcome"] == "fired"
    path = folder / "rules" / "more.yaml"
    path.write_text(text(1).replace("tv-eth", "more").replace("path: eth", "path: more"))
    told = call("reload", "--dir", folder)
    assert told.exit_code == 0, told.output
    assert told.stdout.splitlines()[:4] == [
        f"{folder / 'rules' / 'eth.yaml'}",
        "  = 1 unchanged",
        f"{path}",
        "  + more  new",
    ]
    found = re.fullmatch(
        r"Revision ([0-9a-f]{12}) \(2 rules\) is running since [-0-9: .]+ UTC\.",
        told.stdout.splitlines()[-1],
    )
    assert found, told.stdout
    status = answer("status", "--dir", folder)
    assert status["revision"].startswith(found[1])
    assert status["refused_reload"] is None
    assert post(url, 1, "more").json()["outcome"] == "fired"
    path.unlink()
    again = call("reload", "--dir", folder, "--json")
    changes = json.loads(again.stdout)["data"]["changes"]
    assert [(change["mark"], change["name"]) for change in changes] == [("-", "more")]
    assert post(url, 1, "more").status_code == 404
    assert post(url, 1).json()["outcome"] == "duplicate"


def test_a_hangup_reloads(folder: Path, daemon: tuple[Process, str]) -> None:
    """SIGHUP is `runner reload` without waiting; the process goes on."""
    before = len(reloads(folder))
    daemon[0].send(signal.SIGHUP)
    eventually(lambda: len(reloads(folder)) == before + 1)
    assert post(daemon[1], 1).json()["outcome"] == "fired"


def test_nobody_to_ask(folder: Path) -> None:
    """No daemon in this folder, never or not any more: exit 2 and how to start it."""
    told = call("reload", "--dir", folder)
    assert told.exit_code == 2
    assert "no runner runs in" in told.stderr
    with Process("run", "--dir", folder, "--paper", "--hook", "127.0.0.1:0") as process:
        assert process.line().startswith("READY")
        process.send()
        assert process.end()[0] == 0
    assert call("reload", "--dir", folder).exit_code == 2


def test_a_daemon_that_does_not_answer(folder: Path, daemon: tuple[Process, str]) -> None:
    """It stands still: after the time-out exit 2; when it goes on, it reloads."""
    daemon[0].send(signal.SIGSTOP)
    try:
        told = call("reload", "--dir", folder, "--timeout", "1")
    finally:
        daemon[0].send(signal.SIGCONT)
    assert told.exit_code == 2
    assert "did not say in time" in told.stderr
    eventually(lambda: len(reloads(folder)) == 2)


TESTS = """\
tests_for: eth.yaml
tests:
  - name: it speaks
    rule: tv-eth
    steps:
      - {at: 0s, webhook: {path: eth, body: {n: 1}}, expect: {notify: "version 1, line 0"}}
"""


def test_rules_whose_tests_fail_are_refused(folder: Path) -> None:
    """With `require_tests: pass` a reload plays the tests beside the rules first."""
    (folder / "runner.yaml").write_text("version: 1\nreload: {poll: 0s, require_tests: pass}\n")
    (folder / "rules" / "eth.tests.yaml").write_text(TESTS)
    words = ("run", "--dir", folder, "--paper", "--hook", "127.0.0.1:0")
    with Process(*words, log=folder.parent / "log") as process:
        assert process.line().startswith("READY")
        told = call("reload", "--dir", folder)
        assert (told.exit_code, "it speaks" in told.stderr) == (1, True), told.stderr
        short = text(1).partition("      - notify: version 1, line 1\n")[0]
        (folder / "rules" / "eth.yaml").write_text(short)
        told = call("reload", "--dir", folder)
        assert told.exit_code == 0, told.stderr
        assert told.stdout.splitlines()[-1].startswith("1 test ok. Revision ")


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [*{before},*{before},*{before},*{before},*{before}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
BAD = {
    "a bomb": BOMB,
    "deep": "version: 1\nrules: " + "[" * 100_000,
    "large": text(1) + "#" * 10_000_000,
    "nan": text(1).replace("{n: number}}", "{n: number}, max_age: .nan}"),
    "twice": text(1) + text(1).partition("rules:\n")[2],
    "empty": "",
    "binary": "\0\1\2" * 1000,
    "unknown list": text(1).replace("symbol: ETHUSDT", "symbols: nobody"),
    "long formula": text(1) + "    if: ['" + "1+" * 5_000 + "1 > 0']\n",
    "unknown symbol": text(1).replace("ETHUSDT", "NOTHINGUSDT"),
    "secret": text(1).replace("tv_eth", "nowhere"),
    "circle": text(1)
    + "".join(
        f"  - {{id: r{one}, symbol: ETHUSDT, enabled: false, when: [{{schedule: {{every: 1m}}}}], "
        f"do: [{{enable: r{other}}}]}}\n"
        for one, other in ((1, 2), (2, 1))
    ),
}


def test_bad_files_change_nothing(folder: Path, daemon: tuple[Process, str]) -> None:
    """Each is refused with a message before the command gives up; the rules that run go on."""
    file = folder / "rules" / "eth.yaml"
    good = revision(file)
    for number, (name, bad) in enumerate(BAD.items()):
        file.write_text(bad)
        told = call("reload", "--dir", folder)
        assert told.exit_code == 1, name
        assert f"Revision {good[:12]} (1 rule) keeps running." in told.stderr, name
        assert "Traceback" not in told.stderr
        assert post(daemon[1], number).json()["outcome"] == "fired", name
    file.write_text(text(0))
    copy = file.with_name("copy.yaml")
    copy.write_text(text(0))
    told = call("reload", "--dir", folder)
    assert (told.exit_code, "two rules have the id tv-eth" in told.stderr) == (1, True)
    shutil.rmtree(folder / "rules")
    assert call("reload", "--dir", folder).exit_code == 1
    status = call("status", "--dir", folder, "--json")
    assert status.exit_code == 3
    told_status = json.loads(status.stdout)
    assert told_status["revision"] == good
    assert told_status["refused_reload"]["reason"] == "error"
    (folder / "rules").mkdir()
    file.write_text(text(0))
    assert call("reload", "--dir", folder).exit_code == 0
    assert answer("status", "--dir", folder)["refused_reload"] is None
