"""The key in force: a change loses nothing that the old key had signed already."""

from __future__ import annotations

from runner.venues import RawAnswer
from runner.venues.binance_usdm.keys import Keys, Slot, slot


class Carrier:
    """A transport that does nothing."""

    def exchange(self, method: str, path: str, payload: str) -> RawAnswer:
        """An empty answer."""
        del method, path, payload
        return RawAnswer("ok", 200)


def made(name: str) -> Slot:
    """A slot with a carrier of its own."""
    return slot(f"key-{name}", f"secret-{name}", lambda _: Carrier())


def test_what_was_signed_before_leaves_with_the_old_key_for_a_while() -> None:
    """By its signature; unsigned readings and new requests take the new key."""
    now = [0]
    old, new = made("old"), made("new")
    keys = Keys(old, lambda: now[0], keep=3_000)
    signed = keys.current.sign("symbol=BTCUSDT&timestamp=1")
    assert keys.carrier(signed) is old.transport
    keys.change(new)
    assert keys.carrier(signed) is old.transport
    assert keys.carrier("") is new.transport
    assert keys.carrier(keys.current.sign("symbol=BTCUSDT&timestamp=1")) is new.transport
    now[0] = 3_001
    assert keys.carrier(signed) is new.transport


def test_a_slot_shows_neither_key_nor_secret() -> None:
    """Whatever prints it."""
    assert repr(made("old")) == "Slot()"
