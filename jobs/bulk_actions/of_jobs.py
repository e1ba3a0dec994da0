"""Enable, disable, pause and start several jobs at once; what cannot be changed is skipped and named."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from core.errors import Conflict
from jobs.models import JobDefinition
from jobs.services import pause_job, set_enabled, start_job
from tenants.models import Tenant

CHANGES: dict[str, Callable[..., object]] = {
    "enable": partial(set_enabled, enabled=True),
    "disable": partial(set_enabled, enabled=False),
    "pause": pause_job,
    "start": start_job,
}


@dataclass(slots=True)
class Changed:
    """How many jobs were changed, and why each of the others was not: (name, reason)."""

    number: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)


def change_jobs(*, jobs: Iterable[JobDefinition], action: str, actor: str, audit_tenant: Tenant) -> Changed:
    """Apply one of ``CHANGES`` to each job in a transaction of its own, each with its audit row.

    Not one transaction for all: disabling a job may abort very many records.
    """
    done = Changed()
    for job in jobs:
        try:
            CHANGES[action](job=job, actor=actor, audit_tenant=audit_tenant)
        except Conflict as error:
            done.skipped.append((job.name, error.message))
        else:
            done.number += 1
    return done
