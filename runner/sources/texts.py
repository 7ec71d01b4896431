"""Alerts in plain text: NAME=VALUE pairs or bare words -> the fields that JSON would have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from runner.core.events import Value
from runner.sources.bodies import MAX_FIELDS, MAX_NAME, clean, text_of, written_twice
from runner.sources.malformed import BodyError

Form = Literal["pairs", "words"]

_BETWEEN = re.compile(r"[\n;]")


@dataclass(frozen=True, slots=True)
class TextForm:
    """How a path reads text. `names`: what each word is, in order; pairs bring their names.

    `secret_field` is what the secret is called in the fields.
    """

    form: Form
    names: tuple[str, ...]
    secret_field: str

    def fields(self, data: bytes) -> dict[str, Value]:
        """Return the fields; every value is text. Raises BodyError with the place and the cure."""
        text = clean(text_of(data), "the body")
        return self._pairs(text) if self.form == "pairs" else self._words(text)

    def _pairs(self, text: str) -> dict[str, Value]:
        """`Action=buy; Size=1`, or a pair a line: names in small letters, empty values are none."""
        fields: dict[str, Value] = {}
        for number, part in enumerate(filter(str.strip, _BETWEEN.split(text)), start=1):
            name, equals, value = part.partition("=")
            name, value = name.strip().lower(), value.strip()
            if not equals or not name:
                raise BodyError(
                    f"part {number} of the text is not NAME=VALUE", "write action=buy; price=3500"
                )
            if len(name) > MAX_NAME:
                raise BodyError(
                    f"a field's name is longer than {MAX_NAME} characters", "give it a shorter one"
                )
            if name in fields:
                raise written_twice(name)
            fields[name] = value
            if len(fields) > MAX_FIELDS:
                raise BodyError(f"the body has more than {MAX_FIELDS} fields", "send fewer")
        if self.secret_field.lower() in fields:
            fields[self.secret_field] = fields.pop(self.secret_field.lower())
        return {name: value for name, value in fields.items() if value}

    def _words(self, text: str) -> dict[str, Value]:
        """`buy 3500`, or `buy|3500` where a word has blanks; the secret may be the first word."""
        words = [each.strip() for each in text.split("|")] if "|" in text else text.split()
        names = self.names
        if len(words) == len(names) + 1:
            names = (self.secret_field, *names)
        if len(words) != len(names):
            told = " ".join(self.names)
            raise BodyError(
                f"the text has {len(words)} words, the rule takes {len(self.names)}: {told}",
                "write these and nothing else; the secret may stand before them",
            )
        return dict(zip(names, words, strict=True))


def is_text(data: bytes) -> bool:
    """Return True unless the body begins as a JSON object or list does: that is always JSON."""
    return data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] not in (b"{", b"[")
