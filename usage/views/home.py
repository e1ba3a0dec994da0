"""The start page: the pipeline for platform administrators, the own tenant's calls for everybody else."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import User
from accounts.permissions import Permission
from accounts.policy import viewer
from aiassistant.models import AIEngine
from conversations.models import Call, TranscriptionState
from core.pages import Page, stamp_of
from engines.selectors import circuit_key
from jobs.circuits.breakers import circuits_of
from jobs.models import JobDefinition
from licensing.alerts import notices_of, pressing
from licensing.amounts import minutes_text
from licensing.figures import figures_of
from tenants.selectors import visible_tenants
from transcription.models import SpeechEngine
from usage.breakdowns import METER
from usage.dashboard.shown import last_days, widest
from usage.indicators import home_jobs, indicators
from usage.selectors import call_states, engines_by_state, ledger_differences, recent_calls, set_up
from usage.views.dashboard import chooses_tenant
from usage.views.pipeline import (
    attention,
    day_card,
    engine_line,
    failing,
    fired,
    job_line,
    records_url,
    strip_tiles,
    worst_first,
)
from usage.views.usage import gauge_of, sees_all

STATE_LOOKS = {
    TranscriptionState.COMPLETED: ("circle-check", "success"),
    TranscriptionState.IN_PROGRESS: ("loader-2", "info"),
    TranscriptionState.FAILED: ("alert-circle", "danger"),
    TranscriptionState.SKIPPED: ("player-skip-forward", "muted"),
    TranscriptionState.ABORTED: ("ban", "warning"),
    TranscriptionState.NONE: ("circle-dashed", "muted"),
}
# Warnings about limits on the start page; the usage page has all.
NOTICES = 10
# The most frequent choices (topics) on the start page; the dashboard has all.
CHOICES = 5
CALL_RIGHTS = (Permission.CALLS_VIEW_OWN, Permission.CALLS_VIEW_OTHERS)


class Home(Page):
    """What happens now, and what needs somebody."""

    title = gettext_lazy("Home")
    template_name = "usage/home.html"
    region = "home"
    live = True

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page or its region."""
        user = viewer(request)
        content = self.platform(user) if user.has(Permission.JOBS_VIEW) else self.tenant(user)
        more: dict[str, Any] = {}
        if user.has(Permission.USAGE_VIEW) and not sees_all(user):
            content["usage"] = usage_of(user)
        if any(user.has(right) for right in CALL_RIGHTS):
            content |= {"recent": [recent(call) for call in recent_calls(user)], "show_recent": True}
            content["recent_url"] = reverse("conversations:calls")
            # Beside what is polled: sums of a month need not be added up every few seconds.
            more = {} if self.polled or chooses_tenant(user) else {"insight": insight_of(user)}
        return self.show(self.context(**content, **more), stamp=stamp_of(content))

    def platform(self, user: User) -> dict[str, Any]:
        """Pipeline, engines, jobs and what needs attention."""
        found, jobs, speech = indicators(user), home_jobs(), engines_by_state(SpeechEngine)
        engines = [*speech, *engines_by_state(AIEngine)]
        circuits, url = circuits_of(""), records_url(found.day)
        return {
            "tiles": strip_tiles(found, url),
            "attention": worst_first(
                ledger_attention(user) + failing(engines, circuits) + fired(user) + attention(found, jobs, engines, url)
            ),
            "show_attention": True,
            "engines": [engine_line(engine, circuits.get(circuit_key(engine))) for engine in engines],
            "jobs": [job_line(job) for job in jobs],
            "day": day_card(found, jobs, engines),
            "show_platform": True,
            "next_steps": next_steps(user, speech, jobs),
        }

    def tenant(self, user: User) -> dict[str, Any]:
        """The own calls by transcription state; each tile leads to the calls behind it."""
        if not any(user.has(right) for right in CALL_RIGHTS):
            return {}
        url, counts = reverse("conversations:calls"), call_states(user)
        tiles = [
            {
                "label": TranscriptionState(state).label,
                "value": f"{counts[state]:,}",
                "icon": icon,
                "tone": tone,
                "url": f"{url}?state={state}",
            }
            for state, (icon, tone) in STATE_LOOKS.items()
        ]
        return {"tiles": tiles, "subtitle": (user.viewing or user.tenant).name}


