"""The continuation token: the position of a sweep as readable JSON that only its own job accepts.

It holds the id of the job and a signature, so that a token of another job, or one that was changed by hand, is told
from a good one. It grants nothing: whoever may change the job may bring it back to any position it had.
"""

import json
import uuid
from datetime import datetime
from typing import Any

from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from core.errors import InvalidInput
from jobs.models import Continuation

MOST = 4000
SALT = "jobs.continuation"
COUNTS = ("sweep", "tenants", "seen", "taken", "again", "seconds")
KEYS = {"job", "state", "tenant", "after", "until", *COUNTS, "check"}


def token_of(place: Continuation) -> str:
    """The position as JSON, in a fixed order, with its signature at the end."""
    values = {
        "job": place.job_id,
        "sweep": place.number,
        "state": place.state,
        "tenant": None if place.at_tenant is None else str(place.at_tenant),
        "after": None if place.after_id is None else [_text(place.after_time), str(place.after_id)],
        "until": _text(place.until),
        "tenants": place.tenants,
        "seen": place.seen,
        "taken": place.taken,
        "again": place.again,
        "seconds": place.seconds,
    }
    return json.dumps({**values, "check": _check(values)}, indent=1)


def position_of(text: str, job_id: int) -> dict[str, Any]:
    """The values of a Continuation that ``text`` stands for.

    Raises InvalidInput("token", …): no JSON, other keys, the token of another job, or a signature that does not fit.
    """
    try:
        values = json.loads(text) if len(text) <= MOST else None
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) or set(values) != KEYS:
        raise InvalidInput("token", _("This is no continuation token: paste the whole text, from “{” to “}”."))
    if values["job"] != job_id:
        text = _("This is the token of another job (no. %(job)s). A token is good only for the job that made it.")
        raise InvalidInput("token", text % {"job": str(values["job"])[:20]})
    check = values.pop("check")
    if not isinstance(check, str) or not constant_time_compare(check, _check(values)):
        raise InvalidInput("token", _("The token was changed or cut off: its check does not fit what it says."))
    after = values["after"] or [None, None]
    return {
        "number": values["sweep"],
        "state": values["state"],
        "at_tenant": None if values["tenant"] is None else uuid.UUID(values["tenant"]),
        "after_time": _time(after[0]),
        "after_id": None if after[1] is None else uuid.UUID(after[1]),
        "until": _time(values["until"]),
        **{name: values[name] for name in COUNTS if name != "sweep"},
    }


def _check(values: dict[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True)
    return salted_hmac(SALT, text, algorithm="sha256").hexdigest()[:32]


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _time(text: str | None) -> datetime | None:
    return None if text is None else parse_datetime(text)
