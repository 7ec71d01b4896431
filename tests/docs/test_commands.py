"""Every command that README.md and docs/ show is typed here, or held against what it speaks of.

What starts with `runner` runs against a daemon on the paper exchange. The quickstart and the page
about replays have tests of their own that also hold what is printed.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from runner import resources
from runner.cli import main
from runner.venues.paper.symbols import built_in
from tests.cli.calling import Process, answer, call, demo_folder
from tests.conftest import REPOSITORY
from tests.docs.commands import Command, shown
from tests.docs.markdown import blocks
from tests.docs.shell import prepared, typed

SHOWN = shown()
# Each of these needs root, systemd, another machine or the internet, and none is of the runner:
# the units, folders and files that it names are held against systemd/.
MACHINE = {
    *("apt-get", "cd", "cp", "git", "journalctl", "litestream", "ln", "mkdir", "openssl", "pip"),
    *("ssh", "systemctl", "systemd-ask-password", "systemd-creds"),
}
# Who carries out a target of make: a step of .ci/run, or what is looked at by other tests. `make
# lock` asks the package index and `make bench` measures the machine: no test does either.
MADE = {
    "demo": ".ci/run",
    "test": ".ci/run",
    "install": "systemd/install.sh",
    "uninstall": "systemd/install.sh",
    "lock": "Makefile",
    "bench": "Makefile",
}
# Words of the pages that stand for something of the reader's.
STANDS_FOR = {
    "RULE": "first",
    "SYMBOL": "BTCUSDT",
    "TEXT": "because",
    "DIR": "written",
    "VERB": "check",
    "sent|absent": "sent",
    "8900": "0",
}
LATER = ("disable", "pause", "cancel", "flatten", "kill", "resolve")
LAST = ("enable", "resume", "unlock")
# They go on until they are told to stop.
LASTING = (["run"], ["paper"], ["dashboard"], ["check", "--watch"], ["journal", "--follow"])
# How those begin that are refused here, and rightly; each is done by the test that is named.
REFUSED = {
    "runner secrets rotate": "tests/test_rotating.py",  # paper has no key
    "runner resolve ID": "tests/cli/test_db.py",  # nothing is PARKED
    "runner run --dir live": "tests/cli/test_doctor.py",  # there is no real exchange
    "runner run --live": "tests/cli/test_doctor.py",
    "runner doctor --notify": "tests/cli/test_doctor.py",  # no targets, no internet
}
ONCE = list(dict.fromkeys(each.text for each in SHOWN if each.program == "runner"))


def saved_answer() -> dict[str, object]:
    """What `GET /fapi/v1/exchangeInfo` says of the symbols that are built in."""
    return {"symbols": [dict(symbol.document) for symbol in built_in().values()]}


def refused(text: str) -> bool:
    """True for a command that REFUSED names."""
    return text.startswith(tuple(REFUSED))


def late(text: str) -> int:
    """Reading first, then what takes orders and rules away, then what gives them back."""
    verb = text.split()[1]
    return 2 if verb in LAST else 1 if verb in LATER else 0


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the pages speak of: a folder `my` with their rules, and a folder `rules` beside it."""
    my, rules = tmp_path / "my", resources.folder("rules")
    monkeypatch.chdir(tmp_path)
    assert call("init", "my", "--yes", "--symbol", "SOLUSDT").exit_code == 0
    for text in ONCE:
        found = re.match(r"runner plan ([a-z-]+)", text)
        recipe = rules / "cookbook" / f"{found[1] if found else ''}.yaml"
        if recipe.is_file():
            shutil.copy(recipe, my / "rules")
    for path in demo_folder(tmp_path / "demo-rules").rglob("*"):
        if path.parent.name in ("rules", "secrets") and not path.name.endswith(".tests.yaml"):
            shutil.copy(path, my / path.parent.name)
    (commands,) = (
        block.text
        for block in blocks(REPOSITORY / "docs" / "settings.md", "yaml")
        if block.text.startswith("commands:")
    )
    for name in ("panic_secret", "pause_secret"):
        (my / "secrets" / name).touch(mode=0o600)
        (my / "secrets" / name).write_text(f"{name}-of-sixteen", "utf-8")
    text = (my / "runner.yaml").read_text("utf-8").replace("127.0.0.1:8080", "127.0.0.1:0")
    (my / "runner.yaml").write_text(text + commands, "utf-8")
    for name in ("other", "demo", "live"):
        shutil.copytree(my, tmp_path / name)
    (tmp_path / "written").mkdir()
    (tmp_path / "rules" / "cookbook").mkdir(parents=True)
    for name in ("one-a-day.yaml", "one-a-day.tests.yaml"):
        shutil.copy(rules / "cookbook" / name, tmp_path / "rules" / "cookbook")
        shutil.copy(rules / "cookbook" / name, tmp_path / "rules")
    (tmp_path / "info.json").write_text(json.dumps(saved_answer()), "utf-8")
    replay = REPOSITORY / "docs" / "replay.md"
    for language, name in (("yaml", "rule.yaml"), ("csv", "ETHUSDT.csv")):
        (block,) = blocks(replay, language)
        (tmp_path / name).write_text(block.text, "utf-8")
    return tmp_path


