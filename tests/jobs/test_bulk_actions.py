"""Actions on many records: frozen at their preview, worked off in slices, what changed meanwhile skipped and listed."""

import csv
import io
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditEntry
from jobs.bulk_actions import freezing, services, working
from jobs.bulk_actions.models import BulkAction, BulkSlice
from jobs.bulk_actions.working import actions_at_work, work_on
from jobs.models import JobDefinition, Record
from jobs.upkeep.pruning import prune_actions
from tests.jobs.pages import make_records, url


@pytest.fixture
def small(monkeypatch):
    """Slices of two, five frozen in the request, three members changed in the request."""
    monkeypatch.setattr(freezing, "SLICE", 2)
    monkeypatch.setattr(freezing, "AT_ONCE", 5)
    monkeypatch.setattr(freezing, "PER_STEP", 4)
    monkeypatch.setattr(services, "IMMEDIATE", 3)


def preview(client, job, action, query="", **data):
    posted = {"action": action, "all_matching": "1", **data}
    answer = client.post(url("records_bulk", job.pk) + query, posted)
    assert answer.status_code == 302, answer.content.decode()[:1000]
    return BulkAction.objects.get(pk=answer.url.rstrip("/").rsplit("/", 1)[1])


def start(client, bulk, **data):
    answer = client.post(reverse("jobs:bulk_start", args=[bulk.pk]), data)
    bulk.refresh_from_db()
    return answer


def work_off(bulk):
    for _turn in range(20):
        work_on(str(bulk.pk))
        bulk.refresh_from_db()
        if bulk.state not in working.AT_WORK:
            return
    raise AssertionError("never ends")


def audited():
    found = AuditEntry.objects.filter(action__regex="^(records|bulk_action)[.]").order_by("pk")
    return list(found.values_list("action", flat=True))


def test_retry_by_filter_shows_count_and_sample_and_touches_only_what_matches(root, job, acme):
    failed = make_records(job, acme, 25, state="failed", reason="engine_lost")
    done = make_records(job, acme, 2)
    other = JobDefinition.objects.create(name="Other", kind="transcription", source_queue=job.source_queue)
    foreign = make_records(other, acme, 1, state="failed")[0]
    bulk = preview(root, job, "retry", "?status=failed&per_page=50")
    page = root.get(reverse("jobs:bulk_action", args=[bulk.pk])).content.decode()
    assert "Retry: 25 records" in page
    assert page.count('<td><a class="p-mono"') == 5
    assert Record.objects.filter(state="in_progress").count() == 0
    answer = start(root, bulk, reason="The engine is back")
    assert answer.url == url("records", job.pk) + "?status=failed"
    assert Record.objects.filter(state="in_progress", generation=2).count() == len(failed)
    assert Record.objects.filter(pk__in=[record.pk for record in done], generation=1).count() == 2
    foreign.refresh_from_db()
    assert foreign.state == "failed"
    entry = AuditEntry.objects.get(action="records.retry")
    assert (entry.details["count"], entry.details["chosen"]) == (25, "all matching status=failed")
    assert entry.reason == "The engine is back"
    page = root.get(reverse("audit:entry", args=[entry.pk])).content.decode()
    assert reverse("jobs:bulk_action", args=[bulk.pk]) in page


def test_ticked_rows_of_other_jobs_are_ignored(root, job, acme):
    mine, rest = make_records(job, acme, 2, state="in_progress", stage="checking")
    other = JobDefinition.objects.create(name="Other", kind="transcription", source_queue=job.source_queue)
    foreign = make_records(other, acme, 1, state="in_progress")[0]
    start(root, preview(root, job, "abort", all_matching="", selection=[mine.pk, foreign.pk]))
    assert list(Record.objects.filter(state="aborted")) == [mine]
    start(root, preview(root, job, "delete", all_matching="", selection=[mine.pk, rest.pk]))
    assert set(Record.objects.all()) == {rest, foreign}


def test_wrong_filters_never_widen_an_action(root, job, acme):
    make_records(job, acme, 3, state="failed")
    data = {"action": "delete", "all_matching": "1"}
    assert root.post(url("records_bulk", job.pk) + "?status=nonsense", data).status_code == 400
    assert root.post(url("records_bulk", job.pk), {**data, "action": "nonsense"}).status_code == 400
    assert not BulkAction.objects.exists()


