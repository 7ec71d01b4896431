"""Notices are committed with what they tell of: a kill between commit and send loses nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from runner.connecting import wall_ms
from runner.core.decision import Decision, Record
from runner.core.notice import CRITICAL, KINDS, Loudness, Notice
from runner.core.noticing import Noticing
from runner.journal import Journal
from runner.notifications.courier import Courier
from runner.notifications.desk import Desk
from runner.notifications.target import Target
from runner.settings.outward import Notifications, Quiet
from tests.journal.building import NOW, count, open_journal
from tests.notifications.receivers import WebReceiver
from tests.support import eventually

KILLED = Decision([Record(NOW, "notify", "CRITICAL KILLED by anna", reason="critical")])
SAID = Decision([Record(NOW, "notify", "dip bought", rule_id="dip", run_id="r1")])


def desk_of(url: str, journal: Journal, settings: Notifications | None = None) -> Desk:
    """A desk with one target, phone."""
    noticing = Noticing(lambda _: "dip", "account main (live)")
    wanted = settings or Notifications(targets=("phone",))
    return Desk([Target("phone", url)], wanted, noticing.notices, journal.epoch, wall_ms)


def commit(journal: Journal, desk: Desk, decisions: Sequence[Decision]) -> None:
    """What the dispatcher does."""
    journal.commit([*decisions, desk.announce(decisions, NOW)])


def test_a_notice_leaves_after_its_commit_and_is_settled_by_the_next(tmp_path: Path) -> None:
    """The whole way of a critical one; one that is not critical is no row of the journal."""
    with WebReceiver() as receiver:
        journal = open_journal(tmp_path)
        desk = desk_of(receiver.url, journal)
        desk.start(journal.unsent())
        commit(journal, desk, [KILLED, SAID])
        assert receiver.taken == []
        desk.told([KILLED, SAID])
        assert eventually(lambda: len(receiver.taken) == 2, 60)
        assert receiver.titles == ["KILLED by anna", "dip bought"]
        assert count(tmp_path, "outbox") == 1
        eventually(lambda: not desk.announce([], NOW).empty, 60)
        commit(journal, desk, [])
        desk.told([])
        assert journal.unsent() == []
        assert desk.announce([], NOW).empty
        desk.stop()
        journal.close()


def test_a_kill_between_commit_and_send_loses_nothing(tmp_path: Path) -> None:
    """The process ends right after the commit; the next life sends what is not settled."""
    with WebReceiver() as receiver:
        journal = open_journal(tmp_path)
        commit(journal, desk_of(receiver.url, journal), [KILLED, SAID])
        journal.close(killed=True)
        journal = open_journal(tmp_path)
        desk = desk_of(receiver.url, journal)
        desk.start(journal.unsent())
        eventually(lambda: receiver.titles == ["KILLED by anna"], 60)
        desk.stop()
        journal.close()


def test_a_commit_that_fails_tells_nothing(tmp_path: Path) -> None:
    """What was only drafted is forgotten with the next draft."""
    with WebReceiver() as receiver:
        journal = open_journal(tmp_path)
        desk = desk_of(receiver.url, journal)
        desk.start([])
        desk.announce([KILLED], NOW)
        desk.announce([], NOW)
        desk.told([])
        desk.stop()
        journal.close()
    assert receiver.taken == []


def test_a_target_that_is_gone_from_the_settings_is_settled(tmp_path: Path) -> None:
    """Its notices would wait for ever."""
    with WebReceiver() as receiver:
        journal = open_journal(tmp_path)
        commit(journal, desk_of(receiver.url, journal), [KILLED])
        desk = Desk([], Notifications(), lambda *_: [], journal.epoch, lambda: NOW)
        desk.start(journal.unsent())
        commit(journal, desk, [])
        assert journal.unsent() == []
        desk.stop()
        journal.close()


def test_kinds_are_told_as_the_settings_say(tmp_path: Path) -> None:
    """Off is not told; quiet hours make the rest silent, but nothing that is critical."""
    night = Quiet(22 * 60, 7 * 60)
    settings = Notifications(("phone",), {"rule": "off", "stopped": "on"}, night)
    three = 1_700_017_200_000  # 03:00 UTC
    assert night.holds(three)
    assert not night.holds(three + 12 * 3_600_000)
    assert Quiet(60, 4 * 60).holds(three)
    assert not Quiet(4 * 60, 5 * 60).holds(three)
    assert Quiet(4 * 60, 5 * 60, "Europe/Berlin").holds(three)
    assert settings.loudness("rule", three) == "off"
    assert settings.loudness("stopped", three) == "silent"
    assert settings.loudness("stopped", three + 12 * 3_600_000) == "on"
    assert settings.loudness("critical", three) == "on"
    journal = open_journal(tmp_path)
    desk = desk_of("json://127.0.0.1:1", journal, settings)
    assert desk.announce([SAID], NOW).empty
    desk.say(Notice(NOW, "rule", "nothing"))
    assert all(courier.idle for courier in desk.couriers)
    journal.close()


@pytest.mark.parametrize("loudness", ["on", "silent", "off"])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != CRITICAL])
def test_each_kind_is_on_silent_or_off(
    kind: str, loudness: Loudness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As its setting says, and no other kind is touched by it."""
    put: list[tuple[str, bool]] = []

    def taken(_: Courier, notice: Notice, *, silent: bool, key: str = "") -> None:
        put.append((notice.kind, silent))

    monkeypatch.setattr(Courier, "put", taken)
    journal = open_journal(tmp_path)
    other = "rule" if kind != "rule" else "error"
    desk = desk_of(
        "json://127.0.0.1:1", journal, Notifications(("phone",), {kind: loudness, other: "on"})
    )
    desk.say(Notice(NOW, kind, "one"))
    desk.say(Notice(NOW, other, "two"))
    told: list[tuple[str, bool]] = [] if loudness == "off" else [(kind, loudness == "silent")]
    assert put == [*told, (other, False)]
    journal.close()


def test_a_failure_is_kept_for_the_status(tmp_path: Path) -> None:
    """A target that refuses is failing with its words until it takes something."""
    with WebReceiver() as receiver:
        receiver.status = 500
        journal = open_journal(tmp_path)
        desk = desk_of(receiver.url, journal)
        desk.start([])
        commit(journal, desk, [KILLED])
        desk.told([KILLED])
        (courier,) = desk.couriers
        eventually(lambda: courier.failing is not None and courier.failing.trouble, 60)
        assert desk.alive
        desk.stop()
        assert journal.unsent() != []
        journal.close()
