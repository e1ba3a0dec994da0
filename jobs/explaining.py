""" "Why?": each filter and gate with the value seen, the rule, the verdict, the time, and what to do about it.

What was seen is read back from where it was stored: filters with the record's timeline, gates with the ledger. What a
pass would say now is computed by the same functions that a pass uses, and reserves nothing.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models.functions import Now
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from accounts.permissions import Permission
from core.outcomes import Reason
from jobs.kinds import Check, kind_of
from jobs.models import JobDefinition, Record, RecordEvent
from jobs.policy.rates import used_up
from jobs.scopes import scope_of
from jobs.wording import seen_and_rule
from licensing.gates import GateResult
from licensing.ledger import foretell
from licensing.models import NOBODY, Denial, Reservation
from tenants.models import Tenant

# What was asked, where the reason codes say how it ended.
LIMITS: dict[str, Any] = {
    Reason.LIMIT_USER_MONTH: gettext_lazy("Monthly limit per user"),
    Reason.LIMIT_ORG_MONTH: gettext_lazy("Monthly limit of the organisation"),
    Reason.LIMIT_USER_LIFETIME: gettext_lazy("Lifetime limit per user"),
    Reason.LIMIT_ORG_LIFETIME: gettext_lazy("Lifetime limit of the organisation"),
}


# What kinds whose records go through steps say of each, in words that were stored (domain A2).
STEPS: dict[str, Any] = {
    "step:eligibility": gettext_lazy("1. Text of the conversation"),
    "step:activation": gettext_lazy("2. Tasks of the organisation"),
    "step:filters": gettext_lazy("3. Filters of the task"),
    "step:engine": gettext_lazy("4. Engine"),
    "step:budget": gettext_lazy("4. Budgets and rates"),
    "step:execution": gettext_lazy("4. Execution"),
    "step:persistence": gettext_lazy("5. Values"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One check in words. ``action`` and ``url`` say what to do when it did not let the record pass."""

    label: str
    seen: str
    rule: str
    passed: bool
    action: str = ""
    url: str = ""


@dataclass(slots=True)
class Explanation:
    """What was decided about one generation of a record, or would be decided now."""

    title: str
    at: datetime | None
    verdict: str
    passed: bool
    lines: list[Line] = field(default_factory=list)
    record: Record | None = None


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """For whom: a viewer without the right to usage sees verdicts, not the tenant's figures."""

    user: User
    tenant: Tenant
    filters: Mapping[str, Any]
    person: str = ""


def explain_record(record: Record, user: User) -> list[Explanation]:
    """Every decision about the record, the latest generation first; from stored rows alone."""
    reserved = Reservation.objects.filter(tenant=record.tenant_id, record=record.pk)
    denied = Denial.objects.filter(tenant=record.tenant_id, record=record.pk)
    found: list[tuple[int, Explanation]] = []
    view = _viewpoint(record, user)
    for event in RecordEvent.objects.filter(record=record).exclude(trace=[]).order_by("-pk")[:20]:
        steps = any(str(line["gate"]).startswith("step:") for line in event.trace)
        title = _("Steps") if steps else _("Filters of the job")
        passed = event.step == Record.State.COMPLETED
        said = Explanation(title, event.at, event.detail, passed, _lines(event.trace, view), record)
        found.append((event.generation, said))
    for denial in denied.order_by("-pk")[:20]:
        reason = Reason.label_of(denial.reason)
        found.append((denial.generation, _stored(_("Denied"), denial, reason, False, view, record)))
    for row in reserved.order_by("-pk")[:20]:
        found.append((row.generation, _stored(_("Let pass"), row, row.get_state_display(), True, view, record)))
    found.sort(key=lambda item: (item[0], item[1].at), reverse=True)
    return [explanation for _generation, explanation in found]


