"""`runner demo`: the main job, end to end, on the paper exchange."""

from __future__ import annotations

import sys

import click


@click.command(epilog="Example: runner demo --keep")
@click.option("--keep", is_flag=True, help="Stay up afterwards, and say what to try next.")
def demo(keep: bool) -> None:
    """Play the main job on the paper exchange: no keys, no network, less than a minute.

    Exit 0: every order is accounted for; 1: one is doubled, lost or unexplained.
    """
    from runner.demo import main

    sys.exit(main(keep))
