"""Log lines: laid out for their reader, one line each, and never a secret in them."""

from __future__ import annotations

import io
import json
import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import ConfigurationError
from runner.logs import (
    LEVELS,
    as_json,
    as_logfmt,
    configure,
    configure_as,
    leads_to_journal,
    scrub,
)

SECRET = "Geheim/nis=17"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Leave the process's logging as it was found."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    levels = {name: logging.getLogger(name).level for name in LEVELS}
    yield
    root.handlers[:], level = before
    root.setLevel(level)
    logging.captureWarnings(False)
    for name, each in levels.items():
        logging.getLogger(name).setLevel(each)


@pytest.fixture
def out() -> io.StringIO:
    """What was logged, with one registered secret."""
    stream = io.StringIO()
    configure("DEBUG", lambda: {SECRET, ""}, stream, {})
    return stream


log = logging.getLogger("runner.test")


def test_a_line_is_logfmt_with_the_allowed_fields(out: io.StringIO) -> None:
    """Time in UTC with ms, level, logger, message, fields; what is not on the list stays out."""
    log.info("fired %s", "tv-eth", extra={"rule_id": "tv-eth", "status": 200, "order_id": "77"})
    line = out.getvalue()
    assert line.startswith("time=20")
    assert line.split(" ", 1)[0].endswith("Z")
    assert line.endswith(
        ' level=info logger=runner.test message="fired tv-eth" status=200 rule_id=tv-eth\n'
    )


def test_an_exception_is_part_of_its_line(out: io.StringIO) -> None:
    """One record is one line, traceback included, without the values of variables."""
    hidden = "value of a variable"
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        log.exception("it broke", stack_info=True)
    assert out.getvalue().count("\n") == 1
    assert "ValueError: first\\nsecond" in out.getvalue()
    assert "stack=" in out.getvalue()
    assert hidden not in out.getvalue()


