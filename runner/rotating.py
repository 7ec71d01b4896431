"""Changing the API key while the runner runs: the next one is checked first, then takes over.

What was signed with the old key still leaves with it, so no order is lost. A request in the
runner's folder asks for it, and an answer beside it tells what came of it: neither holds a secret.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from socket import socket
from typing import Any, Final, cast

from runner.connecting import monotonic_ms, wall_ms
from runner.errors import ConfigurationError, RunnerError
from runner.ops.key_lock import claim, fingerprint
from runner.ops.secret_files import NEXT, promote, warning, write, written_at
from runner.ops.secrets import Secrets
from runner.settings import Account, Settings
from runner.venues import Venue
from runner.venues.binance_usdm.presets import reach
from runner.venues.findings import Declared, refusals
from runner.venues.registry import VENUES, Adapter, account_name, findings, key_created

log = logging.getLogger(__name__)

REQUEST: Final = "rotate.request"
ANSWER: Final = "rotate.answer"
LOOK_EVERY: Final = 0.1
DAY: Final = 86_400_000


def opened(account: Account, settings: Settings, key: str, secret: str) -> Adapter:
    """The account's venue with this key, for questions; nothing asked yet.

    Raises ConfigurationError.
    """
    return VENUES[account.venue](
        reach(account.address, "rest"),
        key,
        secret,
        settings.timing,
        wall_ms,
        monotonic_ms,
    )


def address_of(account: Account) -> str:
    """Where the account's key is used, as a claim names it."""
    return reach(account.address, account.transport).rest


def renew(folder: Path, settings: Settings, secrets: Secrets, venue: Adapter) -> tuple[str, socket]:
    """Put the key of the next slot in the place of the one in use; what to say, and its claim.

    Raises RunnerError when the next key does not do: then nothing was changed.
    """
    account = settings.account()
    names = (account.api_key, account.api_secret)
    old = secrets.get(names[0])
    key, secret = (secrets.get(f"{name}{NEXT}") for name in names)
    if key == old:
        raise ConfigurationError(
            f"{names[0]}{NEXT} holds the key that is in use: put a new one there, made on the "
            "exchange's API page"
        )
    _check(account, opened(account, settings, key, secret), venue)
    claimed = claim(address_of(account), key, account.name)
    try:
        venue.change_key(key, secret)
    except BaseException:
        claimed.close()
        raise
    moved = promote(folder / "secrets", names)
    text = (
        f"account {account.name} signs with the key {fingerprint(key)} now; revoke the old one, "
        f"which ends in …{old[-4:]} (fingerprint {fingerprint(old)}), on the exchange"
    )
    if not moved or secrets.get(names[0]) != key:
        where = " and ".join(names)
        text += f". Put the new key where {where} are kept, before the next start"
    return text, claimed


def _check(account: Account, fresh: Adapter, venue: Adapter) -> None:
    """Ask the exchange with the next key. Raises RunnerError with the cure."""
    if account.address == "live":
        declared = Declared(account.position_mode, account.leverage, account.margin_type, ())
        bad = refusals(findings(fresh, declared, streams=False))
        if bad:
            lines = "; ".join(f"{one.text}: {one.cure}" for one in bad)
            raise ConfigurationError(f"the next key is not fit to trade live: {lines}")
    else:
        fresh.connect()
    if account_name(fresh) != account_name(venue):
        raise ConfigurationError(
            f"the next key opens another account than {account.name}: its orders would be unknown "
            "here. Make the new key in the same account"
        )


class KeyRotation:
    """A thread that looks for a request, and once a day at the key's age."""

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        secrets: Secrets,
        venue: Adapter,
        now: Callable[[], int] = wall_ms,
    ) -> None:
        """`now` is our clock in ms."""
        self._folder = folder
        self._request, self._answer = files(folder, settings.apart)
        self._settings = settings
        self._secrets = secrets
        self._venue = venue
        self._now = now
        self._claims: list[socket] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keys", daemon=True)

    def start(self) -> None:
        """Begin to look; a request from a time when nobody ran is forgotten."""
        self._request.unlink(missing_ok=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and let go of the keys."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(3)
        for each in self._claims:
            each.close()

    def _run(self) -> None:
        looked_at = 0
        while not self._stopping.wait(LOOK_EVERY):
            if self._now() - looked_at >= DAY:
                looked_at = self._now()
                self.look_at_age()
            if self._request.exists():
                asked = self._request.read_text("utf-8", "replace").strip()
                with contextlib.suppress(OSError):
                    self._request.unlink(missing_ok=True)
                self.answer(asked)

    def answer(self, asked: str) -> None:
        """Do what the request asks for and say what came of it."""
        try:
            text, claimed = renew(self._folder, self._settings, self._secrets, self._venue)
            self._claims.append(claimed)
            log.warning("the API key was changed: %s", text)
            told = {"asked": asked, "ok": True, "text": text}
        except RunnerError as error:
            log.warning("the API key was not changed: %s", error)
            told = {"asked": asked, "ok": False, "text": str(error)}
        except Exception:
            log.exception("the API key could not be changed")
            told = {"asked": asked, "ok": False, "text": "it failed: the runner's log says why"}
        with contextlib.suppress(ConfigurationError):
            write(self._answer, json.dumps(told))

    def look_at_age(self) -> None:
        """Warn of a key that grows old."""
        account = self._settings.account()
        with contextlib.suppress(Exception):  # an age that cannot be asked is asked tomorrow
            days = age(self._folder, self._settings, account, self._venue, self._now())
            said = warning(days) if days is not None else ""
            if said:
                log.warning(
                    "the API key of %s is %d days old, %s: runner secrets rotate",
                    account.name,
                    days,
                    said,
                )


def age_words(folder: Path, settings: Settings, venue: Venue, now: int) -> str:
    """How old the account's key is, and what to do if that is old; empty where nobody knows."""
    with contextlib.suppress(Exception):  # an age that cannot be asked is asked another day
        days = age(folder, settings, settings.account(), cast("Adapter", venue), now)
        if days is not None:
            said = warning(days)
            return f"API key: {days} days old{f', {said}' if said else ''}"
    return ""


def age(
    folder: Path, settings: Settings, account: Account, venue: Adapter | None, now: int
) -> int | None:
    """How old an account's key is in days: as the exchange tells, or since its file was written."""
    source = settings.secrets.get(account.api_key)
    created = key_created(venue) if venue is not None else None
    if created is None:
        kept = source.file if source is not None else None
        created = written_at(folder / (kept or f"secrets/{account.api_key}"))
    return None if created is None else max(now - created, 0) // DAY


def files(folder: Path, apart: str = "") -> tuple[Path, Path]:
    """Request and answer; `apart` names the account where it is not the default one."""
    if not apart:
        return folder / REQUEST, folder / ANSWER
    return folder / f"rotate-{apart}.request", folder / f"rotate-{apart}.answer"


def ask(folder: Path, patience: float, apart: str = "") -> dict[str, Any]:
    """Have the runner of this folder change its key; its answer.

    `apart` names the account where it is not the default one. Raises RunnerError when none comes
    in time (seconds).
    """
    asked = str(time.time_ns())
    request, answer = files(folder, apart)
    answer.unlink(missing_ok=True)
    write(request, asked)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError):
            told: dict[str, Any] = json.loads(answer.read_text("utf-8"))
            if told.get("asked") == asked:
                return told
        time.sleep(LOOK_EVERY)
    request.unlink(missing_ok=True)
    raise RunnerError(
        f"the runner of {folder} did not answer within {patience:g} s: look at its log"
    )
