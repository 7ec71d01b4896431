"""The `guards:` of a file or a rule: lists become symbols, and what is no limit is noted."""

from __future__ import annotations

from typing import Any

from runner.core import limits
from runner.core.document import Node
from runner.rulebook.symbols import Lists, read_symbols


def read_guards(node: Node, lists: Lists) -> dict[str, Any]:
    """The block with symbols in the place of lists' names; empty when it is absent or wrong."""
    if not isinstance(node.value, dict):
        return {}
    before = len(node.problems)
    found = dict(node.value)
    limits.read(node)
    if node.has("allowed_symbols"):
        found["allowed_symbols"] = list(read_symbols(node.child("allowed_symbols"), lists))
    if node.has("symbols"):
        found["symbols"] = _by_symbol(node.child("symbols"), lists)
    return found if len(node.problems) == before else {}


def _by_symbol(node: Node, lists: Lists) -> dict[str, Any]:
    """The limits of each symbol; what stands beside the symbol itself goes before its list's."""
    whole: dict[str, dict[str, Any]] = {}
    alone: dict[str, dict[str, Any]] = {}
    for name, block in node.value.items():
        named = Node(name, (*node.path, name), node.scope, node.problems)
        for symbol in read_symbols(named, lists):
            known = whole if name in lists else alone
            known[symbol] = {**known.get(symbol, {}), **block}
    return {
        symbol: {**whole.get(symbol, {}), **alone.get(symbol, {})} for symbol in {**whole, **alone}
    }
