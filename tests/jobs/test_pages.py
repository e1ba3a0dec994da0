"""Pages of jobs: form rules, tabs, records in bulk, logs, the record page."""

import json
import re
import uuid

import pytest
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditEntry
from jobs.form_fields import seconds_of
from jobs.models import JobDefinition, LogEntry, Pass, Record, RecordEvent, Run
from queues.models import ProcessingQueue
from transcription.models import SpeechEngine


@pytest.fixture
def root(client_for, people):
    return client_for(people.platform_admin)


@pytest.fixture
def queue(db):
    return ProcessingQueue.objects.create(name="Calls", events=["call.recording_finished"])


@pytest.fixture
def engine(db):
    return SpeechEngine.objects.create(
        name="Native", engine_type="native_v2", settings={"server_address": "https://93.184.216.34"}
    )


@pytest.fixture
def job(queue, engine):
    return JobDefinition.objects.create(
        name="Transcribe recordings",
        kind="transcription",
        source_queue=queue,
        settings={"engine": engine.pk},
        filters=[{"field": "call.duration", "op": "between", "value": [15, 7200]}],
    )


@pytest.fixture
def values(queue, engine):
    def make(**changes):
        return {
            "name": "Second job",
            "enabled": "on",
            "access_scope": "tenants_only",
            "data_source": "queue",
            "source_queue": queue.pk,
            "engine": engine.pk,
            "filter_user_license_0": "on",
            "filter_user_license_1": "is",
            "filter_user_license_2": "speech_analytics",
            "filter_call_duration_0": "on",
            "filter_call_duration_1": "0:15",
            "filter_call_duration_2": "2:00:00",
            "schedule": "continuous",
            "time_zone": "UTC",
            "max_checks": "50",
            "max_attempts": "5",
            "batch_size": "100",
            **changes,
        }

    return make


def make_records(job, tenant, number=1, **changes):
    now = timezone.now()
    fields = {
        "state": "completed",
        "stage": "done",
        "next_at": now,
        "created_at": now,
        "last_processed_at": now,
        **changes,
    }
    return [
        Record.objects.create(job=job, tenant=tenant, record_type="call", record_id=uuid.uuid4(), **fields)
        for _n in range(number)
    ]


def url(name, *args):
    return reverse(f"jobs:{name}", args=args)


def shown(client, address, **query):
    page = client.get(address, query)
    assert page.status_code == 200, page.content.decode()[:2000]
    return page.content.decode()


# --- Form ---


@pytest.mark.parametrize(
    ("text", "seconds"), [("0:15", 15), ("2:00:00", 7200), ("90", 90), ("75:00", 4500), (" 1:05 ", 65), ("0", 0)]
)
def test_durations_are_written_as_in_the_guide(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "1:60", "1:75:00", "-5", "1.5", "abc", "1:2", "٣:٠٠", "1e3"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="^" + re.escape(text)):
        seconds_of(text)


def test_a_job_is_stored_with_its_filters_and_shows_the_guides_labels(root, values):
    text = shown(root, url("add"))
    for label in (
        "Unrestricted - All tenants, including System",
        "Tenants only - All tenants, excluding System",
        "Incremental using queue",
        "Source Queue",
        "Transcription engine",
        "User - License",
        "Call - Duration",
        "Publish to queue(s)",
        "Continuously",
        "Manually",
        'value="2:00:00"',
    ):
        assert label in text, label
    assert root.post(url("add"), values()).status_code == 302
    saved = JobDefinition.objects.get(name="Second job")
    assert saved.filters == [
        {"field": "user.license", "op": "is", "value": "speech_analytics"},
        {"field": "call.duration", "op": "between", "value": [15, 7200]},
    ]
    assert AuditEntry.objects.filter(action="job.created").exists()


