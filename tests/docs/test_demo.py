"""README.md shows what `make demo` prints: shortened, and with times of that run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.docs.markdown import blocks
from tests.docs.shell import prepared

# what is another one each time: the second of the run, ids of the exchange, prices of the moment
OWN = re.compile(r"^ *\d+\.\d\ds +|\(order \d+\)|@ \d[\d.]*|mark \d[\d.]*|confirmed \d+ times")


def plain(text: str) -> list[str]:
    """Its lines without what differs from run to run."""
    return [" ".join(OWN.sub(" ", line).split()) for line in text.splitlines() if line.strip()]


def test_the_demo_prints_what_the_readme_shows(tmp_path: Path) -> None:
    """Every line of it; answers and fills overtake each other, so their order is no matter."""
    (block,) = (
        each
        for each in blocks(REPOSITORY / "README.md", "")
        if each.text.startswith("TradingView posts")
    )
    done = subprocess.run(
        [sys.executable, "-m", "runner", "demo"],
        check=True,
        cwd=tmp_path,
        env=prepared(tmp_path),
        capture_output=True,
        text=True,
        timeout=600,
    )
    shown = [line for line in plain(block.text) if not line.startswith("ack ")]
    assert len(shown) > 10
    assert [line for line in shown if line not in plain(done.stdout)] == [], done.stdout
