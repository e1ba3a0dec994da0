"""The page of one processing record."""

import json

from django.utils import timezone

from jobs.kinds import kind_of
from jobs.models import Record, RecordEvent
from jobs.passes.applying import ChangeWriter
from jobs.passes.changes import Limits, after
from jobs.verdicts import Claimed, StillPending
from tests.jobs.pages import make_records, shown, url
from tests.polling import until


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


def test_the_timeline_has_every_check_and_the_providers_id(pipeline, client_for, people):
    root = client_for(people.platform_admin)
    pipeline.server.control("POST", "/_emu/hold", {"hold": True})
    call = pipeline.call()

    def checked_twice():
        pipeline.sweep()
        return pipeline.record_of(call).checks >= 2

    until(checked_twice, seconds=25, every=0.2)
    remote = pipeline.record_of(call).remote["id"]
    pipeline.server.control("POST", "/_emu/hold", {"hold": False})
    (record,) = pipeline.finish(call)
    page = root.get(url("record", pipeline.job.pk, record.pk))
    steps = [line["step"] for line in page.context["timeline"]]
    assert steps == ["uploaded", *["check"] * record.checks, "completed"]
    assert remote in page.content.decode()
    body = json.loads(root.get(url("record_json", pipeline.job.pk, record.pk)).content)
    assert len(body["check_times"]) == record.checks
    assert body["events"][0]["detail"] == remote
    assert json.loads(page.context["json"]) == body


def test_the_last_sixty_checks_are_kept_also_over_a_retry(pipeline):
    call = pipeline.call()
    pipeline.finish(call)
    record = pipeline.record_of(call)
    Record.objects.filter(pk=record.pk).update(state="in_progress", stage="checking", generation=2, checks=3)
    Record.objects.filter(pk=record.pk).update(check_times=list(range(60)), fence=5)
    claimed = Claimed(record.pk, 5, record.tenant_id, record.record_id, 2, "checking", 1, 0, 3, 0, 0, "", None)
    change = after(claimed, StillPending(), limits=Limits(50, 5), weight_s=1, jitter=0)
    session = kind_of(pipeline.job).session(pipeline.job.settings, pipeline.job.filters)
    ChangeWriter(pipeline.job, record.run, session).apply([change])
    record.refresh_from_db()
    assert record.checks == 4
    assert len(record.check_times) == 60
    assert record.check_times[:2] == [1, 2]
    assert record.check_times[-1] > 1_000_000_000_000
