"""How far the sweep of a job is, in figures and words, for the job's page."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from core.counting import COUNT_LIMIT
from jobs.models import FULL_MODES, SWEEPING, Continuation, DataSource, JobDefinition, Record
from jobs.scopes import scope_of
from jobs.sweeps.tokens import token_of
from jobs.wording import clock


@dataclass(frozen=True, slots=True)
class Progress:
    """What the page shows. ``done`` of ``total`` are conversations, or tenants where nobody counted before."""

    place: Continuation
    done: int
    total: int
    text: str
    eta: datetime | None
    lines: list[tuple[str, str]]
    note: str
    tone: str
    token: str


def progress_of(job: JobDefinition, in_progress: int) -> Progress | None:
    """The sweep of the job, or None when it reads a queue. ``in_progress``: records that have not ended, capped."""
    if job.data_source not in SWEEPING:
        return None
    place = Continuation.objects.get(job=job)
    state = Continuation.State(place.state)
    if place.expected is not None:
        if in_progress > COUNT_LIMIT:
            in_progress = Record.objects.filter(job=job, state=Record.State.IN_PROGRESS).count()
        done, total = max(place.seen - in_progress, 0), max(place.expected, place.seen)
        text = _("%(done)s of %(total)s conversations") % {"done": f"{done:,}", "total": f"{total:,}"}
    else:
        done, total = place.tenants, scope_of(job).tenants().count()
        text = _("%(done)s of %(total)s tenants") % {"done": f"{done:,}", "total": f"{total:,}"}
    note, tone = _note(job, place)
    return Progress(
        place=place,
        done=done,
        total=max(total, 1),
        text=text,
        eta=_eta(job, place) if state == Continuation.State.RUNNING and not note else None,
        lines=_lines(job, place),
        note=note,
        tone=tone,
        token=token_of(place) if job.data_source == DataSource.TOKEN else "",
    )


def _lines(job: JobDefinition, place: Continuation) -> list[tuple[str, str]]:
    minutes = f"{place.seconds / 60:,.1f}"
    lines = [
        (_("Conversations seen"), f"{place.seen:,}"),
        (_("Taken in"), f"{place.taken:,}"),
        (_("Processed again"), f"{place.again:,}"),
        (_("Tenants finished"), f"{place.tenants:,}"),
    ]
    if job.data_source not in FULL_MODES:
        return lines
    if job.throttle is not None:
        lines.append((_("Throttle"), _("%(n)s records a minute") % {"n": f"{job.throttle:,}"}))
    if job.budget_minutes is not None:
        values = {"used": minutes, "budget": f"{job.budget_minutes:,}"}
        lines.append((_("Budget"), _("%(used)s of %(budget)s minutes of audio") % values))
    if job.lag_target_s is not None:
        lines.append((_("Target of the live lag"), clock(job.lag_target_s)))
    return lines


def _note(job: JobDefinition, place: Continuation) -> tuple[str, str]:
    """Why nothing goes on, and how serious that is."""
    if place.state == Continuation.State.STOPPED:
        text = _(
            "Stopped: the next conversation is beyond the budget of %(budget)s minutes. Raise the budget and start the "
            "job: it goes on from its token."
        )
        return text % {"budget": f"{job.budget_minutes or 0:,}"}, "warning"
    if job.paused_at is not None:
        return _("The job is paused. Start lets the sweep go on where it is."), "warning"
    if place.held_since is not None and job.lag_target_s is not None:
        text = _("Waiting by itself: the live lag is %(lag)s, above its target of %(target)s. It goes on by itself.")
        return text % {"lag": clock(place.held_lag_s), "target": clock(job.lag_target_s)}, "warning"
    return "", ""


def _eta(job: JobDefinition, place: Continuation) -> datetime | None:
    """At the pace so far; None before the first conversation and without a count."""
    if place.expected is None or place.started_at is None or not place.seen:
        return None
    now = timezone.now()
    left, pace = max(place.expected - place.seen, 0), (now - place.started_at) / place.seen
    return now + left * pace if left * pace < timedelta(days=3650) else None
