"""The geometry of a chart of days: one bar a day, drawn on the server as SVG, so that it needs neither script nor style."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

LEFT, TOP, WIDTH, HEIGHT, LABELS = 70, 12, 640, 150, 24


@dataclass(frozen=True, slots=True)
class DayValue:
    """One day; ``text`` is what assistive technology reads."""

    day: date
    value: float
    text: str


def chart_of(days: Sequence[DayValue], *, scale: Callable[[float], str]) -> dict[str, Any]:
    """What ``aiassistant/day_chart.html`` draws: bars, and a scale whose numbers are written by ``scale``."""
    top = nice(max((day.value for day in days), default=0))
    slot = WIDTH / max(len(days), 1)
    bar = max(round(slot * 0.7, 1), 1)
    base = TOP + HEIGHT
    bars = []
    for index, day in enumerate(days):
        height = round(HEIGHT * day.value / top, 1)
        x = round(LEFT + index * slot + (slot - bar) / 2, 1)
        label = f"{day.day:%d.%m.}" if (len(days) - 1 - index) % 5 == 0 else ""
        middle = round(x + bar / 2, 1)
        bars.append(
            {"x": x, "y": round(base - height, 1), "height": height, "text": day.text, "label": label, "middle": middle}
        )
    ticks = [{"y": round(base - HEIGHT * part / 2, 1), "text": scale(top * part / 2)} for part in range(3)]
    return {
        "bars": bars,
        "bar": bar,
        "width": LEFT + WIDTH + 4,
        "height": base + LABELS,
        "left": LEFT,
        "tick_x": LEFT - 6,
        "label_y": base + 16,
        "ticks": ticks,
    }


def nice(value: float) -> float:
    """The next of …, 0.2, 0.5, 1, 2, 5, 10 … at or above ``value``; 1 of nothing."""
    if value <= 0:
        return 1
    scale = 1.0
    while scale > value:
        scale /= 10
    while True:
        for step in (1, 2, 5):
            if value <= step * scale * (1 + 1e-9):
                return step * scale
        scale *= 10
