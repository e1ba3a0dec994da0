"""The geometry of the bar chart of days: drawn on the server as inline SVG, so that it needs neither script nor style."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import ngettext

from core.charts import nice
from licensing.amounts import minutes_number, minutes_text
from licensing.limits import SECONDS
from usage.breakdowns import Day

LEFT, TOP, SLOT, BAR, HEIGHT = 58, 12, 21, 15, 150
GAP, DENIED_HEIGHT, LABELS = 26, 34, 24


@dataclass(frozen=True, slots=True)
class Bar:
    """One day: its two bars in pixels of the drawing, what assistive technology reads, and the label below, if any."""

    x: int
    y: float
    height: float
    denied_y: float
    denied_height: float
    denied: int
    text: str
    label: str

    @property
    def middle(self) -> float:
        """Where the label stands."""
        return self.x + BAR / 2


def chart_of(days: list[Day]) -> dict[str, Any]:
    """What ``usage/chart.html`` draws: charged minutes above, denied requests (hatched, counted) below."""
    top = nice(max((day.used for day in days), default=0) / SECONDS)
    most = max((day.denied for day in days), default=0)
    base, denied_base = TOP + HEIGHT, TOP + HEIGHT + GAP + DENIED_HEIGHT
    bars = []
    for index, day in enumerate(days):
        height = round(HEIGHT * day.used / SECONDS / top, 1)
        denied_height = round(DENIED_HEIGHT * day.denied / most, 1) if most else 0
        bars.append(
            Bar(
                x=LEFT + index * SLOT + (SLOT - BAR) // 2,
                y=round(base - height, 1),
                height=height,
                denied_y=round(denied_base - denied_height, 1),
                denied_height=denied_height,
                denied=day.denied,
                text=ngettext(
                    "%(day)s: %(minutes)s minute, %(denied)s denied",
                    "%(day)s: %(minutes)s minutes, %(denied)s denied",
                    minutes_number(day.used),
                )
                % {"day": day.day.isoformat(), "minutes": minutes_text(day.used), "denied": f"{day.denied:,}"},
                label=f"{day.day:%d.%m.}" if (len(days) - 1 - index) % 5 == 0 else "",
            )
        )
    width = LEFT + len(days) * SLOT + 4
    return {
        "bars": bars,
        "bar": BAR,
        "width": width,
        "height": denied_base + LABELS,
        "left": LEFT,
        "tick_x": LEFT - 6,
        "base": base,
        "denied_base": denied_base,
        "label_y": denied_base + 16,
        "denied_label_y": denied_base - DENIED_HEIGHT - 6,
        "ticks": [{"y": round(base - HEIGHT * part / 2, 1), "text": f"{top * part / 2:,.10g}"} for part in range(3)],
        "any_denied": most > 0,
        "most_denied": most,
    }
