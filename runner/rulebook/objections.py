"""One handler for each keyword of the schema: its objection in the user's words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from runner.core.actions import ACTIONS
from runner.core.document import Path, Problem
from runner.core.triggers import TRIGGERS
from runner.core.view import scope
from runner.rulebook.schema import bundle
from runner.rulebook.source import Source
from runner.rulebook.words import TYPES, as_number, either, kind_of, meant, shown

DURATIONS = frozenset(
    {
        "for",
        "cooldown",
        "countdown",
        "refresh",
        "expires_after",
        "good_till",
        "max_age",
        "dedupe_window",
        "every",
        "grace",
        "stream_gap",
    }
)
"""The keys whose text is a length of time."""

WRITE_A_NUMBER = "write a number such as 70000 or 0.02"
NEEDS_QUOTES = "a formula with a comma inside { } needs quotes"

SIDE = "^(buy|sell|=.*)$"
WAY = "^(long|short|flat|=.*)$"
CHOICES: Mapping[str, tuple[str, ...]] = {SIDE: ("buy", "sell"), WAY: ("long", "short", "flat")}
"""The patterns that are a choice of words, or a formula that chooses."""

PATTERNS: Mapping[str, str] = {
    "^=": "a number or a formula",
    SIDE: "buy, sell or a formula such as =trigger.action",
    WAY: "long, short, flat or a formula such as =trigger.market_position",
    "^[a-z][a-z0-9-]{1,47}$": "2 to 48 of a-z, 0-9 and -, the first a letter: btc-breakout",
    "^[a-z0-9][a-z0-9-]{0,63}$": "up to 64 of a-z, 0-9 and -: eth-signal",
    "^[a-z][a-z0-9_]{0,63}$": "up to 64 of a-z, 0-9 and _, the first a letter: tv_eth",
}
"""Every pattern of the schema in words."""


def place_name(path: Path, source: Source) -> str:
    """What a message calls a place: `price`, `rule eth-ladder`, `order 2 of place`."""
    if not path:
        return "the file"
    if len(path) == 2 and path[0] == "rules":
        rule_id = source.value((*path, "id"))
        return f"rule {shown(rule_id)}" if isinstance(rule_id, str) else "the rule"
    if isinstance(path[-1], str):
        return path[-1]
    if len(path) == 4 and path[2] in ("when", "do"):
        return "this trigger" if path[2] == "when" else "this action"
    noun = "order" if path[-2] == "place" else "entry"
    return f"{noun} {path[-1] + 1} of {path[-2]}"


def kinds_at(path: Path) -> tuple[str, Mapping[str, Any]] | None:
    """The kinds that an entry of `when` or `do` may be."""
    if len(path) == 4 and path[0] == "rules" and path[2] == "when":
        return "trigger", TRIGGERS
    if len(path) == 4 and path[0] == "rules" and path[2] == "do":
        return "action", ACTIONS
    return None


def unknown_kind(path: Path, key: str, word: str, kinds: Mapping[str, Any]) -> Problem:
    """The problem of an entry of `when` or `do` whose kind does not exist."""
    guess = meant(key, kinds)
    cure = f"did you mean {guess}?" if guess else f"the {word}s: {', '.join(kinds)}"
    return Problem(path, "unknown-kind", f"unknown {word} {shown(key)}", cure, at_key=True)


def _unknown_keys(error: Any, path: Path, source: Source) -> Iterator[Problem]:
    allowed = error.schema.get("properties", {})
    kinds = kinds_at(path)
    for key in error.instance:
        if key in allowed:
            continue
        if kinds is not None:
            yield unknown_kind((*path, key), key, *kinds)
            continue
        message = f"unknown key {shown(key)}"
        if path:
            message += f" in {place_name(path, source)}"
        cure = _key_cure(key, path, error.instance, allowed, source)
        yield Problem((*path, key), "unknown-key", message, cure, at_key=True)


def _key_cure(
    key: str, path: Path, siblings: Mapping[str, Any], allowed: Iterable[str], source: Source
) -> str:
    if path in source.flow and siblings[key] is None:
        keys = list(siblings)
        before = siblings[keys[keys.index(key) - 1]] if keys.index(key) else None
        if isinstance(before, str) and (before.startswith("=") or before.count("(")):
            return NEEDS_QUOTES
        number = as_number(f"{before},{key}") if kind_of(before) == "a number" else None
        if number is not None:
            return f"a comma cut this number in two: write {number}"
    if key.endswith(":"):
        return "write one colon, then a space and the value"
    if not key.isascii() and any(not c.isprintable() or c == "\u00a0" for c in key):
        return "there is an invisible character in it: type it again"
    if key == "price" and {"from", "to"} <= set(allowed):
        return "the prices of a ladder are from and to"
    guess = meant(key, allowed)
    if guess is not None:
        return f"did you mean {guess}?"
    rule_keys = bundle()["properties"]["rules"]["items"]["properties"]
    if len(path) > 2 and key in rule_keys:
        return f"{key} is a key of the rule: move it to the left, under id"
    if path and key in bundle()["properties"]:
        return f"{key} is a key of the file: move it to the left margin"
    if len(path) == 2 and (home := _home(key, siblings)):
        return f"{key} is a key of {home}: move it in there"
    if not path and key in rule_keys:
        return f"{key} is a key of a rule: move it under one"
    return f"the keys here: {', '.join(allowed)}"


def _home(key: str, rule: Mapping[str, Any]) -> str:
    """The triggers and actions of this rule that have such a key; empty for none."""
    kinds: dict[str, Any] = {**TRIGGERS, **ACTIONS}
    sections = [rule.get(section) for section in ("when", "do")]
    entries = [entry for each in sections if isinstance(each, list) for entry in each]
    used = [next(iter(entry)) for entry in entries if isinstance(entry, dict) and entry]
    fits = [kind for kind in used if kind in kinds and key in kinds[kind].schema.get(BELOW, {})]
    return either(dict.fromkeys(fits))


BELOW = "properties"


def _missing(error: Any, path: Path, source: Source) -> Iterator[Problem]:
    for key in error.validator_value:
        if key in error.instance:
            continue
        hint = _hint(error.schema["properties"][key])
        # of several examples the first: what is proposed can be pasted
        cure = f"add {key}: {hint.partition(', =')[0]}" if hint else None
        message = f"{key} is missing" + (f" in {place_name(path, source)}" if path else "")
        yield Problem(path, "missing-key", message, cure)


def _wrong_type(error: Any, path: Path, source: Source) -> Iterator[Problem]:
    wanted = error.validator_value
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    name, value = place_name(path, source), error.instance
    is_duration = name in DURATIONS and "string" in names
    if value is None:
        hint = _hint(error.schema)
        cure = _example(path) or (f"write {name}: {hint}" if hint else None)
        yield Problem(path, "missing-value", f"{name} has no value", cure)
        return
    if is_duration:
        expected = "a length of time with a unit"
    elif "^=" in str(error.schema.get("pattern")):
        expected = PATTERNS["^="]
    elif section_item(path):
        expected = "a formula" if path[2] == "if" else "a kind with its value"
    else:
        expected = either(TYPES[word] for word in sorted(names, key=list(TYPES).index))
    message = f"{name} must be {expected}, this is {kind_of(value)}"
    cure, hint = _type_cure(names, path, value, is_duration), _hint(error.schema)
    if cure is None and hint.startswith("{"):
        cure = f"write {name}: {hint}"
    yield Problem(path, "wrong-type", message, cure)


def section_item(path: Path) -> bool:
    """True for an entry of `when`, `if` or `do`."""
    return len(path) == 4 and path[0] == "rules" and path[2] in ("when", "if", "do")


def _type_cure(names: list[str], path: Path, value: Any, is_duration: bool) -> str | None:
    number = isinstance(value, int) and not isinstance(value, bool)
    if is_duration and number:
        return f"write {either(f'{value}{unit}' for unit in 'smh')}"
    if "boolean" in names:
        word = {"yes": "true", "on": "true", "no": "false", "off": "false", "1": "true"}
        guess = word.get(str(value).lower(), str(value).lower())
        return f"write {guess}" if guess in ("true", "false") else "write true or false"
    if isinstance(value, str) and {"number", "integer"} & set(names):
        return _number_cure(value)
    if "integer" in names:
        return "write a whole number"
    if "number" in names:
        return WRITE_A_NUMBER
    if section_item(path):
        return _entry_cure(path, value)
    example = _example(path)
    if example is not None:
        return example
    if names == ["string"] and not isinstance(value, (list, dict)):
        return f'put it in quotes: "{shown(value)}"'
    if path == ("rules",):
        return "each rule starts with - id:"
    if "array" in names:
        return "write a list: a line with - for each entry"
    return None


def _entry_cure(path: Path, value: Any) -> str | None:
    """How to write an entry of `when`, `if` or `do` that is a bare value."""
    found = kinds_at(path)
    if found is None:
        return "write a comparison, such as position.size == 0"
    word, kinds = found
    kind = meant(value, kinds) if isinstance(value, str) else None
    if kind is None:
        return f"the {word}s: {', '.join(kinds)}"
    return _example((*path, kind))


IN_PERCENT = frozenset({"percent_of_available", "percent", "callback_rate"})
"""Keys whose number is in percent, so that no sign stands behind it."""


def _percent_cure(name: str, text: str) -> str | None:
    number = re.fullmatch(r"\s*([\d.]+)\s*%\s*", text)
    return f"write {number[1]}, it is in percent" if number and name in IN_PERCENT else None


def _number_cure(text: str) -> str | None:
    """How to write what a text in a number's place was meant to be."""
    number = as_number(text)
    if number is None:
        if re.fullmatch(r"\s*[\d.]+\s*%\s*", text):
            return f"a percentage stands in a formula: ={text.strip()} * account.available / mark"
        first = re.match(r"[a-z_]*", text)
        known = first is not None and first[0] in {name.partition(".")[0] for name in scope()}
        if known or re.search(r"\w\s*[-+*/(]\s*\w", text):
            return f"a formula starts with =: ={shown(text)}"
        return WRITE_A_NUMBER
    if "," in text and "." not in text and number.count(".") == 1:
        return f"decimals are written with a point: {number}"
    return f"write {number}, without quotes" if number == text else f"write {number}"