def insight_of(user: User) -> dict[str, Any] | None:
    """Score and choices of the last thirty days; None where the viewer may see neither, or nothing has a value yet."""
    shown = last_days(user)
    if shown is None or not (shown.found.total.scored or shown.found.choices):
        return None
    return {
        "shown": shown,
        "bands": shown.bands(),
        "choices": [
            {"name": shown.label(member), "number": sums.conversations}
            for member, sums in list(shown.found.choices.items())[:CHOICES]
        ],
        "most": widest(shown.found.choices),
        "url": reverse("usage:dashboard"),
    }


def ledger_attention(user: User) -> list[dict[str, Any]]:
    """A ledger that does not add up, then limits that are nearly used, for staff who see all usage."""
    if not (user.has(Permission.USAGE_VIEW) and sees_all(user)):
        return []
    items: list[dict[str, Any]] = []
    differences = ledger_differences()
    if differences:
        text = ngettext(
            "The nightly reconciliation of the ledger found %(n)s difference.",
            "The nightly reconciliation of the ledger found %(n)s differences.",
            differences,
        ) % {"n": f"{differences:,}"}
        items.append(
            {"tone": "danger", "text": text, "url": audit_url("ledger.differs") if user.has("audit_trail.view") else ""}
        )
    notices = pressing(visible_tenants(user), METER)
    for notice in notices[:NOTICES]:
        text = f"{notice.figures.name}: {notice.text}"
        url = reverse("usage:tenant", args=[notice.figures.tenant_id])
        items.append({"tone": notice.tone, "text": text, "url": url})
    if len(notices) > NOTICES:
        text = _("%(n)s more warnings about limits") % {"n": f"{len(notices) - NOTICES:,}"}
        items.append({"tone": "warning", "text": text, "url": reverse("usage:transcription")})
    return items


def audit_url(action: str) -> str:
    """The audit rows of one action."""
    return f"{reverse('audit:trail')}?action={action}"


def usage_of(user: User) -> dict[str, Any]:
    """The month of the viewer's tenant, and the warnings that stand."""
    found = figures_of(user.stands_in, METER)
    seats = _("of %(seats)s seats") % {"seats": f"{found.seats:,}"} if found.seats is not None else _("(no seat limit)")
    own = _("%(limit)s minutes/month; each user has his own") % {"limit": minutes_text(found.user_limit)}
    return {
        "url": reverse("usage:transcription"),
        "gauge": gauge_of(found),
        "notices": [(notice.tone, notice.text) for notice in notices_of([found], METER).get(found.tenant_id, [])],
        "facts": [
            (_("Used this month"), _("%(used)s minutes") % {"used": minutes_text(found.month.used)}),
            (_("Total limit"), minutes_text(found.total)),
            *([(_("Limit per user"), own)] if found.own and found.user_limit is not None else []),
            (_("Days until reset"), str(found.days_left)),
            (_("Denied"), f"{found.month.denied:,}"),
            (_("Speech analytics licences"), f"{found.licensed:,} {seats}"),
        ],
    }


def next_steps(user: User, engines: list[SpeechEngine], jobs: list[JobDefinition]) -> list[dict[str, Any]]:
    """The way to the first transcript, until it is gone; only the steps that ``user`` may take."""
    if engines and jobs:
        return []
    found = set_up(user)
    steps = [
        (_("Add a tenant"), "licensing:tenants", Permission.TENANTS_VIEW, found.tenant),
        (_("Add its users and licences"), "licensing:users", Permission.USERS_VIEW, found.licence),
        (_("Add a speech engine"), "transcription:engines", Permission.ENGINES_VIEW, bool(engines)),
        (_("Add a processing queue"), "queues:queues", Permission.QUEUES_VIEW, found.queue),
        (_("Add a job"), "jobs:jobs", Permission.JOBS_VIEW, bool(jobs)),
    ]
    return [
        {"label": label, "url": reverse(route), "done": done} for label, route, right, done in steps if user.has(right)
    ]


def recent(call: Call) -> dict[str, Any]:
    """One line of the latest conversations."""
    parties = [call.from_name or call.from_number, call.to_name or call.to_number]
    return {
        "label": " → ".join(party for party in parties if party) or call.external_id,
        "note": str(call.user) if call.user is not None else "",
        "time": call.started_at,
        "state": call.channel if call.is_written else call.transcription_state,
        "state_label": call.get_channel_display() if call.is_written else call.get_transcription_state_display(),
        "url": reverse("conversations:call", args=[call.pk]),
    }
