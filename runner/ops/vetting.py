"""Plays the tests beside rule files in a process of its own, so that orders do not wait for it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from runner.errors import ConfigurationError

TESTS_WITHIN = 120
"""Seconds after which tests that still go on count as failed."""

PASSED = re.compile(r"^(\d+) ok", re.MULTILINE)
"""How `runner test` says how many passed."""

PATTERNS = ("*.tests.yaml", "*.tests.yml")


def vet(folder: Path, seconds: float = TESTS_WITHIN) -> int:
    """How many tests a folder has, when all of them pass.

    Raises ConfigurationError with what `runner test` says when they do not.
    """
    if not any(path for pattern in PATTERNS for path in folder.glob(pattern)):
        return 0
    command = [sys.executable, "-m", "runner", "test", str(folder)]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise ConfigurationError(
            f"the tests in {folder} took longer than {seconds:g} s: runner test {folder}"
        ) from None
    if told.returncode:
        text = f"{told.stdout}{told.stderr}".rstrip()
        raise ConfigurationError(f"the tests in {folder} do not pass:\n{text}")
    counted = PASSED.search(told.stdout)
    return int(counted[1]) if counted else 0
