"""Frozen, slotted dataclasses that are made as quickly as mutable ones: an alert makes hundreds.

Import `dataclass` and `replace` from here as from the standard library, which both are for a type
checker. There a frozen instance is filled field by field through `object.__setattr__`, four times
as slow as an assignment, and `replace` looks every field up by its name. Here the instance is of a
mutable twin with the same slots while it is filled, and of its own class from then on. All else,
such as the refusal of every later assignment, is the standard library's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass", "replace"]

if TYPE_CHECKING:
    from dataclasses import dataclass, replace
else:

    def dataclass(cls: type | None = None, /, **options: bool) -> Any:
        """As dataclasses.dataclass; a frozen class with slots is made quickly."""
        made = dataclasses.dataclass(**options)

        def decorate(plain: type) -> type:
            return _quick(plain, options) if _fit(plain, options) else made(plain)

        return decorate if cls is None else decorate(cls)

    def replace(instance: Any, /, **changes: Any) -> Any:
        """As dataclasses.replace; raises AttributeError for what is no field."""
        with_changes = getattr(instance, "_with_changes", None)
        if with_changes is None:
            return dataclasses.replace(instance, **changes)
        return with_changes(changes)


def _fit(cls: type, options: dict[str, bool]) -> bool:
    """Only a class without parents whose fields are all given to it, and nothing happens after."""
    plain = cls.__bases__ == (object,) and not hasattr(cls, "__post_init__")
    fields = [each for each in vars(cls).values() if isinstance(each, dataclasses.Field)]
    given = all(each.init and each.kw_only in (False, dataclasses.MISSING) for each in fields)
    usual = not {"init", "repr", "kw_only"} & options.keys()
    return bool(options.get("frozen") and options.get("slots") and plain and given and usual)


def _quick(plain: type, options: dict[str, bool]) -> type:
    # a start makes hundreds of classes: the library need not write what is replaced here
    cls: type = dataclasses.dataclass(**options, init=False, repr=False)(plain)
    fields = dataclasses.fields(cls)
    names = tuple(each.name for each in fields)
    twin = type(f"_{cls.__name__}InTheMaking", (), {"__slots__": names})
    known: dict[str, Any] = {
        "_put": object.__setattr__,
        "_new": object.__new__,
        "_twin": twin,
        "_own": cls,
        "_absent": object(),
    }
    parameters = ", ".join(_parameter(each, known) for each in fields)
    filled = "".join(f"    self.{each.name} = {_value(each)}\n" for each in fields)
    copied = "".join(f"    made.{name} = self.{name}\n" for name in names)
    text = _METHODS.format(parameters=parameters, filled=filled, copied=copied)
    _define(cls, text, known)
    if "__repr__" not in vars(cls):
        cls.__repr__ = _shown  # type: ignore[assignment]
    return cls


@recursive_repr()
def _shown(self: Any) -> str:
    """As the standard library shows it."""
    fields = (each for each in dataclasses.fields(self) if each.repr)
    told = ", ".join(f"{each.name}={getattr(self, each.name)!r}" for each in fields)
    return f"{type(self).__qualname__}({told})"


_METHODS = """\
def __init__(self, {parameters}):
    _put(self, "__class__", _twin)
{filled}    self.__class__ = _own

def _with_changes(self, changes):
    made = _new(_twin)
{copied}    for name, value in changes.items():
        setattr(made, name, value)
    made.__class__ = _own
    return made
"""


def _parameter(field: dataclasses.Field[Any], known: dict[str, Any]) -> str:
    """How `__init__` takes this field; what it needs for that becomes known."""
    if field.default is not dataclasses.MISSING:
        known[f"_default_{field.name}"] = field.default
        return f"{field.name}=_default_{field.name}"
    if field.default_factory is not dataclasses.MISSING:
        known[f"_make_{field.name}"] = field.default_factory
        return f"{field.name}=_absent"
    return field.name


def _value(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is dataclasses.MISSING:
        return field.name
    return f"_make_{field.name}() if {field.name} is _absent else {field.name}"


def _define(cls: type, text: str, known: dict[str, Any]) -> None:
    """The standard library writes and runs such text, too: there is no other way as fast."""
    exec(text, known)  # noqa: S102  # of names in our own classes
    for name in ("__init__", "_with_changes"):
        function: Callable[..., Any] = known[name]
        function.__qualname__ = f"{cls.__qualname__}.{name}"
        function.__module__ = cls.__module__
        setattr(cls, name, function)