def explain_now(job: JobDefinition, tenant: Tenant, record_id: uuid.UUID, user: User) -> Explanation | None:
    """What a pass of ``job`` would decide about the conversation now; inside the tenant. None when it is gone."""
    kind = kind_of(job)
    facts = kind.explain(job.settings, job.filters, tenant, record_id)
    if facts is None:
        return None
    person = User.objects.filter(pk=facts.user_id or NOBODY).first()
    view = Viewpoint(user, tenant, kind.filter_fields, person.username if person is not None else "")
    at: datetime | None = timezone.now()
    trace: list[GateResult] = []
    if facts.meter is not None:
        at, _refusal, trace = foretell(
            tenant_id=tenant.pk, meter=facts.meter, user_id=facts.user_id, amount=facts.amount
        )
    waits = _wait_checks(job, tenant, record_id)
    lines = [_check_line(check, view) for check in (*_job_checks(job, tenant), *facts.checks, *waits)]
    if facts.problem:
        label = Reason.label_of(facts.problem)
        lines.append(Line(_("Recording"), label, _("audio that can be decoded"), False, _("Take the call in again")))
    asked = _lines([result.line() for result in facts.filters], view)
    gates = _lines([result.line() for result in trace], view)
    telling = [] if facts.refused is False else asked
    failed = next((line for line in (*lines, *telling, *gates) if not line.passed), None)
    lines += [*asked, *gates]
    verdict = (
        _("It would be processed.")
        if failed is None
        else _("It would not be processed: %(gate)s.") % {"gate": failed.label}
    )
    title = _("As of now, by the job “%(name)s”") % {"name": job.name}
    return Explanation(title, at, verdict, failed is None, lines)


def _job_checks(job: JobDefinition, tenant: Tenant) -> list[Check]:
    """What a pass asks before it looks at the record."""
    where = {"route": "jobs:jobs", "right": Permission.JOBS_VIEW}
    state = {"enabled": _("enabled"), "paused": _("paused"), "disabled": _("disabled")}[job.status]
    advice = _("Start the job") if job.status == "paused" else _("Enable the job")
    inside = scope_of(job).holds(tenant)
    scope = _("includes this tenant") if inside else _("does not include this tenant")
    return [
        Check(_("Job"), state, _("enabled"), job.status == "enabled", advice, **where),
        Check(
            _("Access scope"),
            scope,
            _("includes this tenant"),
            inside,
            _("Change the access scope of the job"),
            **where,
        ),
    ]


def _wait_checks(job: JobDefinition, tenant: Tenant, record_id: uuid.UUID) -> list[Check]:
    """The rates of the job, and whether the engine itself asked to be left alone with this record for a while."""
    labels = {Record.Wait.RATE_JOB: _("Rate of the job"), Record.Wait.RATE_TENANT: _("Rate of the job for one tenant")}
    where = {"route": "jobs:jobs", "right": Permission.JOBS_VIEW}
    advice = _("Wait: it goes on within a minute or as its turn comes. Or raise the rate of the job")
    checks = [
        Check(
            labels[wait],
            _("used up for this minute") if shut else _("not used up"),
            _("at most %(n)s a minute") % {"n": f"{rate:,}"},
            not shut,
            advice,
            **where,
        )
        for wait, rate, shut in used_up(job, tenant.pk)
    ]
    asked = Record.objects.filter(
        job=job, tenant=tenant, record_id=record_id, state=Record.State.IN_PROGRESS, wait=Record.Wait.RATE
    )
    until = asked.filter(next_at__gt=Now()).values_list("next_at", flat=True).first()
    if until is not None:
        seen = _("the engine asked to wait until %(time)s") % {"time": f"{timezone.localtime(until):%Y-%m-%d %H:%M:%S}"}
        checks.append(
            Check(_("Rate limit of the engine"), seen, _("not asked to wait"), False, _("It goes on by itself"))
        )
    return checks


def _check_line(check: Check, view: Viewpoint) -> Line:
    line = Line(check.label, check.seen, check.rule, check.passed)
    if check.passed:
        return line
    url = reverse(check.route) if check.route and view.user.has(check.right) else ""
    return replace(line, action=check.advice, url=url)


def records_of(tenant: Tenant, record_id: uuid.UUID) -> list[Record]:
    """The processing records of a conversation, one a job."""
    records = Record.objects.filter(tenant=tenant, record_id=record_id).select_related("job", "tenant")
    return list(records.order_by("job__name"))


def _viewpoint(record: Record, user: User) -> Viewpoint:
    return Viewpoint(user, record.tenant, kind_of(record.job).filter_fields)


