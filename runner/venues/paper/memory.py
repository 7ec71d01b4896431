"""The exchange's memory on disk, so that a killed process finds its orders again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from .exchange import Exchange
from .persistence import pack_changes, remember

# A log longer than this (bytes) is replaced by a snapshot.
MAX_LOG = 8_000_000


class Memory:
    """One file: a snapshot, then a line for each change, written before its answer leaves.

    It outlives the process, not the machine: nothing is forced to the disk. A last line that was
    cut off belongs to a request nobody got an answer to, and is dropped.
    """

    def __init__(self, path: Path, exchange: Exchange) -> None:
        self._path = path
        self._exchange = exchange
        self._told: dict[str, dict[str, int]] = {}
        self._file: IO[str] | None = None

    def load(self) -> bool:
        """Put what the file remembers into the exchange; return whether there was a file.

        Raises ValueError for a file that is not the exchange's memory.
        """
        if not self._path.exists():
            return False
        try:
            self._exchange.restore(*self._lines())
        except KeyError as error:
            raise ValueError(
                f"{self._path} is not a paper exchange's memory (no {error}): "
                "name another state file or move it away"
            ) from error
        return True

    def _lines(self) -> Iterator[dict[str, Any]]:
        with self._path.open(encoding="utf-8") as lines:
            for line in lines:
                if line.endswith("\n"):
                    yield json.loads(line)

    def compact(self) -> None:
        """Replace the file by a snapshot; it is whole at every moment. Raises OSError."""
        self.close()
        temporary = self._path.with_name(self._path.name + ".tmp")
        with temporary.open("w", encoding="utf-8") as file:
            file.write(_line(self._exchange.snapshot()))
        temporary.replace(self._path)
        remember(self._exchange.state, self._told)
        self._file = self._path.open("a", encoding="utf-8")

    def append(self) -> None:
        """Write what changed since the last time. Raises OSError."""
        if self._file is None or self._file.tell() > MAX_LOG:
            self.compact()
        else:
            self._file.write(_line(pack_changes(self._exchange.state, self._told)))
            self._file.flush()

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _line(document: Any) -> str:
    return json.dumps(document, separators=(",", ":")) + "\n"
