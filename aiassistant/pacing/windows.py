"""Requests and tokens a minute of one engine, exact over all passes: the bucket of ADR 10, counted before sending.

What is counted comes back a minute later, so no minute, wherever it begins, sees more than the limit. Of tokens the most
that a request may take is counted first, and what it took once the engine has said so. Times are rounded up to whole
seconds, which keeps the rows short and never lets anything come back too early.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from django.db import connection, transaction

from aiassistant.pacing.models import EngineWindow
from jobs.policy.rates import Spent, comes_back, counted, free

HOUR_S, DAY_S = 3600, 24 * 3600


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests and tokens that an engine takes within a minute; None without a limit."""

    requests: int | None = None
    tokens: int | None = None

    @property
    def none(self) -> bool:
        """Nothing has to be counted."""
        return self.requests is None and self.tokens is None


@dataclass(frozen=True, slots=True)
class Taken:
    """The answer to one wish: counted under the time ``at``, or to be asked for again in ``delay_s`` seconds."""

    at: float = 0.0
    delay_s: float | None = None


def take(
    engine_id: int, limits: Limits, wishes: Sequence[int], corrections: Mapping[float, int] | None = None
) -> list[Taken]:
    """Count one request for each wish (its tokens) while there is room, in their order; the others wait.

    ``corrections`` are tokens by the time they were counted under, more or less than was thought. A wish for more tokens
    than the limit begins when the minute is empty. One short transaction, under the lock of the engine's row.
    """
    with transaction.atomic():
        row = _locked(engine_id)
        with connection.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
            now = float(cursor.fetchone()[0])
        requests, tokens = counted(row.requests, now), _corrected(counted(row.tokens, now), corrections or {})
        at = float(ceil(now))
        answers: list[Taken] = []
        begun, used, waiting_tokens, waiting = 0, 0, 0, 0
        room = None if limits.requests is None else free(requests, limits.requests, now)
        room_t = None if limits.tokens is None else free(tokens, limits.tokens, now)
        for wish in wishes:
            need = wish if limits.tokens is None else min(wish, limits.tokens)
            fits = (room is None or begun < room) and (room_t is None or used + need <= room_t)
            # In their order: a long prompt must not wait behind short ones for ever.
            if fits and not waiting:
                begun, used = begun + 1, used + need
                answers.append(Taken(at))
                continue
            delay = 0.0
            if limits.requests is not None and room is not None:
                place = waiting - (room - begun)
                spent = [*requests, [at, begun]]
                delay = comes_back(spent, limits.requests, now, place) if place >= 0 else delay
            if limits.tokens is not None and room_t is not None:
                short = waiting_tokens + need - (room_t - used)
                spent = [*tokens, [at, used]]
                delay = max(delay, comes_back(spent, limits.tokens, now, short - 1)) if short > 0 else delay
            waiting, waiting_tokens = waiting + 1, waiting_tokens + need
            answers.append(Taken(delay_s=max(delay, 0.05)))
        EngineWindow.objects.filter(pk=engine_id).update(
            requests=_with(requests, at, begun), tokens=_with(tokens, at, used)
        )
    return answers


def used_now(engine_id: int) -> tuple[int, int]:
    """Requests and tokens that count at this moment: what the engine's page shows."""
    row = EngineWindow.objects.filter(pk=engine_id).first()
    if row is None:
        return 0, 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        now = float(cursor.fetchone()[0])
    return tuple(int(sum(number for _at, number in counted(spent, now))) for spent in (row.requests, row.tokens))  # type: ignore[return-value]


def note_throttled(engine_id: int, number: int) -> None:
    """The engine answered so many requests with "too many": kept by the hour for a day."""
    with transaction.atomic():
        row, hour = _locked(engine_id), time.time() // HOUR_S * HOUR_S
        kept = [[at, count] for at, count in row.throttled if at > hour - DAY_S]
        EngineWindow.objects.filter(pk=engine_id).update(throttled=_with(kept, hour, number))


def throttled_today(engine_id: int) -> int:
    """How often the engine asked to wait within about a day."""
    row = EngineWindow.objects.filter(pk=engine_id).first()
    since = time.time() - DAY_S
    return 0 if row is None else int(sum(number for at, number in row.throttled if at > since))


def _locked(engine_id: int) -> EngineWindow:
    found = EngineWindow.objects.select_for_update().filter(pk=engine_id).first()
    if found is None:
        EngineWindow.objects.bulk_create([EngineWindow(engine_id=engine_id)], ignore_conflicts=True)
        found = EngineWindow.objects.select_for_update().get(pk=engine_id)
    return found


def _corrected(spent: Spent, corrections: Mapping[float, int]) -> Spent:
    """What turned out otherwise; what no longer counts is not corrected."""
    return [[at, max(number + corrections.get(at, 0), 0)] for at, number in spent]


def _with(spent: Spent, at: float, number: int) -> Spent:
    if not number:
        return spent
    if spent and spent[-1][0] == at:
        return [*spent[:-1], [at, spent[-1][1] + number]]
    return [*spent, [at, number]]