def _stored(
    title: str, row: Reservation | Denial, verdict: str, passed: bool, view: Viewpoint, record: Record
) -> Explanation:
    person = User.objects.filter(pk=row.user_id).values_list("username", flat=True).first() or ""
    mine = Viewpoint(view.user, view.tenant, view.filters, person)
    return Explanation(title, row.at, verdict, passed, _lines(row.trace, mine), record)


def _lines(trace: Iterable[Mapping[str, Any]], view: Viewpoint) -> list[Line]:
    return [_line(GateResult(**result), view) for result in trace]


def _line(result: GateResult, view: Viewpoint) -> Line:
    if result.gate.startswith("filter:"):
        return _filter_line(result, view)
    if result.gate in STEPS:
        return Line(str(STEPS[result.gate]), str(result.seen or ""), str(result.allowed or ""), result.passed)
    if result.gate == "tenant":
        state = _("active") if result.seen else _("not active")
        return _with_advice(Line(_("Tenant"), state, _("active"), result.passed), result, view)
    if result.gate == "licence":
        held = _("held by %(user)s") % {"user": view.person} if view.person else _("held")
        none = _("not held by %(user)s") % {"user": view.person} if view.person else _("the call has no known user")
        line = Line(_("User licence"), held if result.seen else none, _("Speech analytics"), result.passed)
        return _with_advice(line, result, view)
    if result.gate == "seat":
        rule = _("unlimited") if result.allowed is None else _("the first %(n)s by user name") % {"n": result.allowed}
        return _with_advice(Line(_("Seat"), _("place %(n)s") % {"n": result.seen}, rule, result.passed), result, view)
    label = str(LIMITS.get(result.gate, result.gate))
    if not view.user.has(Permission.USAGE_VIEW):
        return Line(label, _("hidden"), _("hidden"), result.passed)
    seen = _("%(taken)s + %(amount)s min") % {"taken": minutes(result.seen), "amount": minutes(result.amount)}
    rule = _("at most %(n)s min") % {"n": minutes(result.allowed)}
    return _with_advice(Line(label, seen, rule, result.passed), result, view)


def _filter_line(result: GateResult, view: Viewpoint) -> Line:
    _prefix, name, operator = result.gate.split(":", 2)
    known = view.filters.get(name)
    label = str(known.label) if known is not None else name
    seen, rule = seen_and_rule(known, operator, result.seen, result.allowed)
    return _with_advice(Line(label, seen, rule, result.passed), result, view)


def _with_advice(line: Line, result: GateResult, view: Viewpoint) -> Line:
    """Say what would let it pass, with the page where that is done, for those who may open it."""
    if result.passed:
        return line
    action, route, arguments, right = _advice(result, view)
    query = {"q": view.person} if route == "licensing:users" and view.person else None
    url = _link(route, arguments, query) if view.user.has(right) else ""
    return replace(line, action=action, url=url)


def _advice(result: GateResult, view: Viewpoint) -> tuple[str, str, list[Any], str]:
    tenant = [view.tenant.pk]
    if result.gate == "tenant":
        return _("Resume the tenant"), "tenants:tenant", tenant, Permission.TENANTS_VIEW
    if result.gate == "licence" or result.gate.startswith("filter:user.license"):
        return _("Assign the licence to the user"), "licensing:users", [], Permission.USERS_VIEW
    if result.gate == "seat":
        return (
            _("See who has a seat; raise the License Limit"),
            "licensing:seats",
            tenant,
            Permission.LICENCE_LIMITS_VIEW,
        )
    if result.gate.startswith("filter:"):
        return _("Change the filters of the job"), "jobs:jobs", [], Permission.JOBS_VIEW
    return (
        _("Raise the limit, or wait for the next month"),
        "licensing:service_limits",
        tenant,
        Permission.SERVICE_LIMITS_VIEW,
    )


def _link(route: str, arguments: Sequence[Any], query: Mapping[str, str] | None = None) -> str:
    """User names may hold any character, so the query is encoded here."""
    try:
        return reverse(route, args=arguments, query=query)
    except NoReverseMatch:
        return ""


def minutes(seconds: int) -> str:
    """Minutes with one decimal, as limits are sold in minutes."""
    return f"{seconds / 60:,.1f}"
