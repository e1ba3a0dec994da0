"""The geometry of the charts of runs: drawn on the server as SVG, so that they need neither script nor style."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.utils.translation import gettext as _

from core.charts import nice
from jobs.models import Run

DAYS = 30
LEFT, TOP, SLOT, BAR, HEIGHT, LABELS = 58, 12, 24, 6, 150, 24
SPARK_SLOT, SPARK_BAR, SPARK_HEIGHT = 4, 3, 20
SERIES = ("processed", "errors", "recovered")


@dataclass(frozen=True, slots=True)
class RunDay:
    """One day of the chart: what was processed, errors, recovered errors; zeros where there was no run."""

    day: date
    processed: int
    errors: int
    recovered: int

    @property
    def text(self) -> str:
        """What assistive technology reads."""
        return _("%(day)s: %(processed)s processed, %(errors)s errors, %(recovered)s recovered errors") % {
            "day": self.day.isoformat(),
            "processed": f"{self.processed:,}",
            "errors": f"{self.errors:,}",
            "recovered": f"{self.recovered:,}",
        }


def days_of(runs: Mapping[date, Run], today: date, *, by_guide: bool) -> list[RunDay]:
    """The last thirty days until ``today``, oldest first.

    ``by_guide`` counts recovered errors as the guide does, where every check is a retry (domain M8, C20).
    """
    found = []
    for back in range(DAYS - 1, -1, -1):
        day = today - timedelta(days=back)
        run = runs.get(day)
        if run is None:
            found.append(RunDay(day, 0, 0, 0))
        else:
            recovered = run.recovered_by_guide if by_guide else run.recovered
            found.append(RunDay(day, run.completed, run.errors, recovered))
    return found


def chart_of(days: Sequence[RunDay]) -> dict[str, Any]:
    """What ``jobs/runs_chart.html`` draws: three bars a day, side by side, and a scale."""
    top = nice(max((max(day.processed, day.errors, day.recovered) for day in days), default=0))
    base = TOP + HEIGHT
    groups = []
    for index, day in enumerate(days):
        bars = []
        for place, name in enumerate(SERIES):
            height = round(HEIGHT * getattr(day, name) / top, 1)
            x = LEFT + index * SLOT + 2 + place * (BAR + 1)
            bars.append({"name": name, "x": x, "y": round(base - height, 1), "height": height})
        label = f"{day.day:%d.%m.}" if (len(days) - 1 - index) % 5 == 0 else ""
        groups.append({"bars": bars, "text": day.text, "label": label, "middle": LEFT + index * SLOT + SLOT // 2})
    return {
        "groups": groups,
        "bar": BAR,
        "width": LEFT + len(days) * SLOT + 4,
        "height": base + LABELS,
        "left": LEFT,
        "tick_x": LEFT - 6,
        "label_y": base + 16,
        "ticks": [{"y": round(base - HEIGHT * part / 2, 1), "text": f"{top * part // 2:,}"} for part in range(3)],
    }


def sparkline_of(days: Sequence[RunDay]) -> dict[str, Any]:
    """What a cell of the list of jobs draws: what was processed each day, and a sentence that says it."""
    top = max((day.processed for day in days), default=0) or 1
    bars = []
    for index, day in enumerate(days):
        height = round(SPARK_HEIGHT * day.processed / top, 1)
        if height:
            bars.append({"x": index * SPARK_SLOT, "y": round(SPARK_HEIGHT - height, 1), "height": height})
    total, most = sum(day.processed for day in days), max((day.processed for day in days), default=0)
    text = _("%(total)s processed in 30 days, %(most)s on the busiest day, %(today)s today") % {
        "total": f"{total:,}",
        "most": f"{most:,}",
        "today": f"{days[-1].processed:,}" if days else "0",
    }
    return {
        "bars": bars,
        "bar": SPARK_BAR,
        "width": len(days) * SPARK_SLOT,
        "height": SPARK_HEIGHT,
        "text": text,
        "total": total,
    }
