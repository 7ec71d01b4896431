"""The programs around a measurement: built once, started, asked for their port, ended."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent
BUILT = HERE / "results" / "bin"
PEERS = ROOT / ".venv" / "peers"
NO_COMPILER = "the floor is written in C and there is no gcc: sudo apt-get install -y gcc libc6-dev"


def built(name: str) -> str:
    """The floor program of this name, compiled anew when its source is newer."""
    source, program = HERE / "floor" / f"{name}.c", BUILT / name
    sources = (source, HERE / "floor" / "wire.h")
    if program.exists() and all(program.stat().st_mtime > one.stat().st_mtime for one in sources):
        return str(program)
    compiler = shutil.which("gcc")
    if compiler is None:
        raise SystemExit(NO_COMPILER)
    BUILT.mkdir(parents=True, exist_ok=True)
    command = [compiler, "-O2", "-Wall", "-Wextra", "-o", str(program), str(source)]
    subprocess.run(command, check=True)
    return str(program)


@contextmanager
def running(
    command: list[str], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A program that prints one line when it is ready, and that line; ended in the end."""
    with log.open("w") as told:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=told, text=True, cwd=ROOT, env=environment
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(command)} did not start:\n{log.read_text()}")
        yield process, line
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def python(*words: str) -> list[str]:
    """A command of this Python."""
    return [sys.executable, *words]


def peers_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Where the libraries that are measured beside ours are found."""
    return {**environment, "PYTHONPATH": str(PEERS)}


def json_line(line: str) -> Any:
    """What a program said."""
    return json.loads(line)
