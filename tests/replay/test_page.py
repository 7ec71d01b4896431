"""The report's page opens from disk: nothing is loaded, no script, both colour schemes."""

from __future__ import annotations

import hashlib
import os
import pty
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from base64 import b64encode
from pathlib import Path

import pytest

from tests.cli.calling import call
from tests.replay.drawing import drawn, flat, ruled
from tests.replay.test_made_up import BUY_AND_EXIT, RISE


@pytest.fixture
def page(tmp_path: Path) -> str:
    """The page of one trade, after a gap."""
    data = drawn(tmp_path / "ETHUSDT.csv", [*RISE, *flat(3120, 9)], skip=[7])
    rules = ruled(tmp_path / "r.yaml", BUY_AND_EXIT)
    path = tmp_path / "page.html"
    result = call("replay", rules, "--data", data, "--report", path)
    assert result.exit_code == 0, result.output
    return path.read_text("utf-8")


def test_the_page_loads_nothing(page: str) -> None:
    """No script, no address, no style attribute; the policy allows its one style sheet only."""
    assert not re.search(r"<script|<link|<img|<iframe|https?:|url\(|@import| style=| on\w+=", page)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    seal = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{seal}'" in page
    assert "prefers-color-scheme: dark" in style


def test_the_charts_are_whole(page: str) -> None:
    """Equity and price, each with a title; the fills are marks that say what they are."""
    texts = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    charts = [ET.fromstring(text) for text in texts]  # noqa: S314  # what is parsed is ours
    titles = [chart.findtext("title") for chart in charts]
    assert titles == ["Equity from 10000 to 10096.939985 USDT", "Price of ETHUSDT with 2 fills"]
    # the first nine minutes but the eighth; after the gap a stretch of its own
    lines = [each.get("points", "").split() for each in charts[1].iter("polyline")]
    assert [len(points) for points in lines] == [7, 4]
    marks = [each.findtext("title") for each in charts[1].iter("polygon") if len(each)]
    assert [(mark or "").partition(",")[0] for mark in marks] == [
        "in: buy 1 at 3000.02",
        "out: sell 1 at 3100.01",
    ]


def test_the_page_says_what_it_rests_on(page: str) -> None:
    """Gaps, assumptions and figures are on it."""
    assert "ETHUSDT has 1 gap of 1 min in all" in page
    assert "nobody recorded the true order" in page
    assert "There is no slippage" in page
    assert "96.94 USDT" in page


def test_the_tables_of_a_terminal(tmp_path: Path) -> None:
    """In a pipe there are plain lines on stdout, and nothing on stderr."""
    data = drawn(tmp_path / "ETHUSDT.csv", [*RISE, *flat(3120, 3)])
    result = call("replay", ruled(tmp_path / "r.yaml", BUY_AND_EXIT), "--data", data)
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["in", "1", "1", "0", "1", "1.50", "0.00"] in lines
    assert ["out", "1", "1", "0", "1", "1.55", "99.99"] in lines
    assert ["net", "96.94"] in lines
    assert result.stderr == ""


def test_a_terminal_has_a_bar(tmp_path: Path) -> None:
    """On a terminal stderr says how far it is; stdout has the same as in a pipe."""
    data = drawn(tmp_path / "ETHUSDT.csv", [*RISE, *flat(3120, 3)])
    rules = ruled(tmp_path / "r.yaml", BUY_AND_EXIT)
    words = ["replay", str(rules), "--data", str(data)]
    reader, writer = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", *words],
        stdout=subprocess.PIPE,
        stderr=writer,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(writer)
    shown = b"".join(iter(lambda: read(reader), b""))
    os.close(reader)
    out, _ = process.communicate(timeout=120)
    assert b"reading the data" in shown
    assert out.decode() == call(*words).stdout


def read(reader: int) -> bytes:
    """What the terminal shows next; nothing when it was closed."""
    try:
        return os.read(reader, 4096)
    except OSError:
        return b""


def test_a_page_that_cannot_be_written_is_usage(tmp_path: Path) -> None:
    """Exit 2, and it says where."""
    data = drawn(tmp_path / "ETHUSDT.csv", flat(3000, 2))
    rules = ruled(tmp_path / "r.yaml", BUY_AND_EXIT)
    result = call("replay", rules, "--data", data, "--report", tmp_path / "no" / "page.html")
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr
