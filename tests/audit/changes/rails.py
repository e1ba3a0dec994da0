"""Budgets of AI tasks, and rates of tenants."""

from typing import Any

from aiassistant.models import Budget
from tests.audit.changes.world import Change, World, row

BUDGET = {"name": "New budget", "enabled": "on", "currency": "EUR", "soft": "80", "hard": "100.5"}


def budget(world: World, **changes: Any) -> Budget:
    """A budget of acme that the platform has set."""
    return Budget.objects.create(name="Acme", tenant=world.acme, hard=10**6, **changes)


@row("rails:budget_add")
def _(world: World) -> Change:
    return Change(world.root, BUDGET, {**BUDGET, "hard": "-1"})


@row("rails:budget")
def _(world: World) -> Change:
    return Change(world.root, {**BUDGET, "version": 1}, {**BUDGET, "version": 7}, (budget(world).pk,))


@row("rails:budget_delete")
def _(world: World) -> Change:
    return Change(world.root, args=(budget(world).pk,))


@row("rails:budgets_bulk")
def _(world: World) -> Change:
    good = {"action": "disable", "selection": [budget(world).pk]}
    return Change(world.root, good, {**good, "action": "nonsense"})


@row("rails:rate")
def _(world: World) -> Change:
    return Change(world.root, {"per_minute": "60", "version": "0"}, {"per_minute": "0"}, (world.acme.pk,))
