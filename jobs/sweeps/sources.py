"""The rules of the four data sources of a job (domain T18, C34). Pure functions."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from core.errors import InvalidInput
from jobs.models import FULL_MODES, DataSource, EndedRecords, JobDefinition, Schedule

MOST_PER_MINUTE = 100_000
MOST_MINUTES = 100_000_000
MOST_LAG_S = 7 * 24 * 3600


def source_values(job: JobDefinition | None, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with those of the data source as they are stored: what another source would need is dropped.

    Raises InvalidInput: no source or a deprecated one, a queue that is missing, a schedule that would never end.
    """
    source = values["data_source"]
    _check_source(job, source)
    if source == DataSource.QUEUE and values["source_queue"] is None:
        raise InvalidInput("source_queue", _("The data source “Incremental using queue” needs a queue."))
    if source == DataSource.FULL and values["schedule"] == Schedule.CONTINUOUS:
        text = _("Full mode on each run would process everything over and over: choose another schedule.")
        raise InvalidInput("schedule", text)
    full = source in FULL_MODES
    kept = {
        "source_queue": values["source_queue"] if source == DataSource.QUEUE else None,
        "ended_records": values.get("ended_records", EndedRecords.LEAVE)
        if source in (DataSource.STORAGE, DataSource.TOKEN)
        else EndedRecords.LEAVE,
        "throttle": _number("throttle", values, MOST_PER_MINUTE) if full else None,
        "budget_minutes": _number("budget_minutes", values, MOST_MINUTES) if full else None,
        "lag_target_s": _number("lag_target_s", values, MOST_LAG_S) if full else None,
    }
    return {**values, **kept}


def deprecated_barred(job: JobDefinition | None) -> bool:
    """Whether the deprecated source may not be chosen: only for jobs that have it already, or where a setting allows."""
    has_it = job is not None and job.data_source == DataSource.STORAGE
    return not has_it and not settings.ALLOW_STORAGE_SOURCE


def _check_source(job: JobDefinition | None, source: str) -> None:
    if source not in DataSource.values:
        raise InvalidInput("data_source", _("There is no such data source."))
    if source == DataSource.STORAGE and deprecated_barred(job):
        raise InvalidInput(
            "data_source", _("This data source is deprecated and not enabled for new jobs. Choose the queue.")
        )


def _number(name: str, values: Mapping[str, Any], most: int) -> int | None:
    number = values.get(name)
    if number is None:
        return None
    if not isinstance(number, int) or not 1 <= number <= most:
        raise InvalidInput(name, _("This must be a whole number from 1 to %(most)s.") % {"most": f"{most:,}"})
    return number
