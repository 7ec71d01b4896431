"""The key in force: a change loses nothing that the old key had signed already."""

from __future__ import annotations

import pytest

from runner.venues import RawAnswer
from runner.venues.binance_usdm.keys import Keys, Slot, slot
from runner.venues.gate import Gate


class Carrier:
    """A transport that does nothing."""

    def exchange(self, method: str, path: str, payload: str, gate: Gate | None = None) -> RawAnswer:
        """An empty answer."""
        del method, path, payload
        return RawAnswer("ok", 200)


def made(name: str) -> Slot:
    """A slot with a carrier of its own."""
    return slot(f"the-key-{name}", f"secret-{name}", lambda _: Carrier())


def test_what_was_signed_before_leaves_with_the_old_key_for_a_while() -> None:
    """By its signature; unsigned readings and new requests take the new key."""
    now = [0]
    old, new = made("old"), made("new")
    keys = Keys(old, lambda: now[0], keep=3_000)
    signed = keys.current.sign("symbol=BTCUSDT&timestamp=1")
    assert keys.of(signed) is old
    keys.change(new)
    assert keys.of(signed) is old
    assert keys.of("") is new
    assert keys.of(keys.current.sign("symbol=BTCUSDT&timestamp=1")) is new
    now[0] = 3_001
    assert keys.of(signed) is new


def test_a_slot_shows_neither_key_nor_secret() -> None:
    """Whatever prints it."""
    assert repr(made("old")) == "Slot()"


@pytest.mark.parametrize("form", ["{}&signature={}", '{{"a": "{}", "signature":"{}"}}'])
def test_an_answer_that_repeats_the_request_is_cleaned(form: str) -> None:
    """Neither the key nor the signature reaches the journal; any other answer is left as it is."""
    sent = form.format("timestamp=1", "abcdef0123")
    page = RawAnswer("ok", 403, f"{sent} the-key-old".encode(), detail="abcdef0123")
    cleaned = made("old").clean(page, sent)
    assert b"abcdef0123" not in cleaned.body + cleaned.detail.encode()
    assert b"the-key-old" not in cleaned.body
    fine = RawAnswer("ok", 200, b"{}")
    assert made("old").clean(fine, sent) is fine