def test_every_rule_names_its_field_and_stores_nothing(root, values, job, queue):
    taken = ProcessingQueue.objects.create(name="Taken", events=["call.created"])
    JobDefinition.objects.filter(pk=job.pk).update(source_queue=taken)
    for changes, field in [
        ({"source_queue": taken.pk}, "source_queue"),
        ({"engine": ""}, "engine"),
        ({"engine": "99999"}, "engine"),
        ({"source_queue": ""}, "source_queue"),
        ({"name": "TRANSCRIBE recordings"}, "name"),
        ({"access_scope": "one_tenant"}, "tenant"),
        ({"access_scope": "tenant_groups"}, "tenant_groups"),
        ({"publish_to": [queue.pk]}, "publish_to"),
        ({"filter_call_duration_1": "soon"}, "filter_call_duration"),
        ({"filter_call_duration_1": "3:00:00"}, "filter_call_duration"),
        ({"filter_call_duration_2": ""}, "filter_call_duration"),
        ({"filter_user_license_2": "nonsense"}, "filter_user_license"),
        ({"schedule": "cron", "cron": "* * * * * *"}, "cron"),
        ({"schedule": "cron", "cron": "@reboot"}, "cron"),
        ({"schedule": "cron", "cron": "0 0 31 2 *"}, "cron"),
        ({"schedule": "cron", "cron": "99 * * * *"}, "cron"),
        ({"schedule": "cron", "cron": ""}, "cron"),
        ({"schedule": "cron", "cron": "0 2 * * *", "time_zone": "Mars/Olympus"}, "time_zone"),
        ({"max_checks": "51"}, "max_checks"),
        ({"batch_size": "0"}, "batch_size"),
    ]:
        page = root.post(url("add"), values(**changes))
        assert page.status_code == 422, changes
        assert field in page.context["form"].errors, (changes, page.context["form"].errors)
    assert JobDefinition.objects.count() == 1
    assert (
        root.post(url("add"), values(schedule="cron", cron="0 2 * * *", time_zone="Asia/Jerusalem")).status_code == 302
    )
    assert JobDefinition.objects.get(name="Second job").next_start_at > timezone.now()
    assert "Next start" in shown(root, url("jobs"))


def test_filters_may_be_switched_off_and_stay_so(root, values, job):
    data = values(name="Open", version=1)
    del data["filter_user_license_0"], data["filter_call_duration_0"]
    assert root.post(url("edit", job.pk), data).status_code == 302
    job.refresh_from_db()
    assert job.filters == []
    text = shown(root, url("edit", job.pk))
    assert not re.search(r'name="filter_call_duration_0"[^>]*checked', text)
    assert 'value="0:15"' in text


def test_the_second_of_two_admins_gets_a_conflict(root, values, job):
    assert root.post(url("edit", job.pk), values(version=1, name="First")).status_code == 302
    page = root.post(url("edit", job.pk), values(version=1, name="Second"))
    assert page.status_code == 409
    assert 'value="Second"' in page.content.decode()
    assert JobDefinition.objects.get().name == "First"


def test_save_and_start_asks_for_a_start(root, values):
    root.post(url("add"), values(schedule="manual", action="save_and_start"))
    assert JobDefinition.objects.get().start_requested_at is not None


# --- The job as a whole ---


def test_start_stop_enable_and_delete(root, job):
    JobDefinition.objects.update(schedule="manual")
    assert root.get(url("start", job.pk)).status_code == 405
    root.post(url("stop", job.pk))
    refused = root.post(url("start", job.pk), follow=True).content.decode()
    assert "The job is disabled" in refused
    assert url("enable", job.pk) in refused
    root.post(url("enable", job.pk))
    root.post(url("start", job.pk))
    job.refresh_from_db()
    assert job.enabled
    assert job.start_requested_at is not None
    assert root.post(url("delete", job.pk), {"confirm_name": "no"}).status_code == 422
    assert root.post(url("delete", job.pk), {"confirm_name": job.name}).status_code == 302
    assert not JobDefinition.objects.exists()