@pytest.fixture
def url(scene: Path) -> Iterator[str]:
    """The address of a daemon in `my` that has done one thing."""
    with Process("run", "--dir", scene / "my", "--paper", log=scene / "log") as daemon:
        found = re.search(r"http://[\d.:]+", daemon.line())
        assert found, (scene / "log").read_text("utf-8")
        sent = call("alert", "first", "--dir", "my", "--send", "--field", "action=sell")
        assert sent.exit_code == 0, sent.output
        yield found[0]


def spelled(text: str) -> list[str]:
    """The words of a command with everything in place that the page leaves to the reader."""
    words = [STANDS_FOR.get(word, word) for word in shlex.split(text.partition(" > ")[0])[1:]]
    words = [_known(words[0], word) for word in words]
    own = import_module(f"runner.cli.{words[0]}").__dict__[words[0]]
    if isinstance(own, click.Group) and len(words) > 1 and words[1] in own.commands:
        own = own.commands[words[1]]
    options = {name: each for each in own.params for name in each.opts}
    last = options.get(words[-1])
    if isinstance(last, click.Option) and not last.is_flag:
        words.append("127.0.0.1:0")  # the page names an option that takes an address
    for option, value in (("--dir", "my"), ("--yes", None)):
        if option in options and option not in words and words[0] != "init":
            words += [option] if value is None else [option, value]
    return words


def _known(verb: str, word: str) -> str:
    """A run or an order of the journal in the place of RUN and ID."""
    if word == "RUN":
        return str(answer("runs", "--dir", "my")[0]["run_id"])
    if word == "ID":
        return str(answer("orders", "--dir", "my")[0]["client_order_id"])
    if word == "NAME":
        return "status" if verb == "schema" else "another"
    return "fresh" if verb == "init" and word == "my" else word


def lasting(words: list[str]) -> bool:
    """True for what does not end by itself."""
    if words[0] == "dashboard" and "password" in words:
        return False
    return any(set(each) <= set(words) and words[0] == each[0] for each in LASTING)


