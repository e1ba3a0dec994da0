"""What the tests of sweeps share: jobs of the other data sources, their position, and passes over them."""

from typing import Any

from jobs.models import Continuation, JobDefinition, Record
from jobs.passes.claiming import claim_due
from jobs.passes.runs import current_run
from jobs.services import request_start, save_job
from jobs.sweeps.sweeping import take_slice
from tests.jobs.conftest import Pipeline, job_values


def sweep_job(pipeline: Pipeline, system: Any, source: str = "token", **changes: Any) -> JobDefinition:
    """A job of the source, manual unless told otherwise, with the filters of the pipeline's job."""
    values = job_values(pipeline.engine, None, name=f"Sweep {source}", data_source=source, schedule="manual") | changes
    return save_job(job=None, values=values, tenant_groups=[], publish_to=[], actor="test", audit_tenant=system)


def start(job: JobDefinition, system: Any) -> None:
    """As the button does."""
    request_start(job=job, actor="test", audit_tenant=system)
    job.refresh_from_db()


def slices(job: JobDefinition, *, count: int = 100) -> int:
    """Slices until one takes nothing; how many records there were."""
    total = 0
    while made := take_slice(job, current_run(job), count=count):
        total += made
    return total


def place_of(job: JobDefinition) -> Continuation:
    """The position as it stands."""
    return Continuation.objects.get(job=job)


def taken_by(job: JobDefinition) -> list[Any]:
    """The conversations of the job's records, in the order of the records."""
    return list(Record.objects.filter(job=job).order_by("pk").values_list("record_id", flat=True))


def end_all(job: JobDefinition, state: str = "completed") -> None:
    """Everything in progress has ended."""
    Record.objects.filter(job=job, state="in_progress").update(state=state, stage="done")


def claimed_by(job: JobDefinition, **options: Any) -> list[Any]:
    """Ids of the records that one claim takes, oldest first."""
    return [record.record_id for record in claim_due(job, current_run(job), **{"count": 100, **options})]
