"""`python -m runner`: the same as the command `runner`."""

from __future__ import annotations

from runner.cli import main

main(prog_name="runner")
