"""The list of jobs, what is done with a job as a whole, its runs, and who may see any of it."""

from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from jobs import pulse
from jobs.actions import retry_records
from jobs.models import JobDefinition, Pass, Record, Run
from jobs.passes.runs import begin_pass, current_run
from tests.jobs.pages import make_records, shown, url


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
    Run.objects.create(
        job=job,
        number=1,
        day=now.date(),
        started_at=now,
        last_activity_at=now,
        completed=3,
        recovered=1,
        recovered_by_guide=3,
    )
    answer = root.get(url("runs", job.pk), {"format": "csv"})
    rows = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert rows[0].endswith('Recovered errors,"Recovered, checks counted"')
    assert rows[1].endswith(",1,3")


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


def test_the_list_says_lag_thirty_days_and_who_has_to_act(root, job, acme, engine):
    now = timezone.now()
    run = {"started_at": now, "last_activity_at": now}
    Run.objects.create(job=job, number=1, day=now.date(), completed=1234, failed=2, **run)
    make_records(job, acme, 3, state="failed", reason="no_license")
    make_records(job, acme, 1, state="failed", reason="engine_lost")
    make_records(job, acme, state="in_progress", stage="new", next_at=now - timedelta(hours=2))
    text = shown(root, url("jobs"))
    assert "1,234 processed in 30 days" in text
    assert "2\xa0hours" in text
    assert "Last failures: User has no speech analytics licence (3 of 4)" in text
    assert 'class="p-part-failed"' in text
    engine.paused_at, engine.pause_reason = now, "HTTP 401"
    engine.save()
    assert "is paused: HTTP 401" in shown(root, url("jobs"))
    JobDefinition.objects.update(paused_at=now)
    assert "The job is paused." in shown(root, url("jobs"))


def test_the_list_and_the_dead_letters_answer_a_poll_from_a_pulse_until_something_happens(
    root, job, queue, acme, system, monkeypatch
):
    monkeypatch.setattr(pulse, "minute", lambda: "12:00")
    addresses = [url("jobs"), reverse("dead_letters:list", args=[queue.pk])]
    regions = ["list", "letters"]
    one, _other = make_records(job, acme, 2, state="failed", stage="done", reason="engine_input")
    polls = [{"HX-Request": "true", "HX-Target": f"div#{region}"} for region in regions]

    def answers(stamps):
        found = []
        for address, poll, stamp in zip(addresses, polls, stamps, strict=True):
            with CaptureQueriesContext(connection) as queries:
                found.append(root.get(address, headers={**poll, "If-None-Match": stamp}).status_code)
            assert found[-1] == 200 or len(queries) <= 8, [query["sql"] for query in queries]
        return found

    def stamps():
        return [root.get(address)["ETag"] for address in addresses]

    first = stamps()
    assert answers(first) == [204, 204]
    retry_records(records=Record.objects.filter(pk=one.pk), actor="test", audit_tenant=system)
    assert answers(first) == [200, 200]
    second = stamps()
    assert answers(second) == [204, 204]
    begin_pass(job, current_run(job), 5)
    assert answers(second) == [200, 200]
