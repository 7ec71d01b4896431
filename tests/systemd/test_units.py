"""The units as systemd's own tools see them; skipped where systemd is not installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "systemd"
MOST_EXPOSED = 1.5
"""What `systemd-analyze security` may say; 10 is a service without any hardening."""

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (systemd)"
)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units with a program that is there, so that verify looks at everything else."""
    for path in UNITS.iterdir():
        if path.suffix in {".service", ".socket", ".timer"}:
            text = path.read_text("utf-8").replace("/opt/runner/current/bin/runner", "/bin/true")
            (tmp_path / path.name).write_text(text, "utf-8")
    return tmp_path


def analyze(folder: Path, *words: str) -> str:
    """What systemd-analyze prints, on either stream."""
    done = subprocess.run(
        ["systemd-analyze", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout + done.stderr


@needs_systemd
@pytest.mark.parametrize(
    "unit",
    [
        "runner@main.service",
        "runner@main.socket",
        "runner-backup@main.service",
        "runner-backup@main.timer",
    ],
)
def test_systemd_finds_nothing_wrong(units: Path, unit: str) -> None:
    """No unknown key, no missing program, no circle."""
    (units / unit).write_text((units / unit.replace("main", "")).read_text("utf-8"), "utf-8")
    said = analyze(units, "verify", "--man=no", f"./{unit}")
    assert [line for line in said.splitlines() if "runner" in line] == []


@needs_systemd
@pytest.mark.parametrize("unit", ["runner@main.service", "runner-backup@main.service"])
def test_the_sandbox_is_tight(units: Path, unit: str) -> None:
    """What a program inside could still reach, as systemd counts it."""
    (units / unit).write_text((units / unit.replace("main", "")).read_text("utf-8"), "utf-8")
    said = analyze(units, "security", "--offline=true", "--no-pager", f"./{unit}")
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert found is not None, said
    assert float(found[1]) <= MOST_EXPOSED, said


def test_the_script_is_whole() -> None:
    """Bash can read it, and it may be run."""
    script = UNITS / "install.sh"
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    assert script.stat().st_mode & 0o111
