"""Frozen dataclasses that are made quickly behave as those of the standard library."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from dataclasses import field
from typing import Any

import pytest

from runner.core import values
from runner.core.values import dataclass, replace


@dataclass(frozen=True, slots=True)
class Quick:
    """With every kind of field that the core has."""

    name: str
    size: int = 3
    tags: list[str] = field(default_factory=list)
    note: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Reckoned:
    """Something happens after it was filled: made as ever."""

    size: int
    double: int = field(init=False)

    def __post_init__(self) -> None:
        """Reckon."""
        object.__setattr__(self, "double", 2 * self.size)


@dataclass(slots=True)
class Changing:
    """Not frozen: made as ever."""

    size: int = 1


QUICK: Any = Quick
"""Called in ways that a type checker refuses."""


def test_it_is_filled_with_what_is_given_and_with_defaults() -> None:
    """By position and by name; each instance has a list of its own."""
    one, other = Quick("a"), Quick("b", 5, tags=["x"], note="n")
    assert (one.name, one.size, one.tags, one.note) == ("a", 3, [], "")
    assert (other.name, other.size, other.tags, other.note) == ("b", 5, ["x"], "n")
    assert one.tags is not Quick("a").tags
    assert type(one) is Quick


def test_it_is_frozen_afterwards() -> None:
    """Neither a field nor anything else can be set or deleted."""
    one: Any = Quick("a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.size = 4
    with pytest.raises(dataclasses.FrozenInstanceError):
        del one.name
    with pytest.raises((AttributeError, TypeError)):
        one.other = 1
    assert one == Quick("a")


def test_it_compares_shows_and_copies_itself_as_ever() -> None:
    """What is not compared is not; `fields`, `asdict` and the signature are those written."""
    one, same = Quick("a", note="x"), Quick("a", note="y")
    assert one == same
    assert repr(one) == "Quick(name='a', size=3, tags=[])"
    assert dataclasses.asdict(one) == {"name": "a", "size": 3, "tags": [], "note": "x"}
    assert list(inspect.signature(Quick).parameters) == ["name", "size", "tags", "note"]
    for made in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):  # noqa: S301
        assert (made, made.note, type(made)) == (one, "x", Quick)


def test_what_is_missing_or_too_much_is_refused() -> None:
    """As by every function."""
    for wrong in (QUICK, lambda: QUICK("a", 1, [], "", 5), lambda: QUICK("a", other=1)):
        with pytest.raises(TypeError):
            wrong()


def test_a_replaced_one_differs_in_what_was_named_only() -> None:
    """It is another instance, as frozen; the first one is as it was."""
    one = Quick("a", 5, ["x"], "n")
    other = replace(one, size=6)
    assert (other.name, other.size, other.tags, other.note) == ("a", 6, ["x"], "n")
    assert one.size == 5
    with pytest.raises(dataclasses.FrozenInstanceError):
        other.size = 7  # type: ignore[misc]
    changes: dict[str, Any] = {"nothing": 1}
    with pytest.raises(AttributeError):
        replace(one, **changes)
    assert dataclasses.replace(one, size=7).size == 7


def test_others_are_made_by_the_standard_library() -> None:
    """Fields that are reckoned, and classes that change."""
    assert replace(Reckoned(2), size=4) == Reckoned(4)
    assert Reckoned(4).double == 8
    changing = Changing()
    changing.size = 2
    assert replace(changing, size=3).size == 3
    assert not hasattr(Reckoned, "_with_changes")
    assert not hasattr(Changing, "_with_changes")
    assert values.dataclass(Changing) is not None
