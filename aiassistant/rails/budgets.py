"""Changing budgets and rates. Every change is guarded by the version that was seen, and has its audit row."""

import re
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.permissions import Permission
from aiassistant.rails.models import MAX_RATE, Budget, TenantRate
from aiassistant.rails.selectors import budgets_for
from aiassistant.rails.watching import paces
from audit.services import append, changes
from core.errors import Conflict, InvalidInput
from core.money import money_text
from core.moves import move, switch
from tenants.models import Tenant
from tenants.selectors import visible_tenants

FIELDS = ("name", "enabled", "tenant", "task", "engine", "currency", "soft", "hard")
MOST = 10**15
CURRENCY = re.compile(r"[A-Z]{3}\Z")


def by_platform(user: User) -> bool:
    """Whether ``user`` acts for the platform: its budgets are not a tenant's to change."""
    return user.tenant.is_system and user.viewing is None


def changeable(user: User) -> QuerySet[Budget]:
    """The budgets that ``user`` may change: visible ones; tenants their own alone; those of all tenants the platform."""
    rows = budgets_for(user)
    if not user.has(Permission.AI_BUDGETS_EDIT):
        return rows.none()
    return rows if by_platform(user) else rows.filter(by_platform=False)


@transaction.atomic
def save_budget(*, budget: Budget | None, values: dict[str, Any], version: int, editor: User) -> Budget:
    """Create a budget, or change the version of one that was seen; ``soft`` and ``hard`` in tokens or micro-units.

    Raises InvalidInput naming the field (a name that is taken, no amount, one below what is spent this month, a warning
    above the stop, a task or engine that is not the tenant's, a currency that is none), PermissionDenied beyond the
    editor's reach, Conflict when somebody saved it in the meantime.
    """
    _demand_reach(budget, values["tenant"], editor)
    wanted = Budget(**{name: values[name] for name in FIELDS})
    _check(wanted, budget)
    _check_spent(wanted)
    old: dict[str, Any] = {}
    if budget is None:
        wanted.by_platform = by_platform(editor)
        wanted.save()
        saved = wanted
    else:
        old = _settings_of(Budget.objects.select_related("tenant", "task", "engine").get(pk=budget.pk))
        seen = Budget.objects.filter(pk=budget.pk, version=version)
        text = _("Somebody else saved this budget in the meantime. Reload and try again.")
        move(seen, conflict=text, **{name: values[name] for name in FIELDS}, version=version + 1)
        saved = Budget.objects.select_related("tenant", "task", "engine").get(pk=budget.pk)
    before, after = ({}, {}) if budget is None else changes(old, _settings_of(saved))
    action = "ai_budget.created" if budget is None else "ai_budget.changed"
    _append(saved, editor, action, before=before, after=after, details=_amounts(saved))
    return saved


@transaction.atomic
def delete_budgets(*, budgets: Iterable[Budget], editor: User) -> int:
    """Delete budgets that the editor may change; return how many. What they stopped is not made up for."""
    found = _locked(budgets, editor)
    for budget in found:
        _append(budget, editor, "ai_budget.deleted", details=_amounts(budget))
    Budget.objects.filter(pk__in=[budget.pk for budget in found]).delete()
    return len(found)


@transaction.atomic
def set_enabled(*, budgets: Iterable[Budget], enabled: bool, editor: User) -> int:
    """Enable or disable budgets that the editor may change; return how many were not so before."""
    found = switch(_locked(budgets, editor), "enabled", enabled)
    for budget in found:
        _append(budget, editor, "ai_budget.enabled" if enabled else "ai_budget.disabled")
    return len(found)


@transaction.atomic
def save_rate(*, tenant: Tenant, per_minute: int | None, version: int, editor: User) -> None:
    """Let so many executions of the tenant begin within a minute; None: as many as there are.

    Raises InvalidInput beyond 1–100,000 and Conflict when somebody saved it in the meantime.
    """
    if per_minute is not None and not 1 <= per_minute <= MAX_RATE:
        raise InvalidInput("per_minute", _("From 1 to %(most)s executions a minute.") % {"most": f"{MAX_RATE:,}"})
    # Two editors of a tenant that has no rate yet would both make one.
    Tenant.objects.select_for_update(of=("self",)).get(pk=tenant.pk)
    old = TenantRate.objects.select_for_update().filter(tenant=tenant).first()
    if (old.version if old else 0) != version:
        raise Conflict(_("Somebody else saved this rate in the meantime. Reload and try again."))
    if old is None and per_minute is not None:
        TenantRate.objects.create(tenant=tenant, per_minute=per_minute)
    elif old is not None and per_minute is None:
        old.delete()
    elif old is not None and per_minute is not None:
        TenantRate.objects.filter(pk=old.pk).update(per_minute=per_minute, version=version + 1)
    append(
        tenant_id=tenant.pk,
        actor=editor.actor,
        action="ai_rate.changed",
        target_type="tenant",
        target_id=str(tenant.pk),
        before={"per_minute": old.per_minute if old else None},
        after={"per_minute": per_minute},
    )


