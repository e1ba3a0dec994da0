"""How often a user may call (section 8): counted by the minute in the cache. Without the cache nobody is refused."""

import logging
import time
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError

from accounts.realms.access import Caller
from miaop.errors import ApiError

logger = logging.getLogger(__name__)
MINUTE = 60


@dataclass(frozen=True, slots=True)
class Rate:
    """One counter of a user; ``setting`` names the most that a minute holds."""

    name: str
    setting: str


REQUESTS = Rate("requests", "MIAOP_REQUESTS_A_MINUTE")
SUBMISSIONS = Rate("submissions", "MIAOP_SUBMISSIONS_A_MINUTE")


def count(caller: Caller, rate: Rate) -> None:
    """Count one call. Raises ApiError 429 with ``Retry-After`` beyond the rate."""
    minute, passed = divmod(int(time.time()), MINUTE)
    key = f"miaop-{rate.name}:{caller.user.pk}:{minute}"
    try:
        cache.add(key, 0, 2 * MINUTE)
        number = cache.incr(key)
    except (RedisError, OSError, ValueError):
        logger.warning("The cache does not count the calls of the offline-task API")
        return
    if number > getattr(settings, rate.setting):
        headers = {"Retry-After": str(MINUTE - passed)}
        raise ApiError(429, "TOO_MANY_REQUESTS", f"Too many {rate.name} in this minute.", headers=headers)
