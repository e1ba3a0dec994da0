"""A record that kills every worker that touches it takes three, and then the rest of the queue goes on (R6)."""

import time

import pytest
from django.urls import reverse

from jobs.models import JobDefinition, Record, RecordEvent
from tests.databases import db  # noqa: F401 - the child sees only what is committed
from tests.faults.test_charged_once import LEASE_S, die_at
from tests.jobs.conftest import Pipeline, pipeline, root, speech, speech_server  # noqa: F401
from tests.polling import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180), pytest.mark.xdist_group("charged once")]


@pytest.fixture
def work(db, pipeline: Pipeline) -> Pipeline:  # noqa: F811
    """The pipeline with a short lease, on a database that others see."""
    JobDefinition.objects.filter(pk=pipeline.job.pk).update(lease_seconds=LEASE_S)
    return pipeline


def lease_ends(call_record):
    """Wait until the dead worker's lease has run out."""
    until(lambda: not Record.objects.filter(pk=call_record, lease_until__gt=_now()).exists(), seconds=LEASE_S + 10)


def _now():
    from django.utils import timezone

    return timezone.now()


def test_three_workers_die_then_it_is_set_aside_as_its_own_cause_and_the_others_are_done(work, db, root, monkeypatch):  # noqa: F811
    bad, good = work.call(), work.call()
    monkeypatch.setenv("POISON", str(bad.pk))
    for death in range(3):
        die_at(work, db, "poison", "before")
        record = work.record_of(bad)
        assert (record.state, record.crashes) == ("in_progress", death)
        lease_ends(record.pk)
    began = time.monotonic()
    records = work.finish(bad, good)
    assert time.monotonic() - began < 25

    assert [(record.state, record.reason) for record in records] == [("failed", "crashed"), ("completed", "")]
    assert len(work.uploads(bad)) == 0
    assert len({line["job"] for line in work.uploads(good) if line.get("job")}) == 1
    letters = root.get(reverse("dead_letters:list", args=[work.queue.pk]))
    assert [(cause["reason"], cause["number"]) for cause in letters.context["causes"]] == [("crashed", 1)]
    page = root.get(reverse("jobs:record", args=[work.job.pk, records[0].pk])).content.decode()
    assert "Processing crashed three times" in page
    assert "3 workers have died while they held this record" in page
    steps = RecordEvent.objects.filter(record=records[0]).order_by("pk").values_list("step", flat=True)
    assert list(steps) == ["taken over", "taken over", "taken over", "failed"]
