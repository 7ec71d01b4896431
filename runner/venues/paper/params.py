"""Reading of a request's parameters, with the refusals a missing or malformed one meets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from .errors import ApiError, refuse
from .numbers import read

_DECIMAL = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?\Z")
_DECIMAL_RANGE = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
_INTEGER = re.compile(r"[0-9]{1,20}\Z")
_INTEGER_RANGE = "^[0-9]{1,20}$"
_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}\Z")
_CLIENT_ID_RANGE = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"


class Params:
    """The parameters of one request: names to text, as they came, empty ones left out."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = {name: text for name, text in values.items() if text != ""}
        self.empty = {name for name, text in values.items() if text == ""}

    def has(self, name: str) -> bool:
        """Return whether the parameter was sent and is not empty."""
        return name in self.values

    def text(self, name: str) -> str:
        """Return a mandatory parameter; raises -1102."""
        if name not in self.values:
            raise refuse(-1102, name)
        return self.values[name]

    def choice(self, name: str, allowed: Sequence[str], code: int, default: str = "") -> str:
        """Return one of `allowed`, upper-cased; raises `code` for another, -1102 for none."""
        text = self.values.get(name, default) or self.text(name)
        if text.upper() not in allowed:
            raise refuse(code)
        return text.upper()

    def decimal(self, name: str) -> Decimal | None:
        """Return the number sent, None for none; raises -1100."""
        text = self.values.get(name)
        if text is None:
            return None
        if not _DECIMAL.match(text):
            raise refuse(-1100, name, _DECIMAL_RANGE)
        return read(text)

    def integer(self, name: str, default: int | None = None) -> int | None:
        """Return the whole number sent, `default` for none; raises -1100."""
        text = self.values.get(name)
        if text is None:
            return default
        if not _INTEGER.match(text):
            raise refuse(-1100, name, _INTEGER_RANGE)
        return int(text)

    def whole(self, name: str) -> int:
        """Return a mandatory whole number; raises -1102 or -1100."""
        self.text(name)
        return self.integer(name) or 0

    def flag(self, name: str) -> bool:
        """Return a yes-or-no parameter (`true`, `True`, `TRUE`), no for none; raises -1130."""
        text = self.values.get(name, "false").lower()
        if text not in ("true", "false"):
            raise refuse(-1130, name)
        return text == "true"

    def client_id(self, name: str) -> str:
        """Return an order id chosen by the client, empty for none; raises -1105, -4015, -1100."""
        if name in self.empty:
            raise refuse(-1105, name)
        text = self.values.get(name, "")
        if len(text) > 36:
            raise refuse(-4015)
        if text and not _CLIENT_ID.match(text):
            raise refuse(-1100, name, _CLIENT_ID_RANGE)
        return text

    def forbid(self, *names: str) -> None:
        """Raise -1106 for the first of `names` that was sent."""
        for name in names:
            if name in self.values:
                # The exchange spells this one without its capital.
                raise refuse(-1106, "reduceonly" if name == "reduceOnly" else name)

    def one_of(self, first: str, second: str) -> None:
        """Raise -1102 unless one of two parameters was sent."""
        if not (self.has(first) or self.has(second)):
            text = f"Param '{first}' or '{second}' must be sent, but both were empty/null!"
            raise ApiError(400, -1102, text)
