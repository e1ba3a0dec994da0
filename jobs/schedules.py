"""When jobs start: the seven schedules (domain T22), all timed ones as a cron expression in the job's time zone.

Pure functions. A time that the change to summer time leaves out is met at the first minute after the gap; one that
the change back repeats is met once, unless minutes or hours are a ``*``: then every hour counts.
"""

import zoneinfo
from dataclasses import dataclass
from datetime import datetime, time

from cronsim import CronSim, CronSimError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.errors import InvalidInput
from jobs.models import Schedule

TIMED = (Schedule.HOURLY, Schedule.DAILY, Schedule.WEEKLY, Schedule.MONTHLY, Schedule.CRON)
LAST_DAY = "L"
MONTH_DAYS = [*((str(day), str(day)) for day in range(1, 29)), (LAST_DAY, gettext_lazy("the last day"))]
WEEKDAYS = [
    ("1", gettext_lazy("Monday")),
    ("2", gettext_lazy("Tuesday")),
    ("3", gettext_lazy("Wednesday")),
    ("4", gettext_lazy("Thursday")),
    ("5", gettext_lazy("Friday")),
    ("6", gettext_lazy("Saturday")),
    ("0", gettext_lazy("Sunday")),
]
FIELDS = [
    ("minute", gettext_lazy("minute")),
    ("hour", gettext_lazy("hour")),
    ("day-of-month", gettext_lazy("day of the month")),
    ("month", gettext_lazy("month")),
    ("day-of-week", gettext_lazy("weekday")),
]
LONGEST_STEPS = [59, 23, 31, 12, 7]


@dataclass(frozen=True, slots=True)
class Start:
    """When a job of the simple schedules starts: ``weekday`` 0–6 from Sunday, ``month_day`` 1–28 or ``LAST_DAY``."""

    at: time = time(0, 0)
    weekday: str = "1"
    month_day: str = "1"


def cron_of(schedule: str, start: Start, cron: str = "") -> str:
    """The cron expression of a schedule; empty for those without times. Every Hour takes the minutes of ``start.at``."""
    minute, hour = start.at.minute, start.at.hour
    return {
        Schedule.HOURLY.value: f"{minute} * * * *",
        Schedule.DAILY.value: f"{minute} {hour} * * *",
        Schedule.WEEKLY.value: f"{minute} {hour} * * {start.weekday}",
        Schedule.MONTHLY.value: f"{minute} {hour} {start.month_day} * *",
        Schedule.CRON.value: cron,
    }.get(str(schedule), "")


def start_of(schedule: str, cron: str) -> Start:
    """The inverse of ``cron_of``; the usual start for what is no simple schedule."""
    if schedule not in TIMED or schedule == Schedule.CRON or len(cron.split()) != 5:
        return Start()
    minute, hour, month_day, _month, weekday = cron.split()
    at = time(0 if hour == "*" else int(hour), int(minute))
    return Start(at, "1" if weekday == "*" else weekday, "1" if month_day == "*" else month_day)


def text_of(schedule: str, cron: str) -> str:
    """The schedule in words, without its zone: "Every Week: Monday 02:30"."""
    label, start = str(Schedule(schedule).label), start_of(schedule, cron)
    if schedule == Schedule.HOURLY:
        return _("%(schedule)s at minute %(minute)s") % {"schedule": label, "minute": f"{start.at.minute:02}"}
    days = {
        Schedule.DAILY.value: "",
        Schedule.WEEKLY.value: str(dict(WEEKDAYS).get(start.weekday, start.weekday)),
        Schedule.MONTHLY.value: str(dict(MONTH_DAYS).get(start.month_day, start.month_day)),
    }
    if str(schedule) not in days:
        return label
    return f"{label}: {days[str(schedule)]} {start.at:%H:%M}".replace(":  ", ": ")


def next_starts(cron: str, time_zone: str, after: datetime, count: int = 1) -> list[datetime]:
    """The next ``count`` times after ``after`` that a five-field cron expression names, in its zone.

    Raises InvalidInput("cron", …) that names the rule: five fields, each well formed, and a day that its months have.
    """
    if len(cron.split()) != 5:
        raise InvalidInput("cron", _("A cron expression has five fields: minute, hour, day, month, weekday."))
    times = _times(cron, after.astimezone(zoneinfo.ZoneInfo(time_zone)))
    found: list[datetime] = []
    while len(found) < count:
        try:
            moment = next(times)
        except StopIteration:
            break
        # In the hour that is repeated in autumn, the wall clock shows times that are over already.
        if moment.timestamp() > after.timestamp():
            found.append(moment)
    if not found:
        raise InvalidInput("cron", never(cron))
    return found


def _times(cron: str, start: datetime) -> CronSim:
    _check_steps(cron)
    try:
        return CronSim(cron, start)
    except CronSimError as error:
        raise InvalidInput("cron", _what_is_wrong(cron, str(error), start)) from error


def _check_steps(cron: str) -> None:
    """A step beyond its field means one time only, which is never what was meant; the parser takes it."""
    for part, (_name, label), longest in zip(cron.split(), FIELDS, LONGEST_STEPS, strict=True):
        for term in part.split(","):
            step = term.partition("/")[2]
            if step.isdecimal() and int(step) > longest:
                text = _("This is no valid cron expression: the step of the %(field)s is at most %(longest)d.")
                raise InvalidInput("cron", text % {"field": label, "longest": longest})


def _what_is_wrong(cron: str, error: str, start: datetime) -> str:
    parts = cron.split()
    for place, (name, label) in enumerate(FIELDS):
        if error != f"Bad {name}":
            continue
        if name == "day-of-month" and _parses([parts[0], parts[1], parts[2], "*", parts[4]], start):
            return never(cron)
        values = {"field": label, "value": parts[place]}
        return _("This is no valid cron expression: the %(field)s cannot be “%(value)s”.") % values
    return _("This is no valid cron expression: %(why)s") % {"why": error}


def _parses(parts: list[str], start: datetime) -> bool:
    try:
        CronSim(" ".join(parts), start)
    except CronSimError:
        return False
    return True


def never(cron: str) -> str:
    """Why an expression that is well formed never starts anything."""
    _minute, _hour, day, month, _weekday = cron.split()
    text = _("This would never run: a month “%(month)s” has no day “%(day)s”. Choose a day that the month has.")
    return text % {"month": month, "day": day}
