"""How home shows the pipeline: the strip, what needs somebody, and the last 24 hours; each part leads to where to act."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from aiassistant.family import AI
from alerts.selectors import firing_now
from core.counting import count_text
from core.outcomes import Reason
from core.tables import badge, show_time
from engines.selectors import circuit_key
from engines.tables import clock
from jobs.circuits.models import Circuit
from jobs.figures.histogram import Lag
from jobs.figures.models import What
from jobs.figures.reading import FAILED_BY_ENGINE, Sums
from jobs.kinds import kinds
from jobs.models import JobDefinition
from jobs.wording import clock as span
from licensing.amounts import minutes_text
from usage.indicators import (
    FAILED_SHARE,
    FEW,
    LAG_TARGET_S,
    LATE_AFTER,
    LONG_TRANSACTION_S,
    TOP,
    Indicators,
    unread,
)

Item = dict[str, Any]


def lag_text(lag: Lag) -> str:
    """Half and nearly all of the last hour's records, or that there was none."""
    if lag.p50 is None or lag.p95 is None:
        return _("no figures of the last hour")
    return _("half within %(p50)s, 95 %% within %(p95)s") % {"p50": span(round(lag.p50)), "p95": span(round(lag.p95))}


def share_text(share: float | None) -> str:
    """In percent, with one decimal."""
    return "–" if share is None else f"{100 * share:.1f} %"


def records_url(day: Sums, status: str = "failed") -> str:
    """Records of the job with most of those that failed; the list of jobs when none did."""
    worst = day.by("job_id", status).most_common(1)
    return reverse("jobs:records", args=[worst[0][0]]) + f"?status={status}" if worst else reverse("jobs:jobs")


def strip_tiles(found: Indicators, failed_url: str) -> list[Item]:
    """Ingest → queue → work → result, with how much and how late each is."""
    waits = _("oldest: %(age)s") % {"age": timesince(found.oldest)} if found.oldest else _("nothing waits")
    day, queues, jobs = found.day, reverse("queues:queues"), reverse("jobs:jobs")
    ended, missing = day.ended, share_text(day.share_missing)
    rate = _("%(n)s a minute come in") % {"n": f"{found.came:,.1f}"}
    without = _("%(share)s of %(n)s outcomes of 24 hours are without a result; a retry counts anew")
    figures = [
        (_("Pending in queues"), pending_text(found), "stack-2", "muted", f"{waits}; {rate}", queues),
        (_("Wait until taken up"), late(found.lag["wait"]), "clock", "muted", lag_text(found.lag["wait"]), queues),
        (_("In progress"), count_text(found.in_progress), "loader-2", "info", lag_text(found.lag["work"]), jobs),
        (
            _("Completed in 24 hours"),
            f"{day.number(What.COMPLETED):,}",
            "circle-check",
            "success",
            _("from publication: %(lag)s") % {"lag": lag_text(found.lag["total"])},
            records_url(day, "completed"),
        ),
        (
            _("Failed in 24 hours"),
            f"{day.number(What.FAILED):,}",
            "alert-circle",
            "danger",
            _("%(share)s of what ended") % {"share": share_text(day.share_failed)} if ended else "",
            failed_url,
        ),
        (
            _("Skipped in 24 hours"),
            f"{day.number(What.SKIPPED):,}",
            "player-skip-forward",
            "muted",
            without % {"share": missing, "n": f"{ended:,}"} if ended else "",
            records_url(day, "skipped"),
        ),
        (
            _("Minutes today"),
            minutes_text(found.seconds_today),
            "gauge",
            "muted",
            _("charged so far"),
            reverse("usage:transcription"),
        ),
    ]
    names = ("label", "value", "icon", "tone", "note", "url")
    return [dict(zip(names, figure, strict=True)) for figure in figures]


def pending_text(found: Indicators) -> str:
    """Of all tenants the sum is exact; of some, rows were counted."""
    exact = found.pending == sum(queue.pending for queue in found.queues)  # type: ignore[attr-defined]
    return f"{found.pending:,}" if exact else count_text(found.pending)


def late(lag: Lag) -> str:
    """The 95th percentile, the figure of a tile."""
    return span(round(lag.p95)) if lag.p95 is not None else "–"


