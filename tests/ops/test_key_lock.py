"""One runner a key: the second one is refused, and the claim ends with its process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from runner.errors import ConfigurationError
from runner.ops.key_lock import claim, fingerprint

HERE = f"http://127.0.0.1/{os.getpid()}"
KEY = "the-key-itself"


def test_a_second_claim_is_refused_and_names_the_process() -> None:
    """By fingerprint, never by the key; let go, it can be claimed again."""
    first = claim(HERE, KEY, "main")
    with pytest.raises(ConfigurationError) as caught:
        claim(HERE, KEY, "main")
    text = str(caught.value)
    assert f"(process {os.getpid()})" in text
    assert fingerprint(KEY) in text
    assert KEY not in text
    first.close()
    claim(HERE, KEY, "main").close()


def test_other_keys_and_other_exchanges_are_apart() -> None:
    """The same key on the demo exchange and on another is two keys."""
    held = [claim(HERE, KEY, "a"), claim(HERE, "other", "a"), claim(f"{HERE}/demo", KEY, "a")]
    for each in held:
        each.close()


def test_the_claim_of_a_killed_process_is_gone() -> None:
    """Nothing is left behind that somebody would have to clean up."""
    code = (
        "import os, signal; from runner.ops.key_lock import claim; "
        f"kept = claim({HERE!r}, 'k', 'main'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False, timeout=90)
    assert ended.returncode == -9
    claim(HERE, "k", "main").close()


def test_a_fingerprint_tells_keys_apart_and_nothing_else() -> None:
    """Eight digits of a hash."""
    assert len(fingerprint(KEY)) == 8
    assert fingerprint(KEY) != fingerprint("other")
