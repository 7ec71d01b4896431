"""The dashboard as a process: by itself, and beside a daemon, which it never takes along."""

from __future__ import annotations

import http.client
import os
import re
import signal
import stat
from pathlib import Path

from click.testing import CliRunner

from runner.cli import main
from runner.cli.beside import Beside
from runner.dashboard.passwords import fits, is_hash
from runner.dashboard.server import listen
from runner.settings import Settings, load
from tests.cli.calling import Process, call, demo_folder
from tests.dashboard.scene import PASSWORD
from tests.support import eventually

PATIENCE = 180.0


def status(address: str, path: str = "/login") -> int:
    """What a GET is answered; an AssertionError while nobody listens."""
    host, _, port = address.removeprefix("http://").rstrip("/").rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError as error:
        raise AssertionError(str(error)) from error
    finally:
        connection.close()


def address_in(line: str) -> str:
    """The address of a line that tells where the dashboard is."""
    found = re.fullmatch(r"DASHBOARD (http://\S+)\n", line)
    assert found, line
    return found[1]


def keep_password(folder: Path) -> None:
    """As a person does in a pipe."""
    words = ["dashboard", "password", "--dir", str(folder)]
    result = CliRunner().invoke(main, words, input=f"{PASSWORD}\n", prog_name="runner")
    assert result.exit_code == 0, result.output


def test_the_password_is_kept_for_its_user_only(folder: Path) -> None:
    """Its hash, mode 0600; a new one replaces it; --print keeps nothing."""
    keep_password(folder)
    path = folder / "secrets" / "dashboard"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = path.read_text().strip()
    assert is_hash(kept)
    assert fits(kept, PASSWORD)
    words = ["dashboard", "password", "--print", "--dir", str(folder)]
    shown = CliRunner().invoke(main, words, input=f"{PASSWORD}\n", prog_name="runner")
    assert is_hash(shown.stdout)
    assert path.read_text().strip() == kept


def test_a_short_password_is_refused(folder: Path) -> None:
    """With what is asked for; nothing is kept."""
    words = ["dashboard", "password", "--dir", str(folder)]
    result = CliRunner().invoke(main, words, input="short\n", prog_name="runner")
    assert result.exit_code == 2
    assert "at least 12" in result.stderr
    assert not (folder / "secrets" / "dashboard").exists()


def test_a_password_kept_elsewhere_is_not_written_here(folder: Path) -> None:
    """runner.yaml names its place: a file beside it would never be read."""
    (folder / "runner.yaml").write_text("version: 1\nsecrets: {dashboard: {env: DASHBOARD}}\n")
    result = call("dashboard", "password", "--dir", folder)
    assert result.exit_code == 2
    assert "--print" in result.stderr


def test_without_a_password_it_is_shown_to_this_machine_only(folder: Path) -> None:
    """An address that others reach is refused, by itself and beside the daemon, with the cure."""
    for verb in ("dashboard", "run"):
        more = ("--paper",) if verb == "run" else ()
        result = call(verb, *more, "--dashboard", "0.0.0.0:0", "--dir", folder)
        assert result.exit_code == 78, result.output
        assert "runner dashboard password" in result.stderr


def test_a_taken_address_is_said(folder: Path) -> None:
    """Exit 78, with what to do."""
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        result = call("dashboard", "--dashboard", f"127.0.0.1:{port}", "--dir", folder)
    assert result.exit_code == 78
    assert "choose another address" in result.stderr


def test_the_setting_is_an_address_or_off(folder: Path) -> None:
    """Off is the default; nonsense is a mistake with its place."""
    for text, wanted in (("off", None), ("127.0.0.1:8081", ("127.0.0.1", 8081))):
        (folder / "runner.yaml").write_text(f"version: 1\ndashboard: {text}\n")
        assert load(folder).dashboard == wanted
    assert Settings().dashboard is None
    (folder / "runner.yaml").write_text("version: 1\ndashboard: everywhere\n")
    result = call("dashboard", "--dir", folder)
    assert result.exit_code == 78
    assert "runner.yaml:2:12" in result.stderr


def test_it_shows_a_journal_while_no_runner_runs(folder: Path) -> None:
    """By itself, until it is asked to stop; without a password only how to set one."""
    with Process("dashboard", "--dashboard", "127.0.0.1:0", "--dir", folder) as process:
        address = address_in(process.line())
        assert eventually(lambda: status(address), PATIENCE) == 403
        keep_password(folder)
        assert eventually(lambda: status(address) == 200, PATIENCE)
        assert status(address, "/") == 302
        process.send(signal.SIGTERM)
        code, _, _ = process.end(PATIENCE)
    assert code == 0


def test_a_dashboard_that_dies_is_started_again_and_ends_with_its_parent(folder: Path) -> None:
    """On the same address: the socket outlives it."""
    keep_password(folder)
    beside = Beside(folder, Settings(), ("127.0.0.1", 0), pause=0.1)
    beside.start()
    try:
        assert eventually(lambda: status(beside.url) == 200, PATIENCE)
        first = beside.process
        assert first is not None
        os.kill(first, signal.SIGKILL)
        assert eventually(lambda: beside.process not in (first, None), PATIENCE)
        assert eventually(lambda: status(beside.url) == 200, PATIENCE)
        last = beside.process
    finally:
        beside.stop()
    assert last is not None
    # where the machine is busy it is killed when its time is over, which may be a moment later
    assert eventually(lambda: not alive(last), PATIENCE)


def alive(process: int) -> bool:
    """True while a process has this id."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_daemon_shows_it_and_goes_on_without_it(tmp_path: Path) -> None:
    """`runner run --dashboard`: a line with the address, then READY; both end together."""
    folder = demo_folder(tmp_path / "my")
    keep_password(folder)
    words = ("--paper", "--hook", "127.0.0.1:0", "--dashboard", "127.0.0.1:0", "--dir", folder)
    with Process("run", *words, log=tmp_path / "log") as daemon:
        address = address_in(daemon.line())
        assert daemon.line().startswith("READY")
        assert eventually(lambda: status(address) == 200, PATIENCE)
        daemon.send(signal.SIGKILL)
        daemon.end(PATIENCE)

        def gone() -> bool:
            try:
                return status(address) == 0
            except (AssertionError, http.client.HTTPException):
                return True

        assert eventually(gone, PATIENCE)
