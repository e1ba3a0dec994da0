"""The tab Processing Records: tiles, paging, filters, changes of many, polling."""

from django.utils import timezone

from audit.models import AuditEntry
from jobs.models import JobDefinition, Record
from tests.jobs.pages import make_records, url


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