def test_the_other_menu_name_leads_to_the_list(root):
    assert root.get(url("definitions")).url == url("jobs")


def test_the_list_is_constant_in_queries(root, job, acme, django_assert_max_num_queries):
    for number in range(10):
        copy = JobDefinition.objects.create(
            name=f"J{number}", kind="transcription", source_queue=job.source_queue, settings=job.settings
        )
        make_records(copy, acme, state="in_progress", stage="checking")
    with django_assert_max_num_queries(15):
        text = shown(root, url("jobs"))
    assert "Native" in text
    assert "1 in progress" in text


def test_latest_run_shows_day_and_pass_apart_and_answers_204_while_nothing_changes(root, job):
    assert "has not run yet" in shown(root, url("latest_run", job.pk))
    now = timezone.now()
    run = Run.objects.create(
        job=job, number=501, day=now.date(), started_at=now, last_activity_at=now, passes=7, uploaded=55
    )
    sweep = Pass.objects.create(
        run=run,
        job=job,
        state="finished",
        stage="finished",
        started_at=now,
        ended_at=now,
        heartbeat_until=now,
        total=9,
        processed=0,
        will_check_later=9,
    )
    text = shown(root, url("latest_run", job.pk))
    for label in (
        "Job «Transcribe recordings»",
        "Run # 501",
        "no. 7 of this run",
        "Finished [Finished]",
        "Total records to process",
        "Remaining",
        "Will check later",
        "Uploaded calls",
        "0 seconds",
        "Call - Duration Between 0:15 – 2:00:00",
        "Native",
    ):
        assert label in text, label
    poll = {"HX-Request": "true", "HX-Target": "div#latest-run"}
    stamp = root.get(url("latest_run", job.pk))["ETag"]
    assert root.get(url("latest_run", job.pk), headers={**poll, "If-None-Match": stamp}).status_code == 204
    Pass.objects.filter(pk=sweep.pk).update(processed=3)
    assert root.get(url("latest_run", job.pk), headers={**poll, "If-None-Match": stamp}).status_code == 200


def test_all_runs_show_true_recoveries_and_those_of_the_guide(root, job, acme):
    now = timezone.now()
    run = Run.objects.create(
        job=job, number=1, day=now.date(), started_at=now, last_activity_at=now, completed=3, recovered=1
    )
    make_records(job, acme, 1, run=run, checks=2, errors=1)
    make_records(job, acme, 2, run=run, checks=1)
    make_records(job, acme, 4, run=run, state="skipped")
    answer = root.get(url("runs", job.pk), {"format": "csv"})
    rows = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert rows[0].endswith('Recovered errors,"Recovered, checks counted"')
    assert rows[1].endswith(",1,3")


# --- Records ---


def test_tiles_count_and_filter(root, job, acme):
    make_records(job, acme, 3)
    make_records(job, acme, 2, state="failed", reason="engine_lost", last_error="gone")
    page = root.get(url("records", job.pk), {"status": "failed"})
    values = {tile["label"]: tile["value"] for tile in page.context["tiles"]}
    assert values == {"Completed": "3", "In Progress": "0", "Failed": "2", "Aborted": "0", "Skipped": "0"}
    assert len(page.context["table"].rows) == 2
    assert [tile["active"] for tile in page.context["tiles"]] == [False, False, True, False, False]


def test_records_are_paged_by_key(root, job, acme):
    records = make_records(job, acme, 45)
    first = root.get(url("records", job.pk))
    assert "1–20 of many" in first.content.decode()
    second = root.get(url("records", job.pk) + first.context["pager"]["next_url"])
    assert "21–40 of many" in second.content.decode()
    third = root.get(url("records", job.pk) + second.context["pager"]["next_url"])
    assert "41–45 of many" in third.content.decode()
    assert third.context["pager"]["next_url"] == ""
    back = root.get(url("records", job.pk) + third.context["pager"]["previous_url"])
    assert "21–40 of many" in back.content.decode()
    seen = [row.record.pk for page in (first, second, third) for row in page.context["table"].rows]
    assert seen == [record.pk for record in reversed(records)]


