"""Rules of alerts."""

from typing import Any

from alerts.models import AlertRule
from tests.audit.changes.world import Change, World, row


def alert_rule(**changes: Any) -> AlertRule:
    """A rule that nobody has touched."""
    return AlertRule.objects.create(name="Watch", measure="lag", threshold=60, **changes)


RULE = {"name": "New rule", "measure": "lag", "threshold": "60", "minutes": "5", "enabled": "on"}


@row("alerts:add")
def _(world: World) -> Change:
    return Change(world.root, RULE, {**RULE, "threshold": "-1"})


@row("alerts:edit")
def _(world: World) -> Change:
    return Change(world.root, {**RULE, "version": 1}, {**RULE, "version": 7}, (alert_rule().pk,))


@row("alerts:delete")
def _(world: World) -> Change:
    return Change(world.root, args=(alert_rule().pk,))


@row("alerts:bulk")
def _(world: World) -> Change:
    good = {"action": "disable", "selection": [alert_rule().pk]}
    return Change(world.root, good, {**good, "action": "nonsense"})


@row("alerts:snooze")
def _(world: World) -> Change:
    return Change(world.root, {"hours": "8"}, {"hours": "100000"}, (alert_rule().pk,))


@row("alerts:test")
def _(world: World) -> Change:
    return Change(world.root, args=(alert_rule(recipients=["ops@parlance.example"]).pk,))
