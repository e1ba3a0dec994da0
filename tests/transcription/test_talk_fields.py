"""Measures of talk as custom fields: written by jobs that are told to, from the transcript that they store."""

import pytest
from django.urls import reverse

from conversations.dynamics import dynamics
from conversations.field_models import FieldValue, Origin
from conversations.models import Transcript
from conversations.selectors import transcript_data
from core.errors import Conflict
from customfields.models import CustomField
from customfields.services import delete_fields
from jobs.describing import facts
from jobs.models import Record
from tenants.doors import enter
from tests.customfields.making import made
from tests.jobs.conftest import pipeline, speech, speech_server  # noqa: F401
from tests.jobs.pages import job_form, shown, url
from transcription.talk_fields import MEASURES, load_talk_fields, talk_fields

pytestmark = pytest.mark.django_db


def values_of(tenant, call):
    """What stands in the fields of a call, by key of the measure."""
    keys = {pk: key for key, pk in talk_fields().items()}
    with enter(tenant):
        rows = FieldValue.objects.filter(record_id=call.pk, standing="current")
        return {keys[row.field_id]: row for row in rows}


def test_the_fields_are_made_once_and_a_deleted_one_stays_away(db, people):
    assert load_talk_fields() == len(MEASURES) == len(talk_fields())
    delete_fields(fields=CustomField.objects.filter(key="talk_pace"), editor=people.platform_admin)
    assert load_talk_fields() == 0
    assert "talk_pace" not in talk_fields()


def test_a_key_that_a_tenant_took_first_is_left_to_it(acme, people):
    own = made("talk_pace", "integer", tenant=acme)
    load_talk_fields()
    other = CustomField.objects.get(pk=talk_fields()["talk_pace"])
    assert (other.key, other.tenant) == ("talk_pace_measured", None)
    assert own.pk != other.pk


def test_a_field_of_another_type_under_such_a_key_is_not_ours(db):
    own = made("talk_turns", "text")
    assert load_talk_fields() == len(MEASURES)
    assert talk_fields()["talk_turns"] == CustomField.objects.get(key="talk_turns_measured").pk != own.pk


def test_only_a_job_that_is_told_to_writes_the_measures(
    pipeline,  # noqa: F811
    client_for,
    people,
    acme,
):
    load_talk_fields()
    before = pipeline.call()
    pipeline.finish(before)
    assert values_of(acme, before) == {}

    root, job = client_for(people.platform_admin), pipeline.job
    form = job_form(pipeline.queue, pipeline.engine, name=job.name, version=job.version, talk_fields="on")
    assert root.post(url("edit", job.pk), form).status_code == 302
    job.refresh_from_db()
    assert ("Measures of talk", "Yes") in facts(job)
    call = pipeline.call(seconds=16)
    [record] = pipeline.finish(call)
    assert record.state == Record.State.COMPLETED, record.reason
    found = values_of(acme, call)
    with enter(acme):
        transcript = Transcript.objects.get(call_id=call.pk)
        talk = dynamics(transcript_data(transcript))
    assert {key: row.number for key, row in found.items()} == {m.key: round(m.of(talk)) for m in MEASURES}
    assert found["talk_turns"].number > 0
    row = found["talk_pace"]
    assert (row.origin, row.engine, row.transcript_version) == (Origin.MEASURED, pipeline.engine.name, 1)
    page = shown(client_for(people.tenant_admin), reverse("conversations:call", args=[call.pk]))
    assert "Longest monologue (s)" in page
    assert f"0:{int(found['talk_longest_monologue'].number):02}" in page, "as the figures of the call say it"
    assert f"Measured from the transcript of {pipeline.engine.name}" in page


def test_a_field_that_a_job_writes_is_not_deleted(pipeline, people):  # noqa: F811
    load_talk_fields()
    pipeline.job.settings = {**pipeline.job.settings, "talk_fields": True}
    pipeline.job.save(update_fields=["settings"])
    with pytest.raises(Conflict, match=pipeline.job.name):
        delete_fields(fields=CustomField.objects.filter(key="talk_pace"), editor=people.platform_admin)
    pipeline.job.settings = {**pipeline.job.settings, "talk_fields": False}
    pipeline.job.save(update_fields=["settings"])
    assert delete_fields(fields=CustomField.objects.filter(key="talk_pace"), editor=people.platform_admin) == 1
