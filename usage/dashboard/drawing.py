"""The geometry of a chart of days whose values may lie below zero: bars from a base line, as inline SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

LEFT, TOP, WIDTH, HEIGHT, LABELS = 58, 12, 660, 150, 24
# So many labels of days fit beside one another.
MOST_LABELS = 10


@dataclass(frozen=True, slots=True)
class DayBar:
    """One day; ``value`` None is a day without one. ``text`` is what assistive technology reads, ``tone`` the colour."""

    day: date
    value: float | None
    text: str
    tone: str = ""


def chart_of(days: Sequence[DayBar], *, low: float, high: float) -> dict[str, Any]:
    """What ``usage/dashboard_chart.html`` draws on a scale from ``low`` to ``high``; bars begin at zero, else at ``low``."""
    slot = WIDTH / max(len(days), 1)
    bar = max(round(slot * 0.7, 1), 1)
    bottom = TOP + HEIGHT
    span = (high - low) or 1

    def height_at(value: float) -> float:
        return round(bottom - HEIGHT * (min(max(value, low), high) - low) / span, 1)

    base = height_at(max(low, min(0.0, high)))
    every = -(-len(days) // MOST_LABELS) or 1
    bars = []
    for index, day in enumerate(days):
        x = round(LEFT + index * slot + (slot - bar) / 2, 1)
        label = f"{day.day:%d.%m.}" if (len(days) - 1 - index) % every == 0 else ""
        drawn = {"x": x, "text": day.text, "tone": day.tone, "label": label, "middle": round(x + bar / 2, 1)}
        if day.value is not None:
            # A value of zero is a value: a thin line tells it from a day without one.
            end = height_at(day.value)
            drawn |= {"y": min(end, base), "height": max(round(abs(end - base), 1), 1.5)}
        bars.append(drawn)
    ticks = [{"y": height_at(low + span * part / 2), "text": f"{low + span * part / 2:,.10g}"} for part in range(3)]
    return {
        "bars": bars,
        "bar": bar,
        "width": LEFT + WIDTH + 4,
        "height": bottom + LABELS,
        "left": LEFT,
        "tick_x": LEFT - 6,
        "base": base,
        "label_y": bottom + 16,
        "ticks": ticks,
    }
