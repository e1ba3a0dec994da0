"""A chain of two engines for tests: the pipeline's own, and one at the server of another vendor."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django.db.models.functions import Now

from jobs.models import Cleanup, JobDefinition, Record
from jobs.passes.running import run_pass
from jobs.selectors import later_work
from jobs.upkeep.cleanups import run_cleanups
from licensing.models import Entry
from tenants.services import allow_address
from tests.engines.standing_in import KEY, StandIn
from tests.polling import until
from transcription.models import SpeechEngine
from transcription.services import save_engine

if TYPE_CHECKING:
    from tests.jobs.conftest import Pipeline

POST = {"method": "POST", "path_prefix": "/v2/transcriptions"}
GET = {"method": "GET", "path_prefix": "/v2/transcriptions/"}
REFUSED = {"match": POST, "status": 415}


@pytest.fixture(scope="module")
def second_server(tmp_path_factory) -> Iterator[StandIn]:
    """The server of the second engine, another vendor's."""
    server = StandIn("speechmatics", tmp_path_factory.mktemp("second") / "data", "--key", KEY)
    yield server
    server.stop()


@pytest.fixture
def second(second_server) -> Iterator[StandIn]:
    """Without faults."""
    yield second_server
    second_server.control("DELETE", "/_emu/faults")


@pytest.fixture
def engine_b(pipeline: "Pipeline", second: StandIn, system) -> SpeechEngine:
    """The second engine, not in the job yet."""
    by = {"actor": "test", "audit_tenant": system}
    allow_address(cidr="127.0.0.1/32", port=int(second.url.rsplit(":", 1)[1]), note="tests", **by)
    return save_engine(
        engine=None,
        values={
            "name": "Other",
            "engine_type": "speechmatics",
            "enabled": True,
            "visibility": "global",
            "tenant": None,
        },
        settings={"address": second.url},
        secrets={"api_key": KEY},
        **by,
    )


@pytest.fixture
def chained(pipeline: "Pipeline", engine_b: SpeechEngine) -> "Pipeline":
    """The job with both."""
    chain(pipeline, engine_b)
    return pipeline


def chain(pipeline: "Pipeline", *others: SpeechEngine, **settings) -> None:
    """Give the job these further engines."""
    job = JobDefinition.objects.get(pk=pipeline.job.pk)
    job.settings = {"engine": pipeline.engine.pk, "fallbacks": [engine.pk for engine in others], **settings}
    job.save()


def sweep(pipeline: "Pipeline") -> None:
    """A pass for each place, as the tick starts them; what waits is due."""
    Record.objects.filter(state="in_progress", lease_until=None).update(next_at=Now())
    for job_id, place in [(pipeline.job.pk, 0), *later_work()]:
        run_pass(job_id, place)


def at_second(pipeline: "Pipeline", call) -> Record:
    """The record, once the first engine has passed it on."""
    until(lambda: sweep_first(pipeline) or pipeline.record_of(call).place == 1, every=0.05)
    return pipeline.record_of(call)


def sweep_first(pipeline: "Pipeline") -> None:
    Record.objects.filter(state="in_progress", place=0, lease_until=None).update(next_at=Now())
    run_pass(pipeline.job.pk)


def finish(pipeline: "Pipeline", call, seconds: float = 10) -> Record:
    """Until the record has ended."""
    until(lambda: sweep(pipeline) or pipeline.record_of(call).state != "in_progress", seconds=seconds, every=0.05)
    return pipeline.record_of(call)


def left(pipeline: "Pipeline", second: StandIn, record: Record) -> tuple[int, int]:
    """How many jobs of the record either provider has, once all is cleaned up."""
    Cleanup.objects.update(due_at=Now())
    run_cleanups()
    assert not Cleanup.objects.exists()
    ours = f"parlance-{record.pk}-"
    first = pipeline.server.call("GET", "/v2/transcriptions?limit=200").json["items"]
    there = second.control("GET", "/_emu/jobs")["jobs"]
    return (
        sum(item["config"]["metadata"].get("ref", "").startswith(ours) for item in first),
        sum(ours in str(job) and job["status"] not in ("deleted", "expired") for job in there),
    )


def fault(pipeline: "Pipeline", **values) -> None:
    pipeline.server.control("POST", "/_emu/faults", values)


def books(record: Record) -> list[tuple[str, str]]:
    """The ledger's entries of the record: step and engine."""
    return list(Entry.objects.filter(record=record.pk).order_by("pk").values_list("step", "engine"))
