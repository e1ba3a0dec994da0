"""The filter builder by plain posts, and its clauses in a pass and in "Why?"."""

import pytest

from jobs.models import JobDefinition, Record, RecordEvent
from jobs.services import save_job
from tests.jobs.conftest import job_values
from tests.jobs.pages import shown, url


def rows(page) -> list[str]:
    return page.context["form"].clause_names


def test_clauses_are_added_and_removed_by_submits_and_what_was_typed_stays(root, values):
    data = values(name="", clause_1_1="nonsense")
    added = root.post(url("add"), data | {"add_clause": "1", "add_fact": "call.tag"})
    assert added.status_code == 200
    assert rows(added) == ["clause_0", "clause_1", "clause_2"]
    text = added.content.decode()
    assert 'value="nonsense"' in text
    assert "errorlist" not in text
    assert 'name="clause_2_field" value="call.tag"' in text
    for operator in ("is", "is_not", "contains", "empty", "not_empty"):
        assert f'value="{operator}"' in text
    removed = root.post(url("add"), data | {"remove_clause": "0"})
    assert rows(removed) == ["clause_1"]
    assert not JobDefinition.objects.exists()


def test_an_unknown_fact_adds_nothing(root, values):
    page = root.post(url("add"), values(add_clause="1", add_fact="call.secrets"))
    assert rows(page) == ["clause_0", "clause_1"]


def test_several_clauses_are_stored_in_order_and_shown_again(root, values):
    more = {
        "clause_4_field": "call.tag",
        "clause_4_0": "is_not",
        "clause_4_1": "spam",
        "clause_7_field": "call.start_day",
        "clause_7_0": "between",
        "clause_7_1": "2026-11-01",
        "clause_7_2": "2026-11-30",
        "clause_9_field": "call.group",
        "clause_9_0": "not_empty",
    }
    assert root.post(url("add"), values(**more)).status_code == 302
    job = JobDefinition.objects.get()
    assert job.filters[2:] == [
        {"field": "call.tag", "op": "is_not", "value": "spam"},
        {"field": "call.start_day", "op": "between", "value": ["2026-11-01", "2026-11-30"]},
        {"field": "call.group", "op": "not_empty", "value": None},
    ]
    text = shown(root, url("edit", job.pk))
    assert 'value="spam"' in text
    assert 'value="2026-11-30"' in text
    facts = shown(root, url("latest_run", job.pk))
    for clause in ("Call - Tag Is not spam", "Call - Group Is not empty", "Between 2026-11-01 – 2026-11-30"):
        assert clause in facts


@pytest.mark.parametrize(
    ("clause", "fields", "seen", "rule"),
    [
        ({"field": "call.tag", "op": "is_not", "value": "spam"}, {"tags": ["Spam", "vip"]}, "Spam, vip", "not spam"),
        ({"field": "call.queue_name", "op": "not_empty", "value": None}, {}, "none", "not empty"),
        ({"field": "user.name", "op": "contains", "value": "bob"}, {}, "alan", "contains bob"),
        ({"field": "call.direction", "op": "is", "value": "inbound"}, {"direction": "outbound"}, "Outbound", "Inbound"),
    ],
)
def test_a_clause_skips_the_record_in_a_pass_and_why_says_the_same(
    pipeline, client_for, people, system, clause, fields, seen, rule
):
    values = job_values(pipeline.engine, pipeline.queue, filters=[clause])
    save_job(job=pipeline.job, values=values, tenant_groups=[], publish_to=[], actor="test", audit_tenant=system)
    call = pipeline.call(seconds=3, **fields)
    [record] = pipeline.finish(call)
    assert (record.state, record.reason) == (Record.State.SKIPPED, f"filtered:{clause['field']}")
    [event] = RecordEvent.objects.filter(record=record).exclude(trace=[])
    assert event.trace[-1]["gate"] == f"filter:{clause['field']}:{clause['op']}"
    page = client_for(people.tenant_admin).get(f"/calls/{call.pk}/why/")
    said = [line for explanation in page.context["decided"] for line in explanation.lines]
    now = [line for explanation in page.context["now"] for line in explanation.lines if not line.passed]
    assert [(line.seen, line.rule) for line in said] == [(seen, rule)] == [(line.seen, line.rule) for line in now[:1]]


def test_the_day_of_a_call_is_the_one_of_its_tenants_zone(pipeline, acme, system):
    type(acme).objects.filter(pk=acme.pk).update(time_zone="Asia/Tokyo")
    clause = {"field": "call.start_day", "op": "is", "value": "2026-11-21"}
    values = job_values(pipeline.engine, pipeline.queue, filters=[clause])
    save_job(job=pipeline.job, values=values, tenant_groups=[], publish_to=[], actor="test", audit_tenant=system)
    late = pipeline.call(seconds=3, started_at="2026-11-20T20:00:00+00:00")
    early = pipeline.call(seconds=3, started_at="2026-11-20T10:00:00+00:00")
    done, skipped = pipeline.finish(late, early)
    assert (done.state, skipped.reason) == (Record.State.COMPLETED, "filtered:call.start_day")
