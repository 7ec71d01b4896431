"""The cookbook names every recipe, and every recipe has tests; CI plays them elsewhere."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
RECIPES = REPOSITORY / "rules" / "cookbook"
FEWEST = 20


def recipes() -> list[str]:
    """The names of the rule files."""
    files = sorted(path.name for path in RECIPES.glob("*.yaml"))
    return [name for name in files if not name.endswith(".tests.yaml")]


def test_the_cookbook_names_every_recipe() -> None:
    """A recipe that no page names is found by nobody."""
    page = (REPOSITORY / "docs" / "cookbook.md").read_text("utf-8")
    assert len(recipes()) >= FEWEST
    assert [name for name in recipes() if f"(../rules/cookbook/{name})" not in page] == []


def test_every_recipe_has_its_tests() -> None:
    """Beside it, under its own name."""
    tests = [RECIPES / name.replace(".yaml", ".tests.yaml") for name in recipes()]
    assert [path.name for path in tests if not path.is_file()] == []
