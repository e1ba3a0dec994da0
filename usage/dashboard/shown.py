"""The figures of the dashboard in words, cells and bars."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from conversations.fields.summing import Summary, Sums, summary_of
from conversations.selectors import visible_calls
from conversations.shown import spoken_duration
from core.charts import nice
from core.filters import day_start
from customfields.models import CustomField, Tone
from customfields.typed import Band, band_of, bands_of, plain
from usage.dashboard.drawing import DayBar, chart_of
from usage.dashboard.filters import DAYS, chartable

NOTHING = "–"
TENTH = Decimal("0.1")


@dataclass(frozen=True)
class Shown:
    """A summary with the fields that it is about, and the days from ``since`` to ``until``."""

    found: Summary
    score: CustomField | None
    choice: CustomField | None
    since: date
    until: date

    @property
    def days(self) -> Iterator[date]:
        """Every day of the period, also those without conversations."""
        for number in range((self.until - self.since).days + 1):
            yield self.since + timedelta(days=number)

    def band(self, average: Decimal | None) -> Band | None:
        """The band of an average."""
        return None if self.score is None else band_of(self.score.definition, average)

    def label(self, member: str | None) -> str:
        """A choice in words; one that was taken from the list since then by its value."""
        if self.choice is None or member is None:
            return ""
        return dict(self.choice.definition.choices).get(member, member)

    def tiles(self) -> list[dict[str, Any]]:
        """The totals."""
        total = self.found.total
        threads = total.conversations - total.calls
        parts = [
            ngettext("%(n)s call", "%(n)s calls", total.calls) % {"n": f"{total.calls:,}"},
            ngettext("%(n)s thread", "%(n)s threads", threads) % {"n": f"{threads:,}"},
        ]
        found = [
            {
                "label": _("Conversations"),
                "value": f"{total.conversations:,}",
                "icon": "messages",
                "note": ", ".join(parts),
            },
            {
                "label": _("Length of calls"),
                "value": spoken_duration(int(total.ms)),
                "icon": "clock",
                "note": _("%(length)s on average") % {"length": each_text(total)},
            },
        ]
        if self.score is not None:
            band = self.band(total.average)
            told = _("%(n)s of %(all)s conversations") % {"n": f"{total.scored:,}", "all": f"{total.conversations:,}"}
            found.append(
                {
                    "label": _("%(field)s, average") % {"field": self.score.name},
                    "value": average_text(total.average),
                    "icon": "gauge",
                    "tone": band.tone if band else "muted",
                    "note": f"{band.label} · {told}" if band else told,
                }
            )
        top = next(iter(self.found.choices.items()), None)
        if self.choice is not None and top is not None:
            number = ngettext("%(n)s conversation", "%(n)s conversations", top[1].conversations)
            found.append(
                {
                    "label": _("%(field)s, most frequent") % {"field": self.choice.name},
                    "value": self.label(top[0]),
                    "icon": "tag",
                    "note": number % {"n": f"{top[1].conversations:,}"},
                }
            )
        return found

    def volume_chart(self) -> dict[str, Any]:
        """Conversations by day."""
        bars = []
        for day in self.days:
            number = self.found.days.get(day, Sums()).conversations
            text = ngettext("%(day)s: %(n)s conversation", "%(day)s: %(n)s conversations", number)
            bars.append(DayBar(day, number or None, text % {"day": day.isoformat(), "n": f"{number:,}"}))
        return chart_of(bars, low=0, high=nice(max((bar.value or 0 for bar in bars), default=0)))

    def score_chart(self) -> dict[str, Any] | None:
        """The average score by day, on the scale of the field."""
        if self.score is None:
            return None
        low, high = self.score.definition.low, self.score.definition.high
        if low is None or high is None:
            return None
        bars = []
        for day in self.days:
            sums = self.found.days.get(day, Sums())
            band = self.band(sums.average)
            words = f"{average_text(sums.average)} {band.label if band else ''}".strip()
            text = f"{day.isoformat()}: {words if sums.average is not None else _('no value')}"
            value = None if sums.average is None else float(sums.average)
            bars.append(DayBar(day, value, text, band.tone if band else "info"))
        return chart_of(bars, low=float(low), high=float(high))

    def bands(self) -> list[dict[str, Any]]:
        """How many conversations lie in each band of the score, the highest band first."""
        if self.score is None or not self.found.total.scored:
            return []
        stored = bands_of(self.score.definition)
        lines: list[tuple[str, str, Decimal | str, int]] = [
            (band.label, Tone(band.tone).value, band.start, self.found.bands.get(place, 0))
            for place, band in enumerate(stored)
        ]
        below = self.found.bands.get(-1, 0)
        if below:
            lines.insert(0, (_("without a band"), Tone.MUTED.value, "", below))
        whole = self.found.total.scored
        return [
            {"label": label, "tone": tone, "start": start, "number": number, "share": share_text(number, whole)}
            for label, tone, start, number in reversed(lines)
        ]

    def line(self, sums: Sums, top: str | None = None) -> dict[str, Any]:
        """The cells that all tables have."""
        return {
            "number": sums.conversations,
            "share": share_text(sums.conversations, self.found.total.conversations),
            "length": spoken_duration(int(sums.ms)) if sums.calls else NOTHING,
            "each": each_text(sums),
            "average": average_text(sums.average),
            "band": self.band(sums.average),
            "top": self.label(top) if top else NOTHING,
        }

    def header(self, first: str, *, top: bool) -> list[str]:
        """The heads of a table's file."""
        names = [first, _("Conversations"), _("Calls"), _("Length of calls (seconds)")]
        if self.score is not None:
            names += [_("%(field)s, average") % {"field": self.score.name}, _("Conversations with a value")]
        if top and self.choice is not None:
            names.append(_("%(field)s, most frequent") % {"field": self.choice.name})
        return names

    def cells(self, name: str, sums: Sums, top: str | None = None, *, with_top: bool) -> list[Any]:
        """A line of a table's file: bare numbers."""
        found: list[Any] = [name, sums.conversations, sums.calls, int(sums.ms) // 1000]
        if self.score is not None:
            found += ["" if sums.average is None else round(float(sums.average), 2), sums.scored]
        if with_top and self.choice is not None:
            found.append(self.label(top))
        return found


def last_days(user: User) -> Shown | None:
    """The last thirty days of the conversations that ``user`` may see; None without a field that may be charted."""
    scores, choices = chartable(user)
    if not scores and not choices:
        return None
    score, choice = next(iter(scores), None), next(iter(choices), None)
    today = timezone.localdate()
    since = today - timedelta(days=DAYS - 1)
    calls = visible_calls(user).filter(started_at__gte=day_start(since), started_at__lt=day_start(today + timedelta(1)))
    found = summary_of(calls, timezone.get_current_timezone_name(), score, choice)
    return Shown(found, score, choice, since, today)


def average_text(average: Decimal | None) -> str:
    """One digit behind the point at most."""
    return NOTHING if average is None else plain(Decimal(average).quantize(TENTH) + 0)


def share_text(part: int, whole: int) -> str:
    """In percent."""
    return f"{100 * part / whole:.0f}%" if whole else NOTHING


def each_text(sums: Sums) -> str:
    """How long a call is on average."""
    return spoken_duration(int(sums.ms) // sums.calls) if sums.calls else NOTHING


def widest(lines: Mapping[Any, Sums]) -> int:
    """The most conversations of a line, for the bars of a table."""
    return max((sums.conversations for sums in lines.values()), default=0) or 1
