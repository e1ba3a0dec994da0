"""Changing rules. Every change is guarded by the version that was seen, and has its audit row in its transaction."""

import math
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from alerts.measuring import SCOPES
from alerts.models import AlertRule, Measure
from audit.services import append, changes
from core.errors import Conflict, InvalidInput
from core.moves import move, switch

MAX_MINUTES = 24 * 60
MAX_HOURS = 30 * 24
RECIPIENTS = 20
PERCENT = {Measure.FAILURES, Measure.LIMIT, Measure.AI_REPEATS}
FIELDS = ("name", "measure", "enabled", "threshold", "minutes", "tenant", "job", "engine", "recipients")


@transaction.atomic
def save_rule(*, rule: AlertRule | None, values: dict[str, Any], version: int, editor: User) -> AlertRule:
    """Create a rule, or change the version of one that was seen.

    Raises InvalidInput naming the field (a threshold that is no share, a scope that the measure does not know, too many
    recipients), and Conflict when somebody saved the rule in the meantime.
    """
    _check(values)
    old: dict[str, Any] = {}
    if rule is None:
        saved = AlertRule.objects.create(**values)
    else:
        old = _settings_of(AlertRule.objects.get(pk=rule.pk))
        seen = AlertRule.objects.filter(pk=rule.pk, version=version)
        text = _("Somebody else saved this rule in the meantime. Reload and try again.")
        move(seen, conflict=text, **values, version=version + 1)
        saved = AlertRule.objects.get(pk=rule.pk)
    before, after = ({}, {}) if rule is None else changes(old, _settings_of(saved))
    action = "alert_rule.created" if rule is None else "alert_rule.changed"
    _append(saved, editor, action, before=before, after=after, details={"measure": saved.measure})
    return saved


@transaction.atomic
def delete_rules(*, rules: Iterable[AlertRule], editor: User) -> int:
    """Delete rules with their history; return how many."""
    found = _locked(rules)
    for rule in found:
        _append(rule, editor, "alert_rule.deleted")
    AlertRule.objects.filter(pk__in=[rule.pk for rule in found]).delete()
    return len(found)


@transaction.atomic
def set_enabled(*, rules: Iterable[AlertRule], enabled: bool, editor: User) -> int:
    """Enable or disable rules; return how many were not so before. A disabled rule ends what it fires."""
    found = switch(_locked(rules), "enabled", enabled)
    for rule in found:
        _append(rule, editor, "alert_rule.enabled" if enabled else "alert_rule.disabled")
    return len(found)


@transaction.atomic
def snooze(*, rule: AlertRule, hours: int, editor: User) -> None:
    """Tell nobody for so many hours; 0 ends that at once. Raises InvalidInput beyond 30 days."""
    if not 0 <= hours <= MAX_HOURS:
        raise InvalidInput("hours", _("Between 0 and %(most)s hours.") % {"most": MAX_HOURS})
    until = timezone.now() + timedelta(hours=hours) if hours else None
    rows = AlertRule.objects.filter(pk=rule.pk)
    move(rows, snoozed_until=until, snoozed_by=editor.actor if hours else "")
    rule.firings.filter(state="firing").update(snoozed_by=editor.actor if hours else "")
    _append(rule, editor, "alert_rule.snoozed", details={"hours": hours})


@transaction.atomic
def ask_test(*, rule: AlertRule, editor: User) -> None:
    """Have a test e-mail sent to the recipients. Raises Conflict without any, and while one is on its way."""
    if not rule.recipients:
        raise Conflict(_("The rule has no recipients."))
    free = AlertRule.objects.filter(pk=rule.pk, test_asked_at=None)
    move(free, conflict=_("A test is on its way already."), test_asked_at=timezone.now(), test_result="")
    _append(rule, editor, "alert_rule.tested", details={"recipients": len(rule.recipients)})


def _check(values: dict[str, Any]) -> None:
    kind, threshold = Measure(values["measure"]), values["threshold"]
    if not math.isfinite(threshold) or not 0 <= threshold <= 1e9:
        raise InvalidInput("threshold", _("A number from 0 to 1,000,000,000."))
    if kind in PERCENT and threshold > 100:
        raise InvalidInput("threshold", _("A percentage, at most 100."))
    if not 0 <= values["minutes"] <= MAX_MINUTES:
        raise InvalidInput("minutes", _("From 0 to %(most)s minutes.") % {"most": MAX_MINUTES})
    for name in ("tenant", "job", "engine"):
        if values[name] is not None and name not in SCOPES[kind]:
            raise InvalidInput(name, _("“%(kind)s” cannot be limited to this.") % {"kind": kind.label})
    if len(values["recipients"]) > RECIPIENTS:
        raise InvalidInput("recipients", _("At most %(n)s addresses.") % {"n": RECIPIENTS})


def _locked(rules: Iterable[AlertRule]) -> list[AlertRule]:
    ids = [rule.pk for rule in rules]
    return list(AlertRule.objects.select_for_update().filter(pk__in=ids).order_by("pk"))


def _settings_of(rule: AlertRule) -> dict[str, Any]:
    return {
        name: str(getattr(rule, name)) if name in {"tenant", "job", "engine"} else getattr(rule, name)
        for name in FIELDS
    }


def _append(rule: AlertRule, editor: User, action: str, **more: Any) -> None:
    append(
        tenant_id=editor.tenant_id,
        actor=editor.actor,
        action=action,
        target_type="alert_rule",
        target_id=str(rule.pk),
        **{**more, "details": {"name": rule.name, **more.get("details", {})}},
    )
