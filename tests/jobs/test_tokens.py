"""The continuation token: readable, good for its own job alone, replaced and reset with a row in the audit trail."""

import json

import pytest

from audit.models import AuditEntry
from jobs.models import Continuation, Record
from jobs.passes.runs import current_run
from jobs.sweeps.sweeping import take_slice
from jobs.sweeps.tokens import token_of
from tests.jobs.pages import shown, url
from tests.jobs.sweeps import end_all, place_of, slices, start, sweep_job, taken_by

pytestmark = pytest.mark.django_db


@pytest.fixture
def calls(pipeline):
    return [pipeline.call(started_at=f"2026-11-0{day}T10:00:00+00:00") for day in range(1, 6)]


@pytest.fixture
def job(pipeline, calls, system, acme):
    """Two of the five calls are taken in."""
    made = sweep_job(pipeline, system, access_scope="one_tenant", tenant=acme)
    start(made, system)
    assert take_slice(made, current_run(made), count=2) == 2
    return made


def post(root, job, text):
    return root.post(url("token", job.pk), {"token": text})


def error_of(page):
    assert page.status_code == 422
    return str(page.context["form"].errors["token"])


def test_the_token_is_readable_and_stands_on_the_page_of_the_job(root, job, acme, calls):
    token = token_of(place_of(job))
    read = json.loads(token)
    assert read["job"] == job.pk
    assert read["tenant"] == str(acme.pk)
    assert read["after"] == ["2026-11-02T10:00:00+00:00", str(calls[1].pk)]
    assert (read["seen"], read["taken"]) == (2, 2)
    page = shown(root, url("latest_run", job.pk))
    assert "Continuation token" in page
    assert str(calls[1].pk) in page
    assert url("token_reset", job.pk) in page
    assert read["check"] in shown(root, url("token", job.pk))


def test_a_sweep_goes_on_from_an_earlier_token_and_takes_nothing_twice(root, job, calls):
    early = token_of(place_of(job))
    assert take_slice(job, current_run(job), count=2) == 2
    assert post(root, job, early).status_code == 302
    assert place_of(job).seen == 2
    assert slices(job) == 1
    assert taken_by(job) == [call.pk for call in calls]
    assert place_of(job).seen == 5
    row = AuditEntry.objects.filter(action="job.token_imported").get()
    assert '"seen": 4' in row.details["before"]
    assert '"seen": 2' in row.details["after"]


def test_the_token_of_another_job_is_refused_and_says_whose_it_is(root, job, pipeline, system):
    other = sweep_job(pipeline, system, name="Other")
    before = place_of(job)
    error = error_of(post(root, job, token_of(place_of(other))))
    assert f"another job (no. {other.pk})" in error
    assert place_of(job).version == before.version
    assert not AuditEntry.objects.filter(action="job.token_imported").exists()


@pytest.mark.parametrize(
    "change", ['"seen": 1', '"seen": 999', '"job": true', '"check": 5', '"check": null', '"tenant": "x"']
)
def test_a_token_that_was_changed_is_refused(root, job, change):
    name, value = change.split(": ")
    token = json.loads(token_of(place_of(job)))
    token[json.loads(name)] = json.loads(value)
    assert error_of(post(root, job, json.dumps(token)))
    assert place_of(job).seen == 2


@pytest.mark.parametrize("text", ["x", "{}", "[]", "null", "1", "[" * 3000, '{"job": 1}', "\u0000{", "{" + " " * 5000])
def test_what_is_no_token_is_refused(root, job, text):
    assert error_of(post(root, job, text))
    assert place_of(job).seen == 2


def test_reset_begins_anew_and_leaves_one_row_in_the_trail(root, job, calls):
    assert "2 conversations" in shown(root, url("token_reset", job.pk))
    assert root.post(url("token_reset", job.pk)).status_code == 302
    place = place_of(job)
    assert (place.state, place.seen, place.at_tenant, place.number) == ("ready", 0, None, 2)
    assert AuditEntry.objects.filter(action="job.token_reset").count() == 1
    assert slices(job) == 3
    assert place_of(job).seen == 5
    assert taken_by(job) == [call.pk for call in calls]


def test_after_a_reset_what_has_ended_is_processed_again_where_the_job_says_so(root, job, calls):
    slices(job)
    end_all(job)
    job.ended_records = "again"
    job.save()
    assert "charged" in shown(root, url("token_reset", job.pk))
    root.post(url("token_reset", job.pk))
    assert slices(job) == 5
    assert set(Record.objects.filter(job=job).values_list("generation", flat=True)) == {2}


def test_a_job_without_a_token_has_none_of_these_pages(root, pipeline):
    for name in ("token", "token_reset"):
        assert root.get(url(name, pipeline.job.pk)).status_code == 404
    assert not Continuation.objects.filter(job=pipeline.job).exists()
