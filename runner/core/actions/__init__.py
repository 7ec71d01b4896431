"""The action kinds: one file a kind, and this literal registry."""

from __future__ import annotations

from runner.core.actions.arm import ARM, DISARM
from runner.core.actions.bracket import BRACKET
from runner.core.actions.cancel import CANCEL
from runner.core.actions.close import CLOSE
from runner.core.actions.ladder import LADDER
from runner.core.actions.modify import MODIFY
from runner.core.actions.notify import NOTIFY
from runner.core.actions.place import PLACE
from runner.core.actions.setting import SET
from runner.core.actions.switch import DISABLE, ENABLE
from runner.core.actions.target import TARGET
from runner.core.actions.trail import TRAIL
from runner.core.rules import ActionKind

ACTIONS: dict[str, ActionKind] = {
    kind.kind: kind
    for kind in (
        PLACE,
        BRACKET,
        LADDER,
        TARGET,
        CLOSE,
        TRAIL,
        CANCEL,
        MODIFY,
        SET,
        ARM,
        DISARM,
        ENABLE,
        DISABLE,
        NOTIFY,
    )
}
