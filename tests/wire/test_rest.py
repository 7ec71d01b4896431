"""Every fault of the wire for every kind of call: the right final state, the right attempts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation import cheap
from tests.wire.faults import FAULTS, Fault
from tests.wire.scene import KINDS, played
from tests.wire.table import EXCEPTIONS, OUTCOMES, PROOF, expected


def test_the_table_has_every_cell() -> None:
    """Each fault, each kind of call, and nothing that is not played."""
    faults, kinds = {fault.name for fault in FAULTS}, {kind.name for kind in KINDS}
    assert PROOF.keys() == faults
    assert all(row.keys() == kinds for row in OUTCOMES.values())
    assert set(PROOF.values()) == OUTCOMES.keys()
    assert all(fault in faults and kind in kinds for fault, kind in EXCEPTIONS)
    assert len(faults) * len(kinds) >= 500


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_kind_of_call_ends_as_the_table_says(fault: Fault, tmp_path: Path) -> None:
    """States and attempts as in tests/wire/table.py; nothing doubled, no redirect followed."""
    wrong = []
    with cheap.openings():
        for kind in KINDS:
            folder = tmp_path / kind.name.replace(" ", "-")
            folder.mkdir()
            found = played(kind, fault, folder)
            if found.outcome != expected(fault.name, kind.name):
                wrong.append(f"{kind.name}: {found.outcome}, not {expected(fault.name, kind.name)}")
            assert found.doubled == []
            assert not found.followed
    assert wrong == []
