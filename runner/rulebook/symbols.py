"""The symbols of a rule or a dead-man switch: `symbol`, `symbols`, and the lists of the file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from runner.core.document import Node
from runner.rulebook.words import meant, shown

_LIST_NAME = re.compile(r"[a-z][a-z0-9_-]{0,47}")

Lists = Mapping[str, tuple[str, ...]]


def read_lists(node: Node, sound: bool = True) -> Lists:
    """The lists of a file by name; notes bad names and bad symbols.

    Where the schema already objected (`sound` is False) only the names are of use.
    """
    lists: dict[str, tuple[str, ...]] = {}
    if not sound:
        return dict.fromkeys(node.value, ()) if isinstance(node.value, dict) else lists
    for name in node.value or {}:
        below = node.child(name)
        if not _LIST_NAME.fullmatch(name):
            message = f"{shown(name)} cannot be the name of a list"
            cure = "it starts with a small letter, then a-z, 0-9, _ and -: majors"
            below.problem("list", message, cure, at_key=True)
        lists[name] = tuple(_symbol(item) for item in below.items())
    return lists


def rule_symbols(node: Node, lists: Lists) -> tuple[str, ...]:
    """The symbols of a rule; empty, with a problem, when it names none or names them twice."""
    if node.has("symbol") and node.has("symbols"):
        message = "symbol and symbols exclude each other"
        node.child("symbols").problem("symbol", message, "delete one of them", at_key=True)
        return ()
    if node.has("symbols"):
        return read_symbols(node.child("symbols"), lists)
    if not node.has("symbol"):
        rule_id = node.value.get("id")
        name = f"rule {shown(rule_id)}" if isinstance(rule_id, str) else "the rule"
        cure = "add symbol: BTCUSDT, or symbols: with a list"
        node.problem("missing-key", f"{name} names no symbol", cure)
        return ()
    child = node.child("symbol")
    if child.value in lists:
        message = f"{shown(child.value)} is a list of symbols"
        child.problem("symbol", message, f"write symbols: {child.value}")
        return ()
    return (_symbol(child),)


def read_symbols(node: Node, lists: Lists) -> tuple[str, ...]:
    """What `symbols:` stands for: a list's name, a symbol, or several of both; each once."""
    found: dict[str, None] = {}
    for item in node.items():
        name = str(item.value)
        if name in lists:
            found.update(dict.fromkeys(lists[name]))
        elif _LIST_NAME.fullmatch(name) and looks_like(name) is None:
            guess = meant(name, lists)
            known = f"the lists: {', '.join(lists)}" if lists else "lists: defines none"
            cure = f"did you mean {guess}?" if guess else known
            item.problem("unknown-list", f"there is no list {shown(name)} in this file", cure)
        else:
            found[_symbol(item)] = None
    return tuple(found)


def _symbol(node: Node) -> str:
    name = str(node.value)
    if not well_formed(name):
        guess = looks_like(name)
        cure = f"did you mean {guess}?" if guess else "symbols look like BTCUSDT"
        node.problem("unknown-symbol", f"{shown(name)} is not a USDⓈ-M symbol", cure)
    return name


def well_formed(name: str) -> bool:
    """True for what the exchange could call a symbol; some have letters of other scripts."""
    letters = name.replace("_", "")
    return 2 <= len(name) <= 40 and letters.isalnum() and name == name.upper()


def looks_like(name: str, known: Iterable[str] = ()) -> str | None:
    """The symbol that another spelling means: btc/usdt, BINANCE:BTCUSDT.P, BTC-PERP."""
    plain = name.strip().upper().rpartition(":")[2]
    plain = re.sub(r"(\.P|[-_/ ]?PERP)$", "", plain)
    plain = re.sub(r"[-_/ .]", "", plain)
    symbols = set(known)
    if symbols:
        for candidate in (plain, f"{plain}USDT", f"{plain}T", f"{plain}USDC"):
            if candidate in symbols:
                return candidate
        return meant(plain, symbols) if plain.isalnum() else None
    return plain if re.fullmatch(r"[A-Z0-9]{2,20}(USDT|USDC)", plain) else None
