"""The rules of a job's policy: how many calls at once, how fast, with what priority, how often again, how long.

Every bound fails closed: what is no number of the allowed range is refused, never taken as "no limit".
"""

import math
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from core.errors import InvalidInput
from jobs.models import JobDefinition, Priority
from jobs.sweeps.sources import MOST_PER_MINUTE
from tenants.models import Tenant

MOST_CALLS = 1000
MOST_WEIGHT = 100
MOST_WEIGHTS = 1000
LEAST_FACTOR, MOST_FACTOR = 1.0, 10.0
MOST_PAUSE_S = 24 * 3600
MOST_REQUEST_S = 3600
MOST_CONVERSATION_MIN = 30 * 24 * 60
# The greatest value of each; the smallest is 1. Blank is without a limit of the job's own.
BOUNDS = {
    "concurrency": MOST_CALLS,
    "rate": MOST_PER_MINUTE,
    "tenant_rate": MOST_PER_MINUTE,
    "request_timeout_s": MOST_REQUEST_S,
    "conversation_timeout_min": MOST_CONVERSATION_MIN,
}
PAUSES = {"retry_base_s": MOST_PAUSE_S, "retry_max_s": MOST_PAUSE_S}
POLICY = ("priority", *BOUNDS, "tenant_weights", *PAUSES, "retry_factor")


def policy_values(job: JobDefinition | None, values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` with every field of the policy as it is stored; what is not given keeps its value, or has its default.

    Raises InvalidInput naming field and rule.
    """
    stored = {name: values.get(name, _before(job, name)) for name in POLICY}
    for name, most in BOUNDS.items():
        stored[name] = _whole(name, stored[name], most)
    for name, most in PAUSES.items():
        usual = _before(None, name) if stored[name] is None else stored[name]
        stored[name] = _whole(name, usual, most)
    stored["priority"] = _priority(stored["priority"])
    stored["retry_factor"] = _factor(stored["retry_factor"])
    stored["tenant_weights"] = checked_weights(stored["tenant_weights"])
    if stored["retry_max_s"] < stored["retry_base_s"]:
        raise InvalidInput("retry_max_s", _("The longest pause cannot be shorter than the first."))
    return {**values, **stored}


def checked_weights(weights: Any) -> dict[str, int]:
    """Weights by short name of a tenant, those of 1 left out. Raises InvalidInput."""
    if weights is None:
        return {}
    if not isinstance(weights, dict) or len(weights) > MOST_WEIGHTS:
        raise InvalidInput(
            "tenant_weights", _("At most %(most)s tenants can be named.") % {"most": f"{MOST_WEIGHTS:,}"}
        )
    known = set(Tenant.objects.filter(slug__in=list(weights)).values_list("slug", flat=True))
    for slug, weight in weights.items():
        if slug not in known:
            text = _("There is no tenant with the short name “%(name)s”.")
            raise InvalidInput("tenant_weights", text % {"name": str(slug)[:40]})
        _whole("tenant_weights", weight, MOST_WEIGHT)
    return {slug: weight for slug, weight in sorted(weights.items()) if weight != 1}


def weights_from(text: str) -> dict[str, int]:
    """Weights as people write them, one ``tenant = weight`` a line. Raises InvalidInput naming the line."""
    weights: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        slug, _sign, weight = (part.strip() for part in line.partition("="))
        if not slug or not (weight.isascii() and weight.isdigit()) or len(weight) > 6:
            wanted = _(
                "Line %(number)s: write the short name of a tenant, an equals sign and a weight, as in acme = 3."
            )
            raise InvalidInput("tenant_weights", wanted % {"number": number})
        if slug in weights:
            twice = _("Line %(number)s: the tenant “%(name)s” is named twice.")
            raise InvalidInput("tenant_weights", twice % {"number": number, "name": slug[:40]})
        weights[slug] = int(weight)
    return weights


def weights_text(weights: Mapping[str, int]) -> str:
    """As ``weights_from`` reads them."""
    return "\n".join(f"{slug} = {weight}" for slug, weight in sorted(weights.items()))


def _before(job: JobDefinition | None, name: str) -> Any:
    return getattr(job, name) if job is not None else JobDefinition._meta.get_field(name).get_default()  # type: ignore[union-attr]


def _whole(name: str, number: Any, most: int) -> int | None:
    if number is None:
        return None
    # True and False are numbers to Python, and to nobody else.
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= most:
        raise InvalidInput(name, _("This must be a whole number from 1 to %(most)s.") % {"most": f"{most:,}"})
    return number


def _priority(value: Any) -> int:
    value = Priority.NORMAL if value is None else value
    if value not in Priority.values:
        raise InvalidInput("priority", _("There is no such priority."))
    return int(value)


def _factor(value: Any) -> float:
    value = 2.0 if value is None else value
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or not LEAST_FACTOR <= value <= MOST_FACTOR:
        raise InvalidInput("retry_factor", _("This must be a number from 1 to 10."))
    return float(value)
