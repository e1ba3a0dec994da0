"""The page of one processing record."""

import json

from django.utils import timezone

from jobs.models import RecordEvent
from tests.jobs.pages import make_records, shown, url


def test_the_record_page_shows_all_fields_and_the_timeline(root, job, acme):
    record = make_records(
        job,
        acme,
        state="in_progress",
        stage="checking",
        uploads=1,
        checks=16,
        wait="polling",
        generation=2,
        reason="",
        last_error="<script>alert(1)</script>",
    )[0]
    RecordEvent.objects.create(record=record, generation=1, at=timezone.now(), step="uploaded", detail="first")
    text = shown(root, url("record", job.pk, record.pk))
    for label in (
        f"Record {record.pk} of Job",
        "Job Name",
        "First Time Processed",
        "Last Time Processed",
        "Record Type",
        str(record.record_id),
        "checking",
        "17",
        "51",
        "Next Retry Time",
        "uploaded",
        "&lt;script&gt;",
        "Abort",
        "people of this tenant",
    ):
        assert label in text, label
    assert f"/calls/{record.record_id}" not in text
    body = json.loads(root.get(url("record_json", job.pk, record.pk)).content)
    assert (body["retries"], body["max_retries"], body["events"][0]["step"]) == (17, 51, "uploaded")


def test_a_record_of_the_viewers_tenant_links_to_its_call(root, job, system):
    record = make_records(job, system)[0]
    assert f"/calls/{record.record_id}/" in shown(root, url("record", job.pk, record.pk))


def test_retry_now_and_abort_need_the_right_state(root, job, acme):
    record = make_records(job, acme, state="failed")[0]
    refused = root.post(url("record_abort", job.pk, record.pk))
    assert refused.status_code == 409
    assert "has ended already" in refused.content.decode()
    root.post(url("record_retry", job.pk, record.pk))
    record.refresh_from_db()
    assert (record.state, record.generation) == ("in_progress", 2)
    refused = root.post(url("record_retry", job.pk, record.pk), follow=True)
    assert "in progress already" in refused.content.decode()
    assert "not processed further" in shown(root, url("record_abort", job.pk, record.pk))
    root.post(url("record_abort", job.pk, record.pk))
    record.refresh_from_db()
    assert record.state == "aborted"
