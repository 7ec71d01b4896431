"""What `make install` takes for granted of the rest of the project."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from runner.cli import first
from runner.connecting import on_paper
from runner.settings import load

ROOT = Path(__file__).parents[2]
SCRIPT = (ROOT / "systemd" / "install.sh").read_text("utf-8")
UNIT = (ROOT / "systemd" / "runner@.service").read_text("utf-8")
SOCKET = (ROOT / "systemd" / "runner@.socket").read_text("utf-8")


def test_the_example_s_settings_are_understood(tmp_path: Path) -> None:
    """It trades on paper, and takes alerts where the socket unit listens."""
    shutil.copy(ROOT / "systemd" / "example" / "runner.yaml", tmp_path)
    settings = load(tmp_path)
    assert on_paper(settings)
    host, port = settings.hook
    assert f"ListenStream={host}:{port}\n" in SOCKET


def test_the_first_rule_is_that_of_init() -> None:
    """Its secret is the one that is encrypted for it."""
    assert "runner init" in SCRIPT
    assert f"--name=secret_{first.SECRET} " in SCRIPT


@pytest.mark.parametrize("extra", ["postgresql", "vault", "aws"])
def test_what_an_extra_needs_is_locked(extra: str) -> None:
    """Each package that is named has its version and hashes in the lock."""
    lock = (ROOT / "requirements-dev.lock").read_text("utf-8")
    named = re.search(rf"(?m)^ +{extra}\) set -- (.*) ;;$", SCRIPT)
    assert named is not None
    for name in named[1].split():
        assert re.search(rf"(?m)^{name}==\S+.*\\\n +--hash=sha256:", lock), name


def test_options_of_the_service_reach_the_daemon() -> None:
    """Those that stay and those for one start; the latter are removed by it."""
    assert "ExecStart=/opt/runner/current/bin/runner run $RUN_OPTIONS $RUN_ONCE\n" in UNIT
    assert "EnvironmentFile=-/run/runner-%i.once\n" in UNIT
    assert "ExecStartPost=+/bin/rm -f /run/runner-%i.once\n" in UNIT
