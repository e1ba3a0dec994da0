"""Conversations summed by day, group and value of a field: what a dashboard shows.

Each question is one statement over the conversations that are given, so that rights and filters are those of whoever
gives them. Values are the current ones; calls and threads share one space of ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection

from customfields.models import CustomField
from customfields.typed import bands_of
from tenants.querysets import TenantQuerySet

COLUMNS = ("id", "started_at", "group", "channel", "duration_ms")
# A value is looked up for each conversation by its unique index (LIMIT keeps the planner from turning this into a scan of
# all values that there are), so that a page costs what its period holds and not what the tenant has.
SCORED = """
WITH shown AS MATERIALIZED ({calls}),
scored AS (
    SELECT (shown.started_at AT TIME ZONE %s)::date AS day, shown."group" AS part, shown.channel, shown.duration_ms,
        value.number, CASE WHEN value.number IS NOT NULL THEN width_bucket(value.number, %s::numeric[]) END AS band
    FROM shown LEFT JOIN LATERAL (
        SELECT number FROM conversations_fieldvalue WHERE record_id = shown.id
            AND record_type IN ('call', 'conversation') AND field_id = %s AND standing = 'current' LIMIT 1
    ) AS value ON true
)
SELECT GROUPING(day, part, band), day, part, band, count(*), count(*) FILTER (WHERE channel = 'voice'),
    coalesce(sum(duration_ms), 0), count(number), avg(number)
FROM scored GROUP BY GROUPING SETS ((day), (part), (band), ())
"""
# Of days and groups only the choice that is met most often.
CHOSEN = """
WITH shown AS MATERIALIZED ({calls}),
chosen AS (
    SELECT (shown.started_at AT TIME ZONE %s)::date AS day, shown."group" AS part, choice, shown.channel,
        shown.duration_ms, score.number
    FROM shown JOIN LATERAL (
        SELECT members FROM conversations_fieldvalue WHERE record_id = shown.id
            AND record_type IN ('call', 'conversation') AND field_id = %s AND standing = 'current' LIMIT 1
    ) AS said ON true
    CROSS JOIN unnest(said.members) AS choice
    LEFT JOIN LATERAL (
        SELECT number FROM conversations_fieldvalue WHERE record_id = shown.id
            AND record_type IN ('call', 'conversation') AND field_id = %s AND standing = 'current' LIMIT 1
    ) AS score ON true
),
counted AS (
    SELECT GROUPING(day, part) AS what, day, part, choice, count(*) AS conversations,
        count(*) FILTER (WHERE channel = 'voice') AS calls, coalesce(sum(duration_ms), 0) AS ms,
        count(number) AS scored, avg(number) AS average
    FROM chosen GROUP BY GROUPING SETS ((day, choice), (part, choice), (choice))
)
SELECT what, day, part, choice, conversations, calls, ms, scored, average FROM (
    SELECT *, row_number() OVER (PARTITION BY what, day, part ORDER BY conversations DESC, choice) AS place FROM counted
) AS placed WHERE what = 3 OR place = 1 ORDER BY place
"""
# What GROUPING says: a bit is set where a column is summed over, the last column's is the lowest.
BY_DAY, BY_PART, OVER_ALL = 0b011, 0b101, 0b111


@dataclass(frozen=True, slots=True)
class Sums:
    """``ms`` is the length of the ``calls``; messages have none. ``average`` is over the ``scored``, None without any."""

    conversations: int = 0
    calls: int = 0
    ms: int = 0
    scored: int = 0
    average: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """``bands`` by the place of the band, lowest 0; below all of them −1. ``top`` choices of days and groups."""

    total: Sums = field(default_factory=Sums)
    days: dict[date, Sums] = field(default_factory=dict)
    groups: dict[str, Sums] = field(default_factory=dict)
    bands: dict[int, int] = field(default_factory=dict)
    choices: dict[str, Sums] = field(default_factory=dict)
    top_of_days: dict[date, str] = field(default_factory=dict)
    top_of_groups: dict[str, str] = field(default_factory=dict)


def summary_of(calls: TenantQuerySet, zone: str, score: CustomField | None, choice: CustomField | None) -> Summary:
    """Sum the conversations by day in ``zone``, group, band of ``score`` and member of ``choice``, in two queries.

    Without a ``choice`` one query. Choices come with the most frequent first.
    """
    total, days, groups, bands = Sums(), {}, {}, {}
    score_id = None if score is None else score.pk
    starts = [] if score is None else [band.start for band in bands_of(score.definition)]
    for what, day, part, band, *sums in _rows(SCORED, calls, [zone, starts, score_id]):
        if what == OVER_ALL:
            total = Sums(*sums)
        elif what == BY_DAY:
            days[day] = Sums(*sums)
        elif what == BY_PART:
            groups[part] = Sums(*sums)
        elif band is not None:
            bands[band - 1] = sums[0]
    found = Summary(total, days, groups, bands)
    if choice is None:
        return found
    for _what, day, part, member, *sums in _rows(CHOSEN, calls, [zone, choice.pk, score_id]):
        if day is not None:
            found.top_of_days[day] = member
        elif part is not None:
            found.top_of_groups[part] = member
        else:
            found.choices[member] = Sums(*sums)
    return found


def _rows(statement: str, calls: TenantQuerySet, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    rows = calls.select_related(None).order_by().values_list(*COLUMNS)
    try:
        inner, values = rows.query.sql_with_params()
    except EmptyResultSet:
        return []
    with connection.cursor() as cursor:
        cursor.execute(statement.format(calls=inner), [*values, *parameters])
        return list(cursor.fetchall())