def attention(found: Indicators, jobs: list[JobDefinition], engines: list[Any], failed_url: str) -> list[Item]:
    """What somebody should look at; limits and the ledger come from elsewhere."""
    return [*_paused(engines), *_failures(found, failed_url), *_room(found), *_waiting(found, jobs)]


def _paused(engines: list[Any]) -> list[Item]:
    shown = _("The engine “%(name)s” is paused: %(why)s")
    return [
        _item("danger", shown % {"name": e.name, "why": e.pause_reason}, engine_url(e))
        for e in engines
        if e.paused_at is not None
    ]


def _failures(found: Indicators, url: str) -> list[Item]:
    items, failed, recent = [], found.day.number(What.FAILED), found.recent
    if recent.ended >= FEW and (recent.share_failed or 0) > FAILED_SHARE:
        text = _("%(share)s of what ended in the last hour failed.") % {"share": share_text(recent.share_failed)}
        items.append(_item("danger", text, records_url(recent)))
    if failed:
        text = ngettext("%(n)s record failed within a day", "%(n)s records failed within a day", failed)
        items.append(_item("danger", text % {"n": f"{failed:,}"}, url))
    return items


def _room(found: Indicators) -> list[Item]:
    items, room = [], found.room
    if room.known and not room.workers:
        items.append(_item("danger", _("No worker is alive: nothing is processed."), reverse("workers:list")))
    if room.transaction_s > LONG_TRANSACTION_S:
        age = span(round(room.transaction_s))
        text = _("A transaction of the database is open for %(age)s; it slows every queue down.") % {"age": age}
        items.append(_item("warning", text, ""))
    return items


def _waiting(found: Indicators, jobs: list[JobDefinition]) -> list[Item]:
    items = []
    for queue in unread(found.queues, jobs):
        text = _("No enabled job reads the queue “%(name)s”.") % {"name": queue.name}
        items.append(_item("warning", text, reverse("queues:queue", args=[queue.pk])))
    pending = {queue.pk for queue in found.queues if queue.pending}  # type: ignore[attr-defined]
    for job in jobs:
        if job.status != "enabled" and (job.source_queue_id in pending or job.busy):  # type: ignore[attr-defined]
            paused = _("The job “%(name)s” is paused while records wait for it.")
            stopped = _("The job “%(name)s” is stopped while records wait for it.")
            text = (paused if job.status == "paused" else stopped) % {"name": job.name}
            items.append(_item("warning", text, reverse("jobs:job", args=[job.pk])))
    total = found.lag["total"].p95
    if total is not None and total > LAG_TARGET_S:
        text = _("Live work is late: 95 %% of the last hour's results came within %(lag)s.") % {
            "lag": span(round(total))
        }
        items.append(_item("warning", text, reverse("jobs:jobs")))
    if found.oldest is not None and timezone.now() - found.oldest > LATE_AFTER:
        text = _("The oldest pending record waits since %(age)s.") % {"age": timesince(found.oldest)}
        items.append(_item("warning", text, reverse("queues:queues")))
    return items


def _item(tone: str, text: str, url: str) -> Item:
    return {"tone": tone, "text": text, "url": url}


def engine_url(engine: Any) -> str:
    """Where a speech engine is set, or how an AI engine fares."""
    namespace = engine.family.namespace
    return reverse(f"{namespace}:{'overview' if namespace == AI.namespace else 'engine'}", args=[engine.pk])


def failing(engines: list[Any], circuits: Mapping[str, Circuit]) -> list[Item]:
    """Engines that nothing is sent to because they fail; once each, for as long as it lasts."""
    shown = _("The engine “%(name)s” fails since %(since)s: %(why)s")
    return [
        _item(
            "danger",
            shown % {"name": engine.name, "since": clock(circuit.opened_at), "why": circuit.reason},
            engine_url(engine),
        )
        for engine in engines
        if (circuit := circuits.get(circuit_key(engine))) is not None and engine.paused_at is None
    ]


def fired(user: User) -> list[Item]:
    """Alert rules that fire and say what nothing else on home says."""
    return [
        _item("danger", f"{firing.rule.name}: {firing.text}", reverse("alerts:history") + f"?rule={firing.rule_id}")
        for firing in firing_now(user, 2 * TOP)
    ]


