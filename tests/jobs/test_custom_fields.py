"""Custom fields as facts of the filters of jobs."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conversations.fields.writing import NewValue, write_values
from core.errors import InvalidInput
from customfields.models import CustomField
from customfields.uses import uses_of
from jobs.custom_fields import custom_facts, jobs_using, offered_fields, refusal_text
from jobs.filters import judge_filters, validate
from jobs.models import JobDefinition
from jobs.wording import clause_text
from tests.conversations.calls import stored_call
from tests.customfields.making import CHOICES, SCORE, made
from transcription.facts import FILTER_FIELDS

pytestmark = pytest.mark.django_db

CASES = [
    ("score", SCORE, 60, ("between", [20, 100]), ("between", [-100, 19.5])),
    ("decimal", {"places": 2}, "1.50", ("is", 1.5), ("is_not", 1.5)),
    ("integer", {}, 5, ("is", 5), ("between", [6, 7])),
    ("text", {}, "Wants a refund", ("contains", "REFUND"), ("is", "refund")),
    ("long_text", {}, "a\nb", ("not_empty", None), ("empty", None)),
    ("choice", CHOICES, "billing", ("is", "billing"), ("is", "other")),
    ("multi_choice", CHOICES, ["billing", "other"], ("is", "other"), ("is_not", "billing")),
    ("boolean", {}, False, ("is", "false"), ("is", "true")),
    ("date", {}, "2026-02-28", ("between", ["2026-02-01", "2026-02-28"]), ("is", "2026-03-01")),
]


def clause(field, operator, value=None):
    return {"field": f"custom_field.{field.pk}", "op": operator, "value": value}


def judged(acme, inside, field, value, *clauses):
    stored = validate(list(clauses), FILTER_FIELDS)
    with inside(acme):
        call = stored_call(acme)
        if value is not None:
            write_values(tenant=acme, rows=[NewValue("call", call.pk, field.pk, value)], actor="job:1")
        return judge_filters(stored, custom_facts(acme, [call.pk], stored)[call.pk])


@pytest.mark.parametrize(("kind", "rules", "value", "met", "unmet"), CASES)
def test_clauses_of_every_type_are_met_or_not(acme, inside, kind, rules, value, met, unmet):
    field = made("it", kind, settings=rules)
    assert judged(acme, inside, field, value, clause(field, *met))[0] is None
    refused, _trace = judge_filters(
        validate([clause(field, *unmet)], FILTER_FIELDS),
        {f"custom_field.{field.pk}": fact(acme, inside, field)},
    )
    assert refused == f"filtered:custom_field.{field.pk}"


def fact(acme, inside, field):
    from conversations.models import Call

    with inside(acme):
        call = Call.objects.get()
        return custom_facts(acme, [call.pk], [clause(field, "empty")])[call.pk][f"custom_field.{field.pk}"]


def test_a_conversation_without_the_value_is_empty_and_not_anything(acme, inside):
    field = made("it", "choice", settings=CHOICES)
    assert judged(acme, inside, field, None, clause(field, "empty"), clause(field, "is_not", "billing"))[0] is None


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("integer", ("contains", "5")),
        ("integer", ("is", "5")),
        ("integer", ("is", True)),
        ("integer", ("is", float("nan"))),
        ("integer", ("between", [7, 5])),
        ("text", ("between", ["a", "b"])),
        ("choice", ("is", "refund")),
        ("date", ("is", "soon")),
    ],
)
def test_a_clause_that_the_type_does_not_know_is_refused_with_the_name_of_the_field(kind, wrong):
    field = made("mood_of_caller", kind, settings=CHOICES)
    with pytest.raises(InvalidInput, match="Mood Of Caller"):
        validate([clause(field, *wrong)], FILTER_FIELDS)


def test_a_filter_on_a_deleted_field_is_refused_with_its_name_at_save_and_on_the_record(acme, inside):
    field = made("mood", "integer", name="Mood of caller")
    stored = validate([clause(field, "is_not", 5)], FILTER_FIELDS)
    CustomField.objects.update(deleted_at=timezone.now())
    with pytest.raises(InvalidInput, match="“Mood of caller” of a filter was deleted"):
        validate(stored, FILTER_FIELDS)
    with inside(acme):
        call = stored_call(acme)
        reason, trace = judge_filters(stored, custom_facts(acme, [call.pk], stored)[call.pk])
    assert reason == f"filtered:custom_field.{field.pk}"
    assert trace[0].seen == "Mood of caller was deleted"
    assert "“Mood of caller”" in refusal_text(reason, trace, FILTER_FIELDS)
    with pytest.raises(InvalidInput, match=r"custom_field\.987654"):
        validate([{"field": "custom_field.987654", "op": "empty", "value": None}], FILTER_FIELDS)


def test_a_field_of_another_tenant_is_empty_here(acme, globex, inside):
    field = made("theirs", "integer", tenant=globex)
    with inside(acme):
        call = stored_call(acme)
        assert custom_facts(acme, [call.pk], [clause(field, "is", 5)]) == {call.pk: {}}


def test_facts_of_a_batch_cost_two_queries_and_none_without_a_clause(acme, inside):
    field = made("mood", "integer")
    with inside(acme):
        calls = [stored_call(acme, f"c{number}").pk for number in range(5)]
        for clauses, expected in (([], 0), ([clause(field, "is", 5), clause(field, "empty")], 2)):
            with CaptureQueriesContext(connection) as queries:
                custom_facts(acme, calls, clauses)
            assert len(queries) == expected


def test_a_job_that_filters_by_a_field_keeps_it_from_being_deleted():
    field, other = made("mood", "integer", name="Mood"), made("other")
    JobDefinition.objects.create(name="Moody", kind="transcription", filters=[clause(field, "is", 5)], settings={})
    assert [use.name for use in jobs_using([field.pk, other.pk])[field.pk]] == ["Moody"]
    assert [str(use) for use in uses_of([field.pk])[field.pk]] == ["Job “Moody”"]
    assert uses_of([other.pk])[other.pk] == []


def test_people_are_offered_the_fields_that_they_may_see(people, acme, globex):
    made("common")
    made("ours", tenant=acme)
    made("theirs", tenant=globex)
    assert len(offered_fields(people.platform_admin)) == 3
    assert [field.label for field in offered_fields(people.tenant_admin).values()] == [
        "Custom field - Common",
        "Custom field - Ours (Acme)",
    ]


def test_numbers_stand_in_sentences_as_numbers():
    field = made("mood", "integer", name="Mood")
    known = FILTER_FIELDS[f"custom_field.{field.pk}"]
    assert clause_text(known, known.name, "between", [15, 100]) == "Custom field - Mood Between 15 – 100"
