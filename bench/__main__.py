"""`make bench`: every benchmark in turn, or those that are named: `make bench ARGS=journal`."""

from __future__ import annotations

import sys

from bench import alerts, formula, journal, recovery

BENCHMARKS = {
    "formula": formula.main,
    "journal": journal.main,
    "alerts": alerts.main,
    "recovery": recovery.main,
}


def main(names: list[str]) -> int:
    """Run the named benchmarks, all when none is named; 2 for a name that does not exist."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark is called {', '.join(unknown)}: there are {', '.join(BENCHMARKS)}")
        return 2
    for name in names or BENCHMARKS:
        print(f"\n== {name}")
        BENCHMARKS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