def test_record_filters_and_their_refusals(root, job, acme, globex):
    mine = make_records(job, acme, 1, state="skipped", reason="filtered:call.duration")[0]
    make_records(job, globex, 1, last_processed_at=None)
    today = timezone.localdate().isoformat()
    for query, number in [
        ({"record_id": str(mine.record_id)[:13]}, 1),
        ({"record_id": str(mine.record_id)}, 1),
        ({"reason": "filtered"}, 1),
        ({"tenant": str(acme.pk)}, 1),
        ({"date_from": today, "date_to": today}, 2),
        ({"date_to": "1999-12-31"}, 0),
    ]:
        page = root.get(url("records", job.pk), query)
        assert page.status_code == 200, query
        assert len(page.context["table"].rows) == number, query
    for query in [
        {"record_id": "xyz"},
        {"date_from": "tomorrow"},
        {"date_to": "9999-12-31"},
        {"tenant": "1"},
        {"status": "nonsense"},
    ]:
        page = root.get(url("records", job.pk), query)
        assert page.status_code == 400, query
        assert len(page.context["table"].rows) == 0


def test_retry_by_filter_asks_with_the_count_and_touches_only_what_matches(root, job, acme):
    failed = make_records(job, acme, 25, state="failed", reason="engine_lost")
    done = make_records(job, acme, 2)
    other = JobDefinition.objects.create(name="Other", kind="transcription", source_queue=job.source_queue)
    foreign = make_records(other, acme, 1, state="failed")[0]
    address = url("records_bulk", job.pk) + "?status=failed"
    page = root.post(address, {"action": "retry", "all_matching": "1"})
    assert page.status_code == 200
    assert "25 rows" in page.content.decode()
    assert Record.objects.filter(state="in_progress").count() == 0
    answer = root.post(address, {"action": "retry", "all_matching": "1", "confirmed": "1"})
    assert answer.url == url("records", job.pk) + "?status=failed"
    assert Record.objects.filter(state="in_progress", generation=2).count() == len(failed)
    assert Record.objects.filter(pk__in=[record.pk for record in done], generation=1).count() == 2
    foreign.refresh_from_db()
    assert foreign.state == "failed"
    entry = AuditEntry.objects.get(action="records.retry")
    assert (entry.details["count"], entry.details["chosen"]) == (25, "all matching status=failed")


def test_bulk_on_chosen_rows_ignores_rows_of_other_jobs(root, job, acme):
    mine, rest = make_records(job, acme, 2, state="in_progress", stage="checking")
    other = JobDefinition.objects.create(name="Other", kind="transcription", source_queue=job.source_queue)
    foreign = make_records(other, acme, 1, state="in_progress")[0]
    data = {"action": "abort", "selection": [mine.pk, foreign.pk], "confirmed": "1"}
    root.post(url("records_bulk", job.pk), data)
    assert list(Record.objects.filter(state="aborted")) == [mine]
    root.post(url("records_bulk", job.pk), {"action": "delete", "selection": [mine.pk, rest.pk], "confirmed": "1"})
    assert set(Record.objects.all()) == {rest, foreign}


def test_wrong_filters_never_widen_a_bulk_action(root, job, acme):
    make_records(job, acme, 3, state="failed")
    data = {"action": "delete", "all_matching": "1", "confirmed": "1"}
    assert root.post(url("records_bulk", job.pk) + "?status=nonsense", data).status_code == 400
    assert Record.objects.count() == 3
    root.post(url("records_bulk", job.pk) + "?status=failed", data)
    assert Record.objects.count() == 0