def test_each_command_of_the_runner_does_what_it_is_typed_for(url: str, scene: Path) -> None:
    """None is misspelt, lacks a word or fails, but for those that are rightly refused here."""
    wrong = []
    for text in sorted(ONCE, key=late):
        words = spelled(text)
        if lasting(words):
            continue
        bare = len(text.split()) == 2 or text.split()[1:] in (["db", "backup"], ["db", "prune"])
        done = CliRunner().invoke(main, words, input="long-enough-12\n", prog_name="runner")
        misspelt = done.exit_code == 2 and "Usage:" in done.output and not bare
        shut = words[0] == "plan" and "NOT SENT" in done.output  # its answer, and a good one
        shut = shut or '"outcome": "duplicate"' in done.output  # the pages send one alert twice
        failed = done.exit_code not in (0, 2) and not shut and not refused(text)
        if misspelt or failed or (done.exception and not isinstance(done.exception, SystemExit)):
            wrong.append(f"{text} as {words}: exit {done.exit_code}\n{done.output[-600:]}")
    assert wrong == [], "\n".join(wrong)


def test_each_command_that_goes_on_comes_up(scene: Path) -> None:
    """Daemon, paper exchange, dashboard: each prints its first line; then it is stopped."""
    for text in ONCE:
        if not lasting(shlex.split(text)[1:]):
            continue
        words = spelled(text)
        words = ["other" if word == "my" else word for word in words]
        words = [re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:0", word) for word in words]
        if words[0] == "run" and not {"--paper", "--live"} & set(words):
            words.append("--paper")
        with Process(*words, log=scene / "log") as process:
            line = process.line()
            assert line or refused(text), f"{text}\n{(scene / 'log').read_text('utf-8')}"
            process.send()
            process.end(120)


def test_what_other_programs_of_a_shell_do(url: str, scene: Path) -> None:
    """`curl` meets a hook that answers, `echo` writes where the page says."""
    secret = (scene / "my" / "secrets" / "panic_secret").read_text("utf-8")
    environment = prepared(scene)
    typed_here = [each.text for each in SHOWN if each.program in ("curl", "echo", "umask")]
    assert len(typed_here) >= 3
    for text in typed_here:
        if "/run/" in text:  # of the service: held against its unit below
            continue
        here = re.sub(r"http://[\d.]+:8080", url, text).replace("…", secret)
        printed = typed(scene, environment, here)
        if here.startswith("curl"):
            told = '"outcome":' if " -d " in here else '"taking":'
            assert told in printed.replace(" ", ""), printed


@pytest.mark.parametrize("command", [c for c in SHOWN if c.program == "make"], ids=str)
def test_a_target_of_make_is_one_and_is_made_somewhere(command: Command) -> None:
    """By .ci/run on a fresh machine, by the script that installs, or by hand."""
    target = command.text.split()[1]
    makefile = (REPOSITORY / "Makefile").read_text("utf-8")
    assert re.search(rf"^{target}:.*## ", makefile, re.MULTILINE)
    assert re.search(rf"\b{target}\b", (REPOSITORY / MADE[target]).read_text("utf-8"))


def test_what_is_said_of_the_service_is_there() -> None:
    """Units, folders and files that the pages' system commands name are those of systemd/."""
    own = REPOSITORY / "systemd"
    text = "".join(path.read_text("utf-8") for path in sorted(own.rglob("*")) if path.is_file())
    for command in SHOWN:
        for unit, kind in re.findall(r"(runner[a-z-]*)@\w+(\.\w+)?", command.text):
            assert (own / f"{unit}@{kind or '.service'}").is_file(), command
        for path in re.findall(r"/(?:etc|opt|var/lib|run)/runner[\w/.-]*", command.text):
            stem = re.match(r"/(?:etc|opt|var/lib|run)/runner-?", path)
            assert stem
            assert stem[0] in text, command


def test_no_other_program_is_shown() -> None:
    """What a page shows is typed here, by the quickstart's test, or is of the machine."""
    programs = {command.program for command in SHOWN}
    assert programs - MACHINE == {"runner", "make", "curl", "echo", "umask", "bash", "python"}
    assert MACHINE - programs == set(), "take out what no page shows any more"
    gone = [start for start in REFUSED if not any(text.startswith(start) for text in ONCE)]
    assert gone == [], "take out what no page shows any more"
    assert all((REPOSITORY / file).is_file() for file in REFUSED.values())
