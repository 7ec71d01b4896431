"""How findings are shown: sorted, with a caret under the right characters, safe on a terminal."""

from __future__ import annotations

from dataclasses import replace

from runner.rulebook.diagnostics import MOST_SHOWN, Diagnostic, Related, order, render, summary

ONE = Diagnostic("a.yaml", 2, 5, 3, "error", "code", "wrong", "mend it", source="abc: def ghi")


def test_nothing_found_shows_nothing() -> None:
    """No summary of nothing."""
    assert render([]) == ""


def test_the_caret_stands_under_the_part() -> None:
    """Place, severity, message and code first; then the line, the caret and the cure."""
    found = replace(
        ONE, column=6, related=(Related("a.yaml", 7, "see"), Related("b.yaml", 1, "and"))
    )
    assert found.text() == (
        "a.yaml:2:6: error: wrong [code]\n"
        " 2 | abc: def ghi\n"
        "   |      ^~~ mend it\n"
        "   = see line 7\n"
        "   = and b.yaml:1"
    )


def test_wide_characters_and_tabs_keep_the_caret_in_place() -> None:
    """CJK letters are two columns wide, combining marks none, a tab stays a tab."""
    source = "\t币e\u0301: def"
    wide = replace(ONE, source=source, column=7, length=3, cure=None)
    assert wide.text().splitlines()[1:] == [f" 2 | {source}", "   | \t     ^~~"]


def test_what_could_garble_a_terminal_is_not_printed() -> None:
    """Escape sequences and direction marks show as a stand-in."""
    bad = "a\x1b[2J\u202eb"
    hostile = replace(ONE, source=bad, message=bad, cure=bad)
    assert "\x1b" not in hostile.text()
    assert "\u202e" not in hostile.text()


def test_a_long_line_is_cut_around_the_part() -> None:
    """The part is always visible, however far to the right it stands."""
    long = replace(ONE, source="x" * 500 + "HERE" + "y" * 500, column=501, length=4)
    excerpt = long.text().splitlines()[1]
    assert "HERE" in excerpt
    assert len(excerpt) < 140
    whole = replace(long, column=1, length=1004)
    assert len(whole.text().splitlines()[1]) < 140


def test_findings_are_sorted_and_said_once() -> None:
    """By file, line and column, whoever found them first."""
    late, other = replace(ONE, line=9), replace(ONE, file="0.yaml")
    assert order([late, ONE, other, ONE]) == [other, ONE, late]


def test_the_summary_counts() -> None:
    """Errors and warnings apart; the effect only when something is not loaded."""
    warning = replace(ONE, severity="warning")
    assert summary([ONE]) == "1 error in a.yaml. Nothing was loaded."
    assert summary([ONE, replace(ONE, file="b.yaml")]) == "2 errors in 2 files. Nothing was loaded."
    assert summary([warning]) == "1 warning in a.yaml."
    assert summary([ONE, warning], "Revision 4 keeps running.") == (
        "1 error and 1 warning in a.yaml. Revision 4 keeps running."
    )


def test_a_flood_is_cut() -> None:
    """A hundred findings of a file are enough to read; the rest is counted."""
    flood = [replace(ONE, line=line) for line in range(1, MOST_SHOWN + 6)]
    text = render(flood)
    assert text.count("[code]") == MOST_SHOWN
    assert "a.yaml: 5 more are not shown." in text
    assert f"{MOST_SHOWN + 5} errors in a.yaml." in text


def test_a_finding_about_a_whole_file_has_no_line() -> None:
    """The cure stands below, there is no source line to point at."""
    assert replace(ONE, line=0).text() == "a.yaml: error: wrong [code]\n  mend it"
    assert replace(ONE, line=0, cure=None).text() == "a.yaml: error: wrong [code]"
