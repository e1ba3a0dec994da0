"""Work that one worker at a time has in hand: a lease that ends by itself, and a fence that tells who took it last.

Models of such work have ``lease_until`` (None: nobody has it) and ``fence``, a number that rises whenever it is taken.
Who writes names the fence that he took; a worker that was thought dead meets no row.
"""

from datetime import timedelta
from typing import Any

from django.db.models import F, Q, QuerySet
from django.utils import timezone


def free() -> Q:
    """What nobody has in hand: never taken, given back, or of a worker that died and whose lease is over."""
    return Q(lease_until__isnull=True) | Q(lease_until__lt=timezone.now())


def take(row: QuerySet[Any], seconds: float) -> bool:
    """Take the one row of ``row`` for so long, when it is free; False when somebody else has it."""
    until = timezone.now() + timedelta(seconds=seconds)
    return bool(row.filter(free()).update(lease_until=until, fence=F("fence") + 1))