def worst_first(items: list[Item]) -> list[Item]:
    """What is broken before what may break; otherwise in the same order."""
    return sorted(items, key=lambda item: item["tone"] != "danger")


def engine_line(engine: Any, circuit: Circuit | None) -> dict[str, str]:
    """Name and state of an engine."""
    state = "paused" if engine.paused_at is not None else ("enabled" if engine.enabled else "disabled")
    look = badge("error", _("Failing")) if circuit is not None and state == "enabled" else badge(state)
    return {"label": engine.name, "url": engine_url(engine), "badge": look}


def job_line(job: JobDefinition) -> dict[str, str]:
    """Name, state and last activity of a job."""
    state = "running" if job.status == "enabled" and job.running else job.status  # type: ignore[attr-defined]
    return {
        "label": job.name,
        "url": reverse("jobs:job", args=[job.pk]),
        "badge": badge(state),
        "check_url": reverse("usage:troubleshooting", args=[job.pk]),
        "time": show_time(job.last_activity, seconds=True),  # type: ignore[attr-defined]
    }


def day_card(found: Indicators, jobs: list[JobDefinition], engines: list[Any]) -> dict[str, Any]:
    """The last 24 hours: by kind and engine, by reason, by tenant."""
    return {
        "rows": _by_engine(found.day, {job.pk: job for job in jobs}, engines),
        "reasons": _reasons(found.day),
        "tenants": [_tenant(found.day, tenant, number) for tenant, number in found.tenants],
    }


def _by_engine(day: Sums, jobs: Mapping[int, JobDefinition], known: list[Any]) -> list[Item]:
    # Figures have the number of an engine alone; of which family it is, the kind of the job says.
    engines = {(engine.family.namespace, str(engine.pk)): engine for engine in known}
    groups: dict[tuple[str, str], Sums] = {}
    for cell in day.cells:
        kind = jobs[cell.job_id].kind if cell.job_id in jobs else ""
        # Who took a record in does not know its engine yet.
        if cell.what != What.TAKEN:
            groups.setdefault((kind, cell.engine), Sums()).cells.append(cell)
    return [
        {
            "kind": str(kinds()[kind].label) if kind in kinds() else kind or "–",
            "engine": engines[kind, key].name if (kind, key) in engines else key or "–",
            "url": engine_url(engines[kind, key]) if (kind, key) in engines else "",
            "completed": f"{sums.number(What.COMPLETED):,}",
            "failed": f"{sums.number(*FAILED_BY_ENGINE):,}",
            "skipped": f"{sums.number(What.SKIPPED):,}",
            "errors": f"{sums.number(What.ERROR):,}",
            "share": share_text(sums.share_failed_by_engine),
        }
        for (kind, key), sums in sorted(groups.items())
    ]


def _reasons(day: Sums) -> list[Item]:
    """Why records failed or were skipped, the most frequent first, with the records of the job that has most."""
    counted = [
        (number, what, reason)
        for what in (What.FAILED, What.SKIPPED)
        for reason, number in day.by("reason", what).items()
    ]
    items = []
    for number, what, reason in sorted(counted, key=lambda row: (-row[0], row[1], row[2]))[: 2 * TOP]:
        [(job_id, _most)] = day.within(reason=reason, what=what).by("job_id", what).most_common(1)
        query = f"?status={what}&reason={reason.partition(':')[0]}" if reason else f"?status={what}"
        items.append(
            {
                "label": Reason.label_of(reason) if reason else _("No reason was stored"),
                "state": badge(str(what)),
                "number": f"{number:,}",
                "url": reverse("jobs:records", args=[job_id]) + query,
            }
        )
    return items


def _tenant(day: Sums, tenant: Any, number: int) -> Item:
    worst = day.by("job_id", What.FAILED).most_common(1)
    since = (timezone.now() - timedelta(days=1)).date().isoformat()
    query = f"?status=failed&tenant={tenant.pk}&date_from={since}"
    url = reverse("jobs:records", args=[worst[0][0]]) + query if worst else reverse("jobs:jobs")
    return {"label": tenant.name, "number": f"{number:,}", "url": url}
