"""How a speech engine fares, and what it costs."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.policy import viewer
from core.counting import count_text
from core.money import share, sums_text
from core.outcomes import Reason
from core.pages import stamp_of
from engines import pages
from engines.pages import used_text
from engines.prices import add_price
from jobs.figures.models import What
from jobs.figures.reading import FAILED_BY_ENGINE
from transcription.configuring.faring import PERIOD_LABELS, PERIODS, Faring, faring_of
from transcription.configuring.filters import SpeechPriceFilter
from transcription.configuring.tables import SpeechPriceTable
from transcription.forms import SpeechPriceForm
from transcription.journal.keeping import last_calls
from transcription.journal.pages import CallTable, jobs_of
from transcription.views import SpeechPages

LAST = 10


class EngineOverview(SpeechPages, pages.EngineOverview):
    """Turnaround, errors, breaker, places and spending of a period, and the last calls; never any text."""

    template_name = "transcription/engine.html"

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """The period of the address; an unknown one is the first. Longer ones are not asked for again by themselves."""
        super().setup(request, *args, **kwargs)
        asked = request.GET.get("period", "")
        self.period = asked if asked in PERIODS else next(iter(PERIODS))
        self.live = self.period == next(iter(PERIODS))

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page."""
        fares = faring_of(self.engine, viewer(request), PERIODS[self.period])
        common, tiles, facts = self.common(fares.circuit), tiles_of(fares), self.facts(fares)
        failed = [(Reason.label_of(reason), f"{number:,}") for reason, number in fares.failed_by.most_common()]
        found = last_calls(self.engine.pk, LAST)
        calls = CallTable(found or (), jobs=jobs_of(viewer(request), found or ()), orderable=False)
        context = self.context(
            **common,
            tiles=tiles,
            facts=facts,
            failed=failed,
            calls=calls if found else None,
            away=found is None,
            period=self.period,
            periods=[{"word": word, "label": PERIOD_LABELS[word], "active": word == self.period} for word in PERIODS],
        )
        return self.show(context, stamp=stamp_of(tiles, common["state"], common["stopped"], facts, failed, found))

    def facts(self, fares: Faring) -> list[tuple[Any, str]]:
        """Who may use it, its breaker, how far its places are used, and what waits."""
        engine = self.engine
        who = engine.tenant.name if engine.tenant is not None else engine.get_visibility_display()
        breaker = _("Closed: it is asked") if fares.circuit is None else fares.circuit.get_state_display()
        stopped = engine.paused_at is not None or (fares.circuit is not None and fares.circuit.is_open)
        waits = _("Records that wait for it") if stopped or not engine.enabled else _("Records in progress")
        return [
            (_("Tenants that may use it"), str(who)),
            (_("Circuit breaker"), str(breaker)),
            (_("Requests at a time"), used_text(fares.places, engine.settings.get("concurrency"))),
            (waits, count_text(fares.open_records)),
            (_("Price per minute"), fares.price or "–"),
        ]


def tiles_of(fares: Faring) -> list[dict[str, Any]]:
    """The figures of the period."""
    sums, took, spent = fares.sums, fares.turnaround, fares.spent
    newest = _("of the newest %(n)s recordings") % {"n": f"{took.number:,}"}
    half = ""
    if took.p50_s is not None:
        half = _("half within %(time)s; %(newest)s") % {"time": seconds_text(took.p50_s), "newest": newest}
    unpriced = _("%(n)s minutes without a price") % {"n": minutes_text(spent.unpriced)} if spent.unpriced else ""
    failed, done = sums.number(*FAILED_BY_ENGINE), sums.number(What.COMPLETED)
    of_all = _("%(n)s of %(all)s recordings") % {"n": f"{failed:,}", "all": f"{done + failed:,}"}
    passed_on = sums.number(What.PASSED_ON)
    onward = _("%(n)s went on to another engine") % {"n": f"{passed_on:,}"}
    return [
        {"label": _("95 % done within"), "value": seconds_text(took.p95_s), "note": half, "icon": "clock"},
        {
            "label": _("In times of the audio's length"),
            "value": times_text(took.p95_ratio),
            "note": _("half within %(times)s") % {"times": times_text(took.p50_ratio)} if took.number else "",
            "icon": "gauge",
        },
        {
            "label": _("Failed"),
            "value": share(failed, done + failed),
            "note": f"{of_all}; {onward}" if passed_on else of_all,
            "icon": "alert-circle",
        },
        {
            "label": _("Done"),
            "value": f"{done:,}",
            "note": _("%(n)s attempts failed") % {"n": f"{sums.number(What.ERROR):,}"},
            "icon": "check",
        },
        {"label": _("Minutes charged"), "value": minutes_text(spent.seconds), "icon": "microphone"},
        {"label": _("Spent"), "value": sums_text(spent.cost), "note": unpriced, "icon": "gauge"},
    ]


def seconds_text(seconds: float | None) -> str:
    """``4.2 s``, or a dash."""
    return "–" if seconds is None else f"{seconds:,.1f} s"


def times_text(ratio: float | None) -> str:
    """``0.25 ×``, or a dash."""
    return "–" if ratio is None else f"{ratio:,.2f} ×"


def minutes_text(seconds: int) -> str:
    """Minutes with one digit behind the point."""
    return f"{seconds / 60:,.1f}"


class PriceList(SpeechPages, pages.PriceList):
    """With the price of a minute."""

    table_class = SpeechPriceTable
    filterset_class = SpeechPriceFilter
    free = gettext_lazy("Without a price minutes are counted and cost nothing.")


class PriceAdd(SpeechPages, pages.PriceAdd):
    """A new price."""

    form_class = SpeechPriceForm

    def add(self, values: dict[str, Any], **who: Any) -> None:
        """Through the service."""
        add_price(engine=self.engine, values=values, amounts=("per_minute",), **who)


class PriceDelete(SpeechPages, pages.PriceDelete):
    """Delete a price that does not hold yet."""
