"""The wizard: number, minutes, price and time before anything starts; then a job that does what was foretold."""

import pytest
from django.core.cache import cache

from audit.models import AuditEntry
from jobs.models import JobDefinition
from jobs.sweeps import estimating
from jobs.tasks import estimate as estimate_task
from queues.models import QueueItem
from tests.jobs.pages import backfill_form, shown, url
from tests.jobs.sweeps import place_of, slices, taken_by
from transcription.models import SpeechPrice

pytestmark = pytest.mark.django_db


@pytest.fixture
def october(pipeline, globex):
    """Two licensed calls of October and one without a licence; one of November; one of another tenant."""
    made = [pipeline.call(started_at=f"2026-10-{day}T12:00:00+00:00", seconds=6) for day in ("10", "20")]
    pipeline.call(started_at="2026-10-15T12:00:00+00:00", username="olga")
    pipeline.call(started_at="2026-11-02T12:00:00+00:00")
    pipeline.call(started_at="2026-10-11T12:00:00+00:00", tenant=globex, username="")
    QueueItem.objects.all().delete()
    return made


@pytest.fixture
def post(root, pipeline):
    def post_form(action="preview", **changes):
        return root.post(url("backfill"), backfill_form(pipeline.engine, action=action, **changes))

    return post_form


@pytest.fixture
def estimated(post):
    """Ask, let the worker count until it is done, and ask again; the page."""

    def ask(**changes):
        first = post(**changes)
        assert first.status_code == 200, first.context["form"].errors
        assert first.context["asking"]
        estimate_task(first.context["estimate_key"])
        second = post(**changes)
        assert not second.context["asking"]
        return second

    return ask


def priced(engine, per_minute):
    SpeechPrice.objects.create(engine=engine, valid_from="2026-01-01", currency="EUR", per_minute=per_minute)


def test_the_estimate_says_number_minutes_price_and_time(estimated, october, pipeline):
    priced(pipeline.engine, "0.5")
    page = estimated(throttle="1")
    found = page.context["estimate"]
    assert (found.found, found.fit, found.seconds, found.done) == (4, 2, 12, True)
    assert str(page.context["price"]) == "0.10"
    assert page.context["lasts"] == "2 min"
    text = page.content.decode()
    assert "0.10" in text
    assert "0.5 a minute" in text
    assert "Ends not before" in text
    assert not JobDefinition.objects.filter(data_source="token").exists()


def test_without_a_price_it_says_that_none_is_known(estimated, october):
    page = estimated()
    assert page.context["price"] is None
    assert "the engine has no price per minute" in page.content.decode()


def test_an_estimate_is_counted_in_steps_and_given_up_when_nobody_waits(post, october, monkeypatch):
    monkeypatch.setattr(estimating, "STEP_S", -1.0)
    page = post()
    key = page.context["estimate_key"]
    assert estimating.step(key) is True
    partial = post()
    assert partial.context["asking"]
    assert not partial.context["estimate"].done
    assert "Estimate so far" in partial.content.decode()
    cache.delete(f"{key}:wanted")
    assert estimating.step(key) is False


@pytest.mark.parametrize("batch", [1, 2, 250])
def test_an_estimate_counts_the_same_in_batches_of_any_size(estimated, october, monkeypatch, batch):
    monkeypatch.setattr(estimating, "BATCH", batch)
    found = estimated().context["estimate"]
    assert (found.found, found.fit, found.seconds) == (4, 2, 12)


def test_nothing_starts_before_the_estimate_was_there_for_exactly_this(post, estimated, october):
    refused = post("start")
    assert refused.status_code == 409
    assert "Look at the estimate first" in refused.content.decode()
    estimated()
    assert post("start", last_day="2026-10-30").status_code == 409
    assert not JobDefinition.objects.filter(data_source="token").exists()
    assert post("start").status_code == 302


def test_the_job_it_starts_takes_what_was_foretold(post, estimated, october, root, system):
    estimated()
    assert post("start", budget_minutes="10").status_code == 302
    job = JobDefinition.objects.get(name="Repair October")
    assert (job.data_source, job.schedule, job.throttle, job.budget_minutes) == ("token", "manual", 30, 10)
    assert job.lag_target_s == 300
    assert job.start_requested_at is not None
    assert place_of(job).expected == 4
    rows = AuditEntry.objects.filter(action="job.backfill_started")
    assert rows.get().target_id == str(job.pk)
    page = shown(root, url("latest_run", job.pk))
    assert "0 of 4 conversations" in page
    assert "30 records a minute" in page
    assert "0.0 of 10 minutes of audio" in page
    assert slices(job) == 4
    assert {call.pk for call in october} <= set(taken_by(job))
    page = shown(root, url("latest_run", job.pk))
    assert "At the end" in page
    assert "0.2 of 10 minutes of audio" in page


def test_what_is_transcribed_already_can_be_left_out(estimated, october, pipeline):
    clause = {"clause_1_field": "call.transcription", "clause_1_0": "is_not", "clause_1_1": "completed"}
    assert estimated(**clause).context["estimate"].fit == 2
    cache.clear()
    from conversations.services import set_transcription_states
    from tenants.doors import enter
    from tenants.models import Tenant

    with enter(Tenant.objects.get(slug="acme")):
        set_transcription_states(states={october[0].pk: ("completed", "")})
    assert estimated(**clause).context["estimate"].fit == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"first_day": "2026-11-01"}, "last_day"),
        ({"first_day": ""}, "first_day"),
        ({"last_day": "2026-02-30"}, "last_day"),
        ({"throttle": ""}, "throttle"),
        ({"throttle": "0"}, "throttle"),
        ({"budget_minutes": "-1"}, "budget_minutes"),
        ({"lag_target_s": "99999999"}, "lag_target_s"),
        ({"engine": ""}, "engine"),
        ({"access_scope": "one_tenant"}, "tenant"),
    ],
)
def test_bad_input_names_the_field(post, pipeline, changes, field):
    page = post(**changes)
    assert page.status_code == 422
    assert field in page.context["form"].errors


def test_nothing_and_beyond_the_budget_are_said(estimated, october):
    nothing = estimated(clause_1_field="call.group", clause_1_0="is", clause_1_1="Nobody")
    assert "Nothing would be processed" in nothing.content.decode()
    assert "The budget stops it" not in estimated(budget_minutes="1").content.decode()
