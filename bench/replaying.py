"""How long a month of one-minute candles takes to replay through ten rules.

python -m bench replaying
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.goals import Measured, Sample
from bench.programs import ROOT, python

MINUTES = 31 * 24 * 60
START = 1_767_225_600_000
SEED = 1
RUNS = 1
CENTRE = 70_000.0
RULE = """\
  - id: breakout-{n}
    symbol: BTCUSDT
    when:
      - price: {{crosses_above: {level}, rearm: {rearm}}}
    if:
      - position.size == 0
    do:
      - bracket:
          entry: {{side: buy, type: market, quantity: 0.01}}
          stop: {{trigger_price: =mark - 400}}
          target: {{price: =mark + 800}}
    cooldown: 4h
"""


def rules() -> str:
    """Ten breakouts around where the prices begin."""
    texts = (RULE.format(n=n, level=69_000 + 300 * n, rearm=68_900 + 300 * n) for n in range(10))
    return "version: 1\nrules:\n" + "".join(texts)


def candles(minutes: int = MINUTES, seed: int = SEED) -> Iterator[str]:
    """A seeded walk around 70,000 as candles; the same seed, the same prices."""
    chance, price = random.Random(seed), CENTRE
    for minute in range(minutes):
        path = [price]
        for _ in range(4):
            back = (CENTRE - path[-1]) / CENTRE * 0.0005
            path.append(path[-1] * (1 + back + chance.gauss(0, 0.0004)))
        price = path[-1]
        figures = (path[0], max(path), min(path), price)
        shown = ",".join(f"{one:.1f}" for one in figures)
        yield f"{START + minute * 60_000},{shown},10\n"


def measure() -> dict[str, Measured]:
    """Seconds from the command to its end."""
    took, said, text = [], {}, ""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        (folder / "bench.yaml").write_text(rules())
        data = folder / "BTCUSDT-1m.csv"
        data.write_text("t,open,high,low,close,volume\n" + "".join(candles()))
        words = ("replay", str(folder / "bench.yaml"), "--data", str(data), "--json")
        for _ in range(RUNS):
            began = time.monotonic()
            ran = subprocess.run(
                python("-m", "runner", *words), capture_output=True, text=True, check=True, cwd=ROOT
            )
            took.append(time.monotonic() - began)
            text = ran.stdout
            said = json.loads(text)
    fires = sum(int(rule.get("fires", 0)) for rule in said.get("rules", ()))
    if not fires:
        raise RuntimeError(f"no rule fired in the replay: {text[:500]}")
    return {"replay": Measured(Sample(statistics.median(took)), None, f"{fires} fires")}


def main(arguments: Sequence[str] = ()) -> dict[str, Measured]:
    """Measure; there is nothing to choose."""
    del arguments
    return measure()
