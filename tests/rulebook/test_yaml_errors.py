"""What the YAML parser stumbles over, said at the place and in the words of whoever wrote it."""

from __future__ import annotations

import pytest

from runner.rulebook.reader import read
from runner.rulebook.source import Source, Text
from runner.rulebook.yaml_errors import translate

CASES = [
    # text, line, column, message, cure
    ("a: b: c", 1, 5, "here is a second ': ' in one value", "a text with ': ' in it needs quotes"),
    ("a: 1\n  b: 2", 2, 3, "this line starts further right than the lines it belongs to",
     "line 1 starts at column 1"),
    ("a:\n   b: 1\n  c: 2", 3, 3, "this line starts further left than the lines it belongs to",
     "line 2 starts at column 4"),
    ("a:\n  - b: 1\n    c: 2\n   d: 3", 4, 4,
     "this line starts further left than the lines it belongs to", "line 3 starts at column 5"),
    ("a:\n  - b: 1\n - c: 2", 3, 2, "this - does not stand under the others of its list",
     "start every - of a list at the same column"),
    ("- a: 1\nb: 1", 2, 1, "this line stands beside a list, but has no - before it",
     "move it right under the entry it belongs to, or start it with -"),
    ("a: |\n  x\n y", 3, 2, "this line starts further left than the lines it belongs to",
     "line 2 starts at column 3"),
    ("a:\n\tb: 1", 2, 1, "here is a tab", "use spaces, not a tab"),
    ("a:\tb", 1, 3, "here is a tab", "use spaces, not a tab"),
    ("a: 'x\nb: 2", 1, 4, "the quote that opens here is never closed",
     "close it at the end of the text"),
    ('a: "x\\q"', 1, 7, "a \\ in double quotes stands before a few letters only",
     "use single quotes, or write \\\\"),
    ("a: 'it's'", 1, 8, "this stands behind a value that already ended",
     "put the whole text in quotes, or a quote inside it twice ('it''s')"),
    ("notify: {symbol} was bought", 1, 18, "this stands behind a value that already ended",
     "put the whole text in quotes, or a quote inside it twice ('it''s')"),
    ("a: {{ticker}}", 1, 5, "a key must be a plain word",
     "a value that starts with { or [ needs quotes"),
    ("a: @x # y", 1, 4, "a text that starts with @ needs quotes", 'write "@x"'),
    ('a: `"x"', 1, 4, "a text that starts with ` needs quotes", "write '`\"x\"'"),
    ("a: %x", 1, 4, "a text that starts with % needs quotes", 'write "%x"'),
    ("a: {b: %, c: 1}", 1, 8, "a text that starts with % needs quotes", 'write "%"'),
    ("a: *x", 1, 4, "a text that starts with * needs quotes", 'write "*x"'),
    ("a: * 2", 1, 4, "a text that starts with * needs quotes", 'write "* 2"'),
    ("*a : 2", 1, 1, "a text that starts with * needs quotes", 'write "*a : 2"'),
    ("a: > 3", 1, 4, "a text that starts with > needs quotes", 'write "> 3"'),
    ("a: @" + "x" * 80, 1, 4, "a text that starts with @ needs quotes",
     "put the whole text in quotes"),
    ("a: {b: 1\nc: 2", 1, 4, "the { that opens here is never closed", "close it with }"),
    ("a: {b: {c: {", 1, 12, "the { that opens here is never closed", "close it with }"),
    ("a: {b: [", 1, 8, "the [ that opens here is never closed", "close it with ]"),
    ("a: [1, 2\nb: 3", 1, 4, "the [ that opens here is never closed", "close it with ]"),
    ("a: {b: 1]", 1, 9, "] closes what was opened with {", "write }"),
    ("a: [b}", 1, 6, "} closes what was opened with [", "write ]"),
    ("a: {b: 'x' c: 1}", 1, 12, "inside { } a comma is missing before this",
     "put a comma between two entries"),
    ("a: }", 1, 4, "a } without a { before it", "delete it, or put the text in quotes"),
    ("a: ]", 1, 4, "a ] without a [ before it", "delete it, or put the text in quotes"),
    ("{a: 1}}", 1, 7, "here the text goes on after its end",
     "look for a } or ] too many just before this place"),
    ("a: - b", 1, 4, "a list starts on a new line", "put the - under the key"),
    ("a: 1\nfoo", 2, 1, "this line has no value: a colon and a space are missing",
     "write key: value"),
    ("foo\nb: 1", 1, 1, "this line has no value: a colon and a space are missing",
     "write key: value"),
    ("a:b\nc: 1", 1, 2, "a space is missing after the colon", "write key: value"),
    ("a: 1\nb:c\nd: 1", 2, 2, "a space is missing after the colon", "write key: value"),
    ("x: 1\n: 2", 2, 1, "the key before this colon is missing", None),
    ("? [a]\n: b", 1, 3, "a key must be a plain word",
     "a value that starts with { or [ needs quotes"),
    ("? |\n  a\n: b", 1, 3, "a key must stand on one line", None),
    ("<<: 1", 1, 1, "<< is no key of rule files", "write the keys out"),
    ("a: !x 1", 1, 4, "a value cannot start with !", "put the text in quotes"),
    ("a: !<", 1, 4, "a text that starts with ! needs quotes", 'write "!<"'),
    ("a: & x", 1, 4, "a text that starts with & needs quotes", 'write "& x"'),
    ("a: &x 1", 1, 4, "a value cannot start with &", "put the text in quotes"),
    ("&x a: 1", 1, 1, "a value cannot start with &", "put the text in quotes"),
    ("a: 1\n---\nb: 1", 2, 1, "--- starts a second document", "write two files"),
    ("%YAML 1.1\n---\na: 1", 1, 1, "a line cannot start with %", "delete it"),
    ("a: 9.", 1, 4, "a number ends with a digit", "write 9"),
    ("a: " + "9" * 41, 1, 4, "a number may have 40 characters", "write it shorter"),
    ("a: +inf", 1, 4, "+inf is not a number that can be used",
     "write a number, or a text in quotes"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "column", "message", "cure"), CASES)
def test_a_stumble_is_explained(
    text: str, line: int, column: int, message: str, cure: str | None
) -> None:
    """One finding, where a person would look, with what to write instead."""
    (found,) = read("a.yaml", f"{text}\n".encode()).found
    assert (found.line, found.column) == (line, column)
    assert (found.message, found.cure) == (message, cure)


def test_an_error_without_a_place_is_explained_all_the_same() -> None:
    """Whatever a later parser may come up with: general words, at the start of the file."""
    found = translate(ValueError("block end"), Source("a.yaml", Text(("x",))))
    assert (found.line, found.column) == (1, 1)
    assert found.message == "the lines around this place cannot be read"