def test_skip_ends_records_in_progress_as_skipped_and_leaves_the_others(root, job, acme):
    open_, done = make_records(job, acme, 1, state="in_progress", stage="new")[0], make_records(job, acme)[0]
    start(root, preview(root, job, "skip"))
    open_.refresh_from_db()
    done.refresh_from_db()
    assert (open_.state, open_.reason, open_.mark_due) == ("skipped", "skipped_by_operator", True)
    assert open_.finished_at is not None
    assert done.state == "completed"


def test_what_changed_after_the_preview_is_skipped_and_listed(root, job, acme):
    same, retried, gone = make_records(job, acme, 3, state="failed")
    bulk = preview(root, job, "delete", "?status=failed")
    late = make_records(job, acme, 1, state="failed")[0]
    Record.objects.filter(pk=retried.pk).update(state="in_progress", generation=2)
    Record.objects.filter(pk=retried.pk).update(state="failed")
    gone.delete()
    answer = start(root, bulk)
    assert set(Record.objects.all()) == {retried, late}
    assert (bulk.total, bulk.changed, bulk.skipped, bulk.state) == (3, 1, 2, "finished")
    page = root.get(answer.url).content.decode()
    assert "Changed meanwhile: skipped" in page
    assert "Deleted meanwhile: skipped" in page
    lines = b"".join(root.get(answer.url, {"format": "csv"}).streaming_content).decode()
    assert f"{retried.pk},Changed meanwhile" in lines
    assert str(same.pk) not in lines


@pytest.mark.usefixtures("small")
def test_many_are_frozen_and_changed_by_the_task_with_one_row_at_start_and_one_at_the_end(root, job, acme):
    make_records(job, acme, 14, state="failed")
    bulk = preview(root, job, "retry", "?status=failed")
    assert (bulk.state, bulk.total) == ("freezing", 5)
    assert start(root, bulk).status_code == 302
    assert bulk.state == "freezing", "not before all are counted"
    newer = make_records(job, acme, 1, state="failed")[0]
    assert actions_at_work() == [str(bulk.pk)]
    work_off(bulk)
    assert (bulk.state, bulk.total) == ("ready", 14)
    assert actions_at_work() == []
    start(root, bulk)
    assert (bulk.state, bulk.changed) == ("running", 0)
    work_off(bulk)
    assert (bulk.state, bulk.changed, bulk.skipped) == ("finished", 14, 0)
    assert list(Record.objects.filter(state="failed")) == [newer]
    assert audited() == ["bulk_action.started", "bulk_action.finished"]


@pytest.mark.usefixtures("small")
def test_a_worker_that_dies_in_a_slice_loses_nothing_and_repeats_nothing(root, job, acme, monkeypatch):
    make_records(job, acme, 6, state="failed")
    bulk = preview(root, job, "retry")
    work_off(bulk)
    start(root, bulk)
    acted = working.change_members
    calls = []

    def dies(action, piece):
        calls.append(piece.number)
        acted(action, piece)
        if len(calls) == 2:
            raise SystemExit

    monkeypatch.setattr(working, "change_members", dies)
    with pytest.raises(SystemExit):
        work_on(str(bulk.pk))
    assert Record.objects.filter(generation=2).count() == 2
    monkeypatch.undo()
    assert actions_at_work() == [], "its lease stands"
    work_on(str(bulk.pk))
    assert Record.objects.filter(generation=2).count() == 2
    BulkAction.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert actions_at_work() == [str(bulk.pk)]
    work_off(bulk)
    assert (bulk.changed, bulk.skipped) == (6, 0)
    assert Record.objects.filter(generation=2).count() == 6


@pytest.mark.usefixtures("small")
def test_a_worker_that_was_overtaken_changes_nothing(root, job, acme):
    make_records(job, acme, 4, state="failed")
    bulk = preview(root, job, "retry")
    start(root, bulk)
    BulkAction.objects.update(fence=7)
    assert working.work_slice(bulk, 6) is False
    assert Record.objects.filter(generation=2).count() == 0
    assert working.work_slice(bulk, 7) is True
    assert Record.objects.filter(generation=2).count() == 2


