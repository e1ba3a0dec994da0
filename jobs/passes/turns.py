"""Taking in turns: whose records come next, and how many of each tenant, without looking at all of everybody's.

A batch is filled from a window of busy tenants; the next batch goes on behind it, round and round. Within a window every
tenant offers about as many as its weight entitles it to; when some have less, those who have more are asked again.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from django.db import connection

from jobs.passes.crew import Share
from tenants.models import Tenant

WINDOW = 512
# Windows that are looked through for one batch when the first ones do not fill it.
MOST_WINDOWS = 4
FIRST = uuid.UUID(int=0)


@dataclass
class Turns:
    """The weights of a job's tenants, our share of them, and behind which tenant each search goes on; one for each pass.

    ``busy`` is how many tenants had something when last looked.
    """

    weights: Mapping[uuid.UUID, int] = field(default_factory=dict)
    window: int = WINDOW
    behind: dict[str, uuid.UUID] = field(default_factory=dict)
    share: Share = field(default_factory=Share)
    busy: int = 0

    def next_window(self, statement: str, owner: int) -> tuple[list[uuid.UUID], bool]:
        """The next busy tenants, and whether these are all that there are."""
        after = self.behind.get(statement, FIRST)
        found = _tenants(statement, owner, after, self.window)
        if len(found) < self.window and after != FIRST:
            found += [key for key in _tenants(statement, owner, FIRST, self.window - len(found)) if key <= after]
        complete = len(found) < self.window
        self.busy = len(found)
        self.behind[statement] = FIRST if complete else found[-1]
        return found, complete


def weights_of(named: Mapping[str, int]) -> dict[uuid.UUID, int]:
    """Weights by tenant from those by short name; a tenant that is gone is left out."""
    if not named:
        return {}
    return {key: named[slug] for key, slug in Tenant.objects.filter(slug__in=named).values_list("pk", "slug")}


def portions(tenants: Collection[uuid.UUID], weights: Mapping[uuid.UUID, int], count: int) -> list[int]:
    """How many rows of each tenant are looked at to fill a batch of ``count``: twice its share, so together 2 × count."""
    total = sum(weights.get(tenant, 1) for tenant in tenants)
    return [min(ceil(2 * count * weights.get(tenant, 1) / total), count) for tenant in tenants]


def in_turns(
    turns: Turns,
    statement: str,
    owner: int | None,
    take: Callable[[dict[str, Any]], list[uuid.UUID]],
    *,
    count: int,
    each: int | None = None,
    shut: Collection[uuid.UUID] = (),
) -> int:
    """Fill a batch of ``count`` by calls of ``take``, which returns the tenant of each row; return how many it took.

    ``statement`` finds the busy tenants of ``owner``. Of one tenant at most ``each`` are taken, of those in ``shut`` none.
    Tenants of another pass's share have their turn when those of our own have nothing.
    """
    if owner is None or count < 1:
        return 0
    got, first, most = 0, None, count if each is None else min(count, each)
    windows = 0
    while got < count and (not got or windows < MOST_WINDOWS):
        window, complete = turns.next_window(statement, owner)
        if first in window and windows:
            break
        first, windows = first or next(iter(window), None), windows + 1
        open_to_us = [key for key in window if key not in shut]
        ours = [key for key in open_to_us if turns.share.has(key)]
        got += _fill(turns, ours, take, count - got, most)
        if not got and len(ours) < len(open_to_us):
            got += _fill(turns, [key for key in open_to_us if not turns.share.has(key)], take, count, most)
        if complete:
            break
    return got


def _fill(
    turns: Turns, tenants: list[uuid.UUID], take: Callable[[dict[str, Any]], list[uuid.UUID]], count: int, most: int
) -> int:
    """From one window: who gave all that was asked for may have more, and is asked again while there is room."""
    taken: Counter[uuid.UUID] = Counter()
    while tenants and taken.total() < count:
        room = count - taken.total()
        asked = [
            min(portion, most - taken[key])
            for key, portion in zip(tenants, portions(tenants, turns.weights, room), strict=True)
        ]
        weights = [float(turns.weights.get(key, 1)) for key in tenants]
        found = Counter(take({"tenants": tenants, "portions": asked, "weights": weights, "count": room}))
        taken += found
        tenants = [
            key for key, portion in zip(tenants, asked, strict=True) if found[key] >= portion and taken[key] < most
        ]
    return taken.total()


def _tenants(statement: str, owner: int, after: uuid.UUID, most: int) -> list[uuid.UUID]:
    if most < 1:
        return []
    with connection.cursor() as cursor:
        cursor.execute(statement, {"owner": owner, "after": after, "most": most})
        return [row[0] for row in cursor.fetchall()]
