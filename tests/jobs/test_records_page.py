"""The tab Processing Records: tiles, paging, filters, changes of many, polling."""

from types import SimpleNamespace

from django.db import connection
from django.utils import timezone

from jobs.actions import abort_records
from jobs.filtersets import RecordFilter
from jobs.models import Record, Run
from jobs.passes.runs import current_run
from tests.jobs.pages import make_records, url

# Who asks, and from where (two doors, session, person), and the one question whether anything has changed.
UNCHANGED_POLL = 4 + 1


def test_tiles_count_and_filter(root, job, acme):
    make_records(job, acme, 3)
    make_records(job, acme, 2, state="failed", reason="engine_lost", last_error="gone")
    page = root.get(url("records", job.pk), {"status": "failed"})
    values = {tile["label"]: tile["value"] for tile in page.context["tiles"]}
    assert values == {"Completed": "3", "In Progress": "0", "Failed": "2", "Aborted": "0", "Skipped": "0"}
    assert len(page.context["table"].rows) == 2
    assert [tile["active"] for tile in page.context["tiles"]] == [False, False, True, False, False]


def test_tiles_the_list_of_jobs_and_the_question_before_deleting_stop_counting_at_a_limit(root, job, acme, monkeypatch):
    for place in ("core.counting", "jobs.selectors", "jobs.views.monitoring"):
        monkeypatch.setattr(f"{place}.COUNT_LIMIT", 3)
    make_records(job, acme, 3)
    make_records(job, acme, 5, state="in_progress", stage="checking")
    page = root.get(url("records", job.pk))
    assert [tile["value"] for tile in page.context["tiles"]] == ["3", "3+", "0", "0", "0"]
    assert "3+ processing records" in page.context["delete_message"]
    assert "3+ in progress" in root.get(url("jobs")).content.decode()
    latest = root.get(url("latest_run", job.pk))
    assert (latest.context["in_progress"], latest.context["outstanding"]) == ("3+", "4+")


def test_the_records_of_a_tenant_take_no_more_queries_than_a_list_may(
    root, job, acme, globex, django_assert_max_num_queries
):
    make_records(job, acme, 30), make_records(job, globex, 30)
    address = url("records", job.pk) + f"?tenant={acme.pk}&status=completed"
    root.get(address)
    with django_assert_max_num_queries(15):
        assert len(root.get(address).context["table"].rows) == 20


def plan_of(rows) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    return rows.explain()


def test_reasons_and_days_are_found_by_indexes_of_their_own(job, acme, people):
    make_records(job, acme, 1, state="skipped", reason="filtered:call.duration")
    request = SimpleNamespace(user=people.platform_admin)
    for query, index in [({"reason": "filtered"}, "record_by_reason"), ({"date_from": "2026-11-01"}, "record_moment")]:
        found = RecordFilter(query, queryset=Record.objects.all(), request=request)
        assert found.is_valid()
        assert index in plan_of(found.qs.filter(job=job) if "reason" in query else found.qs)


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


def test_export_of_chosen_records_escapes_formulas(root, job, acme):
    record = make_records(job, acme, 2, state="failed", last_error="=HYPERLINK(1)", checks=20)[0]
    answer = root.post(url("records_bulk", job.pk), {"action": "export", "selection": [record.pk]})
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert len(lines) == 2
    assert "'=HYPERLINK(1)" in lines[1]
    assert "20 / 50" in lines[1]
    assert str(record.record_id) in lines[1]


def test_records_poll_answers_204_in_few_queries_until_somebody_acts(
    root, job, acme, system, django_assert_num_queries
):
    first = make_records(job, acme, 20, state="in_progress", stage="checking", wait="polling")[0]
    address = url("records", job.pk)
    stamp = root.get(address)["ETag"]
    poll = {"HX-Request": "true", "HX-Target": "div#records", "If-None-Match": stamp}
    with django_assert_num_queries(UNCHANGED_POLL):
        assert root.get(address, headers=poll).status_code == 204
    abort_records(records=Record.objects.filter(pk=first.pk), actor="test", audit_tenant=system)
    changed = root.get(address, headers=poll)
    assert changed.status_code == 200
    assert root.get(address, headers={**poll, "If-None-Match": changed["ETag"]}).status_code == 204


def test_a_result_of_a_pass_changes_what_a_poll_is_told(root, job, acme):
    make_records(job, acme, 20, state="failed")
    run = current_run(job)
    address = url("records", job.pk)
    poll = {"HX-Request": "true", "HX-Target": "div#records", "If-None-Match": root.get(address)["ETag"]}
    assert root.get(address, headers=poll).status_code == 204
    Run.objects.filter(pk=run.pk).update(last_activity_at=timezone.now())
    assert root.get(address, headers=poll).status_code == 200
