"""The trigger kinds: one file a kind, and this literal registry."""

from __future__ import annotations

from runner.core.rules import TriggerKind
from runner.core.triggers.dead_man import DEAD_MAN
from runner.core.triggers.funding import FUNDING
from runner.core.triggers.order import ORDER
from runner.core.triggers.position import POSITION
from runner.core.triggers.price import PRICE
from runner.core.triggers.schedule import SCHEDULE
from runner.core.triggers.system import SYSTEM
from runner.core.triggers.webhook import WEBHOOK

TRIGGERS: dict[str, TriggerKind] = {
    kind.kind: kind
    for kind in (PRICE, WEBHOOK, SCHEDULE, DEAD_MAN, ORDER, POSITION, FUNDING, SYSTEM)
}
