"""Completion as the shells really do it: verbs, options, rules, runs, accounts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.calling import demo_folder
from tests.journal.building import firing, open_journal, run_of

BASH = """\
eval "$(_RUNNER_COMPLETE=bash_source runner)"
COMP_WORDS=({words} "")
[ -n "{last}" ] && COMP_WORDS[{count}]="{last}"
COMP_CWORD={count}
complete -p runner | grep -q _runner_completion
_runner_completion runner "{last}" ""
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
ZSH = """\
compdef() {{ : }}
compadd() {{ print -l -- ${{(P)@[-1]}} }}
_describe() {{ for each in ${{(P)@[3]}}; do print -- "${{each%%:*}}"; done }}
_path_files() {{ : }}
eval "$(_RUNNER_COMPLETE=zsh_source runner)"
words=({words} "{last}")
CURRENT={place}
_runner_completion
"""
FISH = """\
eval (env _RUNNER_COMPLETE=fish_source runner | string collect)
complete -C '{words} {last}'
"""
SHELLS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Rules, a firing, an account; and a command `runner` for the shell's search path."""
    folder = demo_folder(tmp_path / "my")
    (folder / "runner.yaml").write_text(
        "version: 1\naccounts:\n  main: {venue: binance_usdm, address: demo, "
        "position_mode: one_way, api_key: key, api_secret: secret}\n"
    )
    journal = open_journal(folder)
    journal.commit([firing("1")[0]])
    journal.close()
    command = tmp_path / "bin" / "runner"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m runner "$@"\n')
    command.chmod(0o755)
    return folder


def completed(shell: str, folder: Path, typed: str) -> set[str]:
    """What the shell offers for the last word."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    words, _, last = typed.rpartition(" ")
    count = len(words.split())
    script = SHELLS[shell].format(words=words, last=last, count=count, place=count + 1)
    environment = {**os.environ, "PATH": f"{folder.parent / 'bin'}:{os.environ['PATH']}"}
    # fish keeps its history and settings at home
    environment["HOME"] = environment["XDG_CONFIG_HOME"] = str(folder.parent)
    done = subprocess.run(
        [program, "-c", script],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # fish puts what each is after a tab
    return {line.split("\t")[0].strip() for line in done.stdout.splitlines() if line.strip()}


@pytest.mark.parametrize("shell", SHELLS)
def test_shells_complete(shell: str, folder: Path) -> None:
    """What begins like the last word, whatever it is a name of."""
    run_id = run_of("1").run_id
    expected = {
        "runner st": {"status"},
        "runner journal --fol": {"--follow"},
        f"runner why --dir {folder} btc": {"btc-breakout"},
        f"runner orders --dir {folder} --rule tv": {"tv-eth"},
        f"runner explain --dir {folder} {run_id[:3]}": {run_id},
        f"runner journal --dir {folder} --run {run_id[:4]}": {run_id},
        f"runner orders --dir {folder} --account m": {"main"},
    }
    assert {typed: completed(shell, folder, typed) for typed in expected} == expected