@pytest.mark.usefixtures("small")
def test_an_abort_stops_after_the_slice_at_hand_and_keeps_what_was_done(root, job, acme):
    make_records(job, acme, 5, state="failed")
    bulk = preview(root, job, "retry")
    start(root, bulk)
    working.work_slice(bulk, bulk.fence)
    assert root.post(reverse("jobs:bulk_abort", args=[bulk.pk])).status_code == 302
    work_on(str(bulk.pk))
    bulk.refresh_from_db()
    assert (bulk.state, bulk.changed) == ("aborted", 2)
    assert Record.objects.filter(generation=2).count() == 2
    assert audited() == ["bulk_action.started", "bulk_action.aborted"]
    root.post(reverse("jobs:bulk_abort", args=[bulk.pk]))
    root.post(reverse("jobs:bulk_start", args=[bulk.pk]))
    assert audited() == ["bulk_action.started", "bulk_action.aborted"]


def test_nobody_starts_what_another_person_previewed(root, job, acme, people, client_for):
    from accounts.services import create_user

    make_records(job, acme, 2, state="failed")
    bulk = preview(root, job, "retry")
    tenant = people.platform_admin.tenant
    other = create_user(tenant=tenant, username="otto", password="x" * 20, role="platform_admin", actor="test")
    start(client_for(other), bulk)
    assert bulk.state == "ready"
    start(root, bulk)
    assert bulk.state == "finished"


@pytest.mark.usefixtures("small")
def test_an_export_of_many_becomes_a_file_of_all_as_they_are_then(root, job, acme):
    records = make_records(job, acme, 7, state="failed", last_error="=HYPERLINK(1)")
    bulk = preview(root, job, "export")
    work_off(bulk)
    start(root, bulk)
    assert root.get(reverse("jobs:bulk_file", args=[bulk.pk])).status_code == 404
    Record.objects.filter(pk=records[0].pk).update(state="in_progress", generation=2)
    work_off(bulk)
    answer = root.get(reverse("jobs:bulk_file", args=[bulk.pk]))
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    head, *lines = csv.reader(io.StringIO(text))
    assert "Record ID" in head
    assert {line[2] for line in lines} == {str(record.record_id) for record in records}
    assert all("'=HYPERLINK(1)" in line for line in lines)
    assert (bulk.changed, bulk.skipped) == (7, 0)


def test_an_action_of_a_person_who_may_not_sign_in_any_more_ends_while_it_is_counted(root, job, acme, small, people):
    make_records(job, acme, 9, state="failed")
    bulk = preview(root, job, "retry")
    people.platform_admin.is_active = False
    people.platform_admin.save(update_fields=["is_active"])
    work_on(str(bulk.pk))
    bulk.refresh_from_db()
    assert bulk.state == "aborted"


def test_previews_files_and_old_actions_are_forgotten(root, job, acme):
    make_records(job, acme, 2, state="failed")
    unused, kept = preview(root, job, "retry"), preview(root, job, "retry")
    export, old = preview(root, job, "export"), preview(root, job, "delete")
    now = timezone.now()
    BulkAction.objects.filter(pk=unused.pk).update(created_at=now - timedelta(days=2))
    BulkAction.objects.filter(pk=export.pk).update(state="finished", ended_at=now - timedelta(days=8))
    BulkSlice.objects.filter(action=export).update(output=b"x", done=True)
    BulkAction.objects.filter(pk=old.pk).update(state="finished", ended_at=now - timedelta(days=31))
    assert prune_actions() == 2
    assert set(BulkAction.objects.all()) == {kept, export}
    assert not BulkSlice.objects.filter(output__isnull=False).exists()


def test_a_day_of_the_filter_is_that_of_the_person_also_for_the_task(root, job, acme, small, people):
    people.platform_admin.time_zone = "Pacific/Auckland"
    people.platform_admin.save(update_fields=["time_zone"])
    day = timezone.localdate()
    make_records(job, acme, 8, state="failed")
    early = timezone.now().replace(hour=0, minute=30) + timedelta(days=-2)
    make_records(job, acme, 8, state="failed", last_processed_at=early, created_at=early)
    bulk = preview(root, job, "retry", f"?date_from={(day - timedelta(days=1)).isoformat()}")
    work_off(bulk)
    assert (bulk.time_zone, bulk.total) == ("Pacific/Auckland", 8)