def test_export_of_chosen_records_escapes_formulas(root, job, acme):
    record = make_records(job, acme, 2, state="failed", last_error="=HYPERLINK(1)", checks=20)[0]
    answer = root.post(url("records_bulk", job.pk), {"action": "export", "selection": [record.pk]})
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert len(lines) == 2
    assert "'=HYPERLINK(1)" in lines[1]
    assert "20 / 50" in lines[1]
    assert str(record.record_id) in lines[1]


def test_records_poll_answers_204_and_has_a_fixed_number_of_queries(root, job, acme, django_assert_max_num_queries):
    make_records(job, acme, 20, state="in_progress", stage="checking", wait="polling")
    address = url("records", job.pk)
    with django_assert_max_num_queries(15):
        stamp = root.get(address)["ETag"]
    poll = {"HX-Request": "true", "HX-Target": "div#records", "If-None-Match": stamp}
    assert root.get(address, headers=poll).status_code == 204
    Record.objects.update(checks=1)
    changed = root.get(address, headers=poll)
    assert changed.status_code == 200
    with django_assert_max_num_queries(10):
        assert root.get(address, headers={**poll, "If-None-Match": changed["ETag"]}).status_code == 204


def test_a_counter_of_another_page_changes_the_stamp(root, job, acme):
    old = make_records(job, acme, state="in_progress", stage="checking")[0]
    make_records(job, acme, 20, state="failed")
    address = url("records", job.pk)
    poll = {"HX-Request": "true", "HX-Target": "div#records", "If-None-Match": root.get(address)["ETag"]}
    Record.objects.filter(pk=old.pk).update(state="skipped", stage="done")
    assert root.get(address, headers=poll).status_code == 200


# --- Record page ---


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


# --- Logs ---


def test_logs_filter_export_and_delete_what_matches(root, job, acme):
    record = make_records(job, acme)[0]
    now = timezone.now()
    for number, (severity, message) in enumerate([("warning", "Call has no audio files"), ("error", "=1+1")]):
        LogEntry.objects.create(
            job=job,
            record=record,
            record_uuid=record.record_id,
            tenant_id=acme.pk,
            at=now,
            severity=severity,
            message=f"{message}{number}",
        )
    text = shown(root, url("logs", job.pk), severity="warning", q="AUDIO", record_id=str(record.record_id)[:8])
    assert "Call has no audio files0" in text
    assert "=1+1" not in text
    answer = root.get(url("logs", job.pk), {"format": "csv"})
    assert "'=1+1" in b"".join(answer.streaming_content).decode()
    address = url("logs_bulk", job.pk) + "?severity=error"
    assert "1 row" in root.post(address, {"action": "delete"}).content.decode()
    root.post(address, {"action": "delete", "confirmed": "1"})
    assert [entry.severity for entry in LogEntry.objects.all()] == ["warning"]
    assert AuditEntry.objects.filter(action="job.logs_deleted").exists()


# --- Who may, and what is not there ---


def test_tenant_admins_see_no_jobs_and_unknown_jobs_are_not_found(client_for, people, root, job, acme):
    record = make_records(job, acme)[0]
    client = client_for(people.tenant_admin)
    for name, args in [
        ("jobs", ()),
        ("latest_run", (job.pk,)),
        ("records", (job.pk,)),
        ("record", (job.pk, record.pk)),
    ]:
        assert client.get(url(name, *args)).status_code == 403
    for name in ("start", "stop", "records_bulk", "logs_bulk"):
        assert client.post(url(name, job.pk)).status_code == 403
    for name in ("job", "latest_run", "runs", "records", "logs", "edit", "delete"):
        assert root.get(url(name, 2**40)).status_code == 404
    other = JobDefinition.objects.create(name="Other", kind="transcription", source_queue=job.source_queue)
    assert root.get(url("record", other.pk, record.pk)).status_code == 404
    assert root.get(url("record", job.pk, 2**70)).status_code == 404