def _example(path: Path) -> str | None:
    """The example of the kind that stands here, for a value of the wrong shape."""
    kinds = kinds_at(path[:-1])
    if kinds is None or path[-1] not in kinds[1]:
        return None
    example = str(kinds[1][str(path[-1])].example)
    return None if "\n" in example else f"write {example}"


def _hint(schema: Mapping[str, Any]) -> str:
    """What to write: the only choice, the example of the description, or the description."""
    if len(schema.get("enum", ())) == 1:
        return str(schema["enum"][0])
    if schema.get("pattern") in CHOICES:
        return PATTERNS[schema["pattern"]]
    about = str(schema.get("description", ""))
    first = about.partition(". ")[0]
    example = about.partition("Example: ")[2] or first.partition(": ")[2]
    return (example or f"{first[:1].lower()}{first[1:]}").rstrip(".")


def _enum(error: Any, path: Path, source: Source) -> Iterator[Problem]:
    choices = [str(choice) for choice in error.validator_value]
    # of lengths the nearest word is not what was meant: 10m is no 1m
    lengths = all(re.fullmatch(r"\d+[a-z]", choice) for choice in choices)
    guess = None if lengths else meant(str(error.instance), choices)
    cure = f"did you mean {guess}?" if guess else f"write {either(choices)}"
    name = place_name(path, source)
    if error.instance is None:
        yield Problem(path, "missing-value", f"{name} has no value", f"write {either(choices)}")
        return
    if isinstance(error.instance, (dict, list)):
        message = f"{name} must be {either(choices)}, this is {kind_of(error.instance)}"
        yield Problem(path, "wrong-type", message)
        return
    yield Problem(path, "enum", f"{name} cannot be {shown(error.instance)}", cure)