def _demand_reach(budget: Budget | None, tenant: Tenant | None, editor: User) -> None:
    """Somebody of a tenant sets budgets of that tenant; staff for some tenants those of these; the rest for all."""
    if budget is not None and not changeable(editor).filter(pk=budget.pk).exists():
        raise PermissionDenied(_("This budget was set by the platform."))
    if tenant is None and not (by_platform(editor) and editor.everywhere):
        raise InvalidInput("tenant", _("Choose a tenant: budgets over all tenants need the access scope “System”."))
    if tenant is not None and not visible_tenants(editor).filter(pk=tenant.pk).exists():
        raise InvalidInput("tenant", _("There is no such tenant."))


def _check(wanted: Budget, stored: Budget | None) -> None:
    """The rules of the fields; each named."""
    same = Budget.objects.filter(name__iexact=wanted.name)
    if stored is not None:
        same = same.exclude(pk=stored.pk)
    if same.exists():
        raise InvalidInput("name", _("There is a budget with this name."))
    if wanted.currency and not CURRENCY.match(wanted.currency):
        raise InvalidInput("currency", _("Three capital letters, such as EUR; empty counts tokens."))
    for name in ("soft", "hard"):
        amount = getattr(wanted, name)
        if amount is not None and not 0 < amount <= MOST:
            raise InvalidInput(name, _("More than nothing, and at most a thousand million million units."))
    if wanted.soft is None and wanted.hard is None:
        raise InvalidInput("hard", _("Say when to warn, when to stop, or both."))
    if wanted.soft is not None and wanted.hard is not None and wanted.soft > wanted.hard:
        raise InvalidInput("soft", _("The warning must come before the stop."))
    task = wanted.task
    if task is not None and task.tenant_id is not None and task.tenant_id != wanted.tenant_id:
        raise InvalidInput("task", _("This task is another tenant's."))


def _check_spent(wanted: Budget) -> None:
    """A budget below what is spent would warn or stop at once, which nobody means who sets one."""
    used = paces([wanted])[0].used
    for name in ("soft", "hard"):
        amount = getattr(wanted, name)
        if wanted.enabled and amount is not None and amount < used:
            text = _("%(used)s are spent this month already: a budget below that is refused.")
            raise InvalidInput(name, text % {"used": amount_text(wanted, used)})


def amount_text(budget: Budget, amount: int | None) -> str:
    """An amount of the budget with its unit."""
    if amount is None:
        return "–"
    return _("%(n)s tokens") % {"n": f"{amount:,}"} if budget.in_tokens else money_text(amount, budget.currency)


def _locked(budgets: Iterable[Budget], editor: User) -> list[Budget]:
    ids = list(changeable(editor).filter(pk__in=[budget.pk for budget in budgets]).values_list("pk", flat=True))
    return list(Budget.objects.select_for_update(of=("self",)).filter(Q(pk__in=ids)).order_by("pk"))


def _settings_of(budget: Budget) -> dict[str, Any]:
    return {
        name: str(getattr(budget, name)) if name in {"tenant", "task", "engine"} else getattr(budget, name)
        for name in FIELDS
    }


def _amounts(budget: Budget) -> dict[str, Any]:
    return {"currency": budget.currency or "tokens", "soft": budget.soft, "hard": budget.hard}


def _append(budget: Budget, editor: User, action: str, **more: Any) -> None:
    """In the trail of the tenant that it is about, or of the editor's own."""
    append(
        tenant_id=budget.tenant_id or editor.tenant_id,
        actor=editor.actor,
        action=action,
        target_type="ai_budget",
        target_id=str(budget.pk),
        **{**more, "details": {"name": budget.name, **more.get("details", {})}},
    )