def test_under_systemd_a_line_is_json(tmp_path: Path) -> None:
    """Where JOURNAL_STREAM names the very stream; numbers stay numbers."""
    with (tmp_path / "journal").open("w+") as stream:
        status = os.fstat(stream.fileno())
        configure("INFO", frozenset, stream, {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
        log.info('a "quoted" text', extra={"status": 200})
        stream.seek(0)
        priority, text = stream.read().split(">", 1)
        line = json.loads(text)
    assert priority == "<6"
    assert line["message"] == 'a "quoted" text'
    assert (line["level"], line["logger"], line["status"]) == ("info", "runner.test", 200)


def test_another_stream_is_not_the_journal(tmp_path: Path) -> None:
    """A redirected, a closed and a made-up stream are none."""
    assert not leads_to_journal(io.StringIO(), {"JOURNAL_STREAM": "1:2"})
    with (tmp_path / "file").open("w") as stream:
        assert not leads_to_journal(stream, {"JOURNAL_STREAM": "1:2"})
        assert not leads_to_journal(stream, {})
    assert not leads_to_journal(stream, {"JOURNAL_STREAM": "1:2"})


@pytest.mark.parametrize(
    "text",
    [
        f"GET /fapi/v1/order?symbol=X&signature={'ab' * 32}&x=1",
        f"{{'X-MBX-APIKEY': '{'ab' * 32}'}}",
        f"X-MBX-APIKEY: {'ab' * 32}\r\nHost: x",
        f'{{"apiKey":"{"ab" * 32}","signature":"{"ab" * 32}"}}',
        f"header: b'x-mbx-apikey', b'{'ab' * 32}'",
        f"[('X-MBX-APIKEY', '{'ab' * 32}')]",
        f"wss://host/private/ws?listenKey={'ab' * 32}&events=A",
        f'{{"listenKey": "{"ab" * 32}"}}',
        f"api_secret = {'ab' * 32}",
        f"POST /hook/eth/{'ab' * 32} HTTP/1.1",
        f"POST /hook/eth/{'ab' * 32}?x=1",
    ],
)
def test_what_must_never_be_seen_is_scrubbed_by_its_name(text: str) -> None:
    """Signatures, keys, listen keys and hook tokens, in every shape they are printed in."""
    assert "abab" not in scrub(text, ())
    assert "***" in scrub(text, ())


@pytest.mark.parametrize(
    "text",
    [
        "the signature is wrong, the clock is 3 s off",
        "bad signature, check the key",
        "POST /hook/eth 200",
        "symbol=ETHUSDT side=BUY",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    """Scrubbing does not eat prose."""
    assert scrub(text, ()) == text


def test_registered_secrets_are_scrubbed_everywhere(out: io.StringIO) -> None:
    """In the message, its arguments, the fields, exceptions; plain and percent-encoded."""
    log.info(f"a {SECRET} b %s", SECRET, extra={"reason": f"was {SECRET}"})
    log.warning("https://x/?k=Geheim%2Fnis%3D17")
    try:
        raise KeyError(SECRET)
    except KeyError:
        log.exception("oh")
    assert "Geheim" not in out.getvalue()
    assert out.getvalue().count("***") >= 5


def test_a_secret_that_is_part_of_another_hides_no_less() -> None:
    """The longest goes first, so that no rest of it stays."""
    assert scrub("abcdef abc", ["abc", "abcdef"]) == "*** ***"


def test_arguments_that_do_not_fit_are_still_scrubbed(
    out: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python's own way is to print them raw to the terminal."""
    (handler,) = (
        each
        for each in logging.getLogger().handlers
        if isinstance(each, logging.StreamHandler) and each.stream is out
    )
    handler.handle(log.makeRecord("x", logging.INFO, "x", 1, "only %d", (SECRET,), None))
    assert "Geheim" not in out.getvalue() + capsys.readouterr().err
    assert "only %d" in out.getvalue()


def test_a_connection_error_of_requests_gives_nothing_away(out: io.StringIO) -> None:
    """Its text holds the whole address; urllib3's debug lines do not come through at all."""
    try:
        requests.get(f"http://127.0.0.1:1/fapi/v1/order?signature={'ab' * 32}", timeout=5)
    except requests.ConnectionError:
        log.exception("the call failed")
    assert "ConnectionError" in out.getvalue()
    assert "abab" not in out.getvalue()
    logging.getLogger("urllib3.connectionpool").debug("GET /?signature=abab")
    logging.getLogger("websocket").warning("noise")
    assert out.getvalue().count("\n") == 1


def test_warnings_go_the_same_way(out: io.StringIO) -> None:
    """Not around it, to the terminal."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configure("INFO", lambda: {SECRET}, out, {})
        warnings.warn(f"old {SECRET}", stacklevel=1)
    assert "py.warnings" in out.getvalue()
    assert "Geheim" not in out.getvalue()


def test_configuring_again_replaces_the_handler(out: io.StringIO) -> None:
    """No line is written twice, and the level is the new one; stderr is the default."""
    second = io.StringIO()
    configure("WARNING", frozenset, second, {})
    log.info("no")
    log.warning("yes")
    assert out.getvalue() == ""
    assert second.getvalue().count("\n") == 1
    configure(environ={})
    assert len(logging.getLogger().handlers) == 1


@given(st.dictionaries(st.sampled_from(["a", "b"]), st.text() | st.integers()))
def test_any_value_stays_on_its_line(line: dict[str, str | int]) -> None:
    """Line breaks and quotes are escaped; JSON is read back as it was."""
    assert "\n" not in as_logfmt(line)
    assert json.loads(as_json(line)) == line


def test_half_a_character_does_not_break_the_stream(tmp_path: Path) -> None:
    """A lone surrogate is written as its escape."""
    with (tmp_path / "log").open("w+", encoding="utf-8") as stream:
        configure("INFO", frozenset, stream, {})
        log.info("\ud800")
        stream.seek(0)
        assert "ud800" in stream.read()


@dataclass(frozen=True)
class Place:
    """A target of the settings."""

    to: str
    level: str | None = None
    format: str = "auto"


@dataclass(frozen=True)
class Wanted:
    """The settings of logs."""

    level: str = "info"
    levels: Mapping[str, str] = field(default_factory=dict)
    targets: Sequence[Place] = (Place("stderr"),)


def test_each_target_has_its_level_and_layout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file for everything as JSON, the terminal for what matters; both without secrets."""
    targets = (Place("stdout"), Place("run.log", "debug", "json"))
    configure_as(Wanted("warning", {}, targets), tmp_path, lambda: {SECRET}, {})
    log.debug("detail %s", SECRET)
    log.warning("matters")
    lines = [json.loads(line) for line in (tmp_path / "run.log").read_text().splitlines()]
    assert [line["message"] for line in lines] == ["detail ***", "matters"]
    out = capsys.readouterr().out
    assert "message=matters" in out
    assert "detail" not in out
    assert (tmp_path / "run.log").stat().st_mode & 0o777 == 0o600


def test_parts_of_the_runner_have_levels_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the beginning of the logger's name, the longest that fits."""
    levels = {"runner": "error", "runner.test": "debug"}
    places = (Place("stdout"), Place("all.log", "debug"))
    configure_as(Wanted("info", levels, places), tmp_path, frozenset, {})
    log.debug("wanted")
    logging.getLogger("runner.other").warning("not wanted")
    logging.getLogger("elsewhere").debug("for the file only")
    logging.getLogger("elsewhere").info("usual")
    out = capsys.readouterr().out
    assert [word in out for word in ("message=wanted", "not wanted", "file only", "usual")] == [
        *(True, False, False, True)
    ]
    assert "file only" in (tmp_path / "all.log").read_text()
    for name in levels:
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_a_file_that_is_moved_away_is_begun_anew(tmp_path: Path) -> None:
    """What logrotate does; configuring again closes it."""
    configure_as(Wanted(targets=(Place("run.log"),)), tmp_path, frozenset, {})
    log.info("one")
    (tmp_path / "run.log").rename(tmp_path / "run.log.1")
    log.info("two")
    assert "two" in (tmp_path / "run.log").read_text()
    configure_as(Wanted(), tmp_path, frozenset, {})


def test_a_file_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    """With the place to change."""
    with pytest.raises(ConfigurationError, match=r"under log\.targets in runner\.yaml"):
        configure_as(Wanted(targets=(Place("none/run.log"),)), tmp_path, frozenset, {})


def test_ids_of_orders_are_in_the_journal_only(out: io.StringIO) -> None:
    """Ours and the exchange's, whatever text they stand in."""
    log.info("on the book (order 8389765000003), r1-main-kr3grieg5kxhk4evs2ftfh; order 2 is next")
    assert "on the book (order ***), ***; order 2 is next" in out.getvalue()
