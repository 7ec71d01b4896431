"""Types what a page shows: a folder, a shell with `runner` in it, and what must be printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY

# For machines without curl: what the pages use of it.
CURL = """\
import sys, urllib.error, urllib.request
words = [word for word in sys.argv[1:] if word != "-s"]
data = words.pop(words.index("-d") + 1).encode() if "-d" in words else None
try:
    answer = urllib.request.urlopen([word for word in words if word != "-d"][0], data)
except urllib.error.HTTPError as refused:
    answer = refused
sys.stdout.write(answer.read().decode())
"""


def prepared(folder: Path) -> dict[str, str]:
    """The environment of a shell in which `runner` is this code and `curl` is there."""
    programs = folder / "programs"
    programs.mkdir()
    (programs / "curl.py").write_text(CURL, "utf-8")
    for name, words in (("runner", "-m runner"), ("curl", str(programs / "curl.py"))):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n', "utf-8")
        program.chmod(0o755)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "RUNNER_"))}
    return {
        **kept,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }


def typed(folder: Path, environment: dict[str, str], command: str, keys: str = "") -> str:
    """All that a command prints; `keys` is what is typed while it runs."""
    done = subprocess.run(
        ["bash", "-c", command],
        check=False,
        cwd=folder,
        env=environment,
        input=keys,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode in (0, 1, 3), f"{command}\n{done.stdout}"
    assert "Traceback" not in done.stdout, f"{command}\n{done.stdout}"
    return done.stdout


def shows(printed: str, page: str) -> bool:
    """True when it reads as the page has it: `…` alone is any lines, in a line any text.

    Blank lines, and blanks that only align columns, are no matter.
    """
    pattern = ""
    for line in filter(str.strip, page.splitlines()):
        if line.strip() == "…":
            pattern += r"(?:.*\n)*?"
            continue
        pieces = [re.escape(" ".join(piece.split())) for piece in line.split("…")]
        gaps = [r"\ ?.*"] * (len(pieces) - 1)
        pattern += pieces[0] + "".join(map("".join, zip(gaps, pieces[1:], strict=True))) + r"\n"
    lines = filter(str.strip, printed.splitlines())
    plain = "".join(" ".join(line.split()) + "\n" for line in lines)
    return re.fullmatch(pattern, plain) is not None