def _pattern(error: Any, path: Path, source: Source) -> Iterator[Problem]:
    name, text = place_name(path, source), str(error.instance)
    words = PATTERNS.get(error.validator_value, "written in another way")
    if error.validator_value == "^=":
        message = f"{name} must be {words}, this is text"
        yield Problem(path, "wrong-type", message, _percent_cure(name, text) or _number_cure(text))
        return
    if error.validator_value in CHOICES:
        guess = meant(text, CHOICES[error.validator_value])
        cure = f"did you mean {guess}?" if guess else f"write {words}"
        yield Problem(path, "enum", f"{name} cannot be {shown(text)}", cure)
        return
    if name == "secret":
        cure = "the secret itself is kept elsewhere, only its name stands here"
        yield Problem(path, "secret", f"{name} must be {words}", cure)
        return
    plain = re.sub(r"[^a-z0-9]+", "_" if "_]" in error.validator_value else "-", text.lower())
    plain = plain.strip("_-")[:48]
    fits = plain and re.search(error.validator_value, plain)
    better = f"write {plain}" if fits else None
    yield Problem(path, "pattern", f"{name} must be {words}", better)


def _range(error: Any, path: Path, source: Source) -> Iterator[Problem]:
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "more than",
        "maximum": "at most",
        "exclusiveMaximum": "less than",
    }
    name = place_name(path, source)
    message = f"{name} must be {words[error.validator]} {error.validator_value}"
    yield Problem(path, "range", f"{message}, this is {shown(error.instance)}")


def _count(error: Any, path: Path, source: Source) -> Iterator[Problem]:
    name, limit, count = place_name(path, source), error.validator_value, len(error.instance)
    if count == 0:
        yield Problem(path, "empty", f"{name} is empty", f"write {_hint(error.schema)}")
        return
    least = error.validator.startswith("min")
    words = "needs at least" if least else "has at most"
    cure = None if least else f"put the rest into a second {name}"
    yield Problem(path, "range", f"{name} {words} {limit} entries, here are {count}", cure)


def _repeated(error: Any, path: Path, source: Source) -> Iterator[Problem]:
    for index, entry in enumerate(error.instance):
        if entry in error.instance[:index]:
            message = f"{shown(entry)} stands in {place_name(path, source)} twice"
            yield Problem((*path, index), "range", message, "delete one of them")


def unforeseen(error: Any, path: Path, source: Source) -> Iterator[Problem]:
    """Said for a keyword that has no handler, so that no foreign word reaches a user."""
    message = f"{place_name(path, source)} does not fit here"
    yield Problem(path, "schema", message, _hint(error.schema))


Handler = Callable[[Any, Path, Source], Iterator[Problem]]

HANDLERS: Mapping[str, Handler] = {
    "additionalProperties": _unknown_keys,
    "required": _missing,
    "type": _wrong_type,
    "enum": _enum,
    "pattern": _pattern,
    "minimum": _range,
    "exclusiveMinimum": _range,
    "maximum": _range,
    "exclusiveMaximum": _range,
    "minItems": _count,
    "maxItems": _count,
    "minLength": _count,
    "maxLength": _count,
    "minProperties": _count,
    "maxProperties": _count,
    "uniqueItems": _repeated,
}
"""Every keyword the schema uses; what is not here is said in general words."""
