"""The daemon as a real process: kill -9 before a critical notice was taken; the next life sends."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from tests.cli.calling import Process, answer, call, demo_folder
from tests.notifications.receivers import WebReceiver
from tests.support import eventually

PATIENCE = 90
SETTINGS = """\
version: 1
notifications:
  targets: [phone]
  heartbeat_url: beat
"""


def folder_with(tmp_path: Path, receiver: WebReceiver) -> Path:
    """A runner's folder whose one target is the receiver."""
    folder = demo_folder(tmp_path / "my")
    (folder / "runner.yaml").write_text(SETTINGS)
    beat = f"http://127.0.0.1:{receiver.port}/beat"
    for name, text in (("phone", receiver.url), ("beat", beat)):
        path = folder / "secrets" / name
        path.touch(mode=0o600)
        path.write_text(text)
    return folder


def started(folder: Path) -> Process:
    """A daemon on paper that takes alerts."""
    process = Process(
        *("run", "--dir", folder, "--paper", "--hook", "127.0.0.1:0"), log=folder / "log.txt"
    )
    assert process.line().startswith("READY"), (folder / "log.txt").read_text()
    return process


def test_a_critical_notice_survives_kill_9(tmp_path: Path) -> None:
    """The receiver keeps the sender waiting, the process is killed, a new one brings it."""
    with WebReceiver() as receiver:
        folder = folder_with(tmp_path, receiver)
        with started(folder) as process:
            eventually(lambda: receiver.taken, PATIENCE)
            eventually(lambda: receiver.gets == ["/beat"], PATIENCE)
            while receiver.asked.acquire(blocking=False):
                pass
            receiver.open.clear()
            call("kill", "--dir", folder, "--yes")
            assert receiver.asked.acquire(timeout=PATIENCE)
            process.send(signal.SIGKILL)
            process.end(PATIENCE)
        receiver.taken.clear()
        receiver.status = 503
        receiver.open.set()
        with started(folder) as process:
            problems = eventually(lambda: refused(folder), PATIENCE)
            assert any("phone takes nothing" in each["what"] for each in problems)
            receiver.status = 200
            taken = eventually(lambda: [t for t in receiver.titles if "KILLED" in t], PATIENCE)
            process.send()
            assert process.end(PATIENCE)[0] == 0
        assert len(taken) == 1
        assert taken[0].startswith("[paper] KILLED")
        receiver.taken.clear()
        with started(folder) as process:
            eventually(lambda: receiver.taken, PATIENCE)
        assert not any("KILLED" in title for title in receiver.titles)


def refused(folder: Path) -> list[dict[str, str]]:
    """The problems of the status that are about notifications."""
    result = call("status", "--dir", folder, "--json")
    problems: list[dict[str, str]] = json.loads(result.stdout)["problems"]
    return [each for each in problems if each["link"] == "notifications"]


def test_doctor_sends_a_test_to_every_target(tmp_path: Path) -> None:
    """Fine, or wrong with the service's words; never the address."""
    with WebReceiver() as receiver:
        folder = folder_with(tmp_path, receiver)
        checks = answer("doctor", "--dir", folder, "--notify")["checks"]
        assert [each["verdict"] for each in checks] == ["ok", "ok"]
        assert "a test, nothing happened" in receiver.titles[0]
        receiver.status = 401
        result = call("doctor", "--dir", folder, "--notify")
        assert result.exit_code == 1
        assert str(receiver.port) not in result.output
    (folder / "secrets" / "phone").unlink()
    assert (
        "the secret phone is nowhere to be found"
        in call("doctor", "--dir", folder, "--notify").output
    )
    (folder / "runner.yaml").write_text("version: 1\n")
    assert "nobody is told" in call("doctor", "--dir", folder, "--notify").output
