"""Custom fields as columns, filters and CSV of the list of calls."""

import csv
import io
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from conversations.field_models import FieldValue
from conversations.fields.filtering import having
from conversations.fields.writing import NewValue, write_values
from conversations.models import Call
from tests.conversations.calls import stored_call
from tests.conversations.threads import stored_thread
from tests.customfields.making import CHOICES, SCORE, made

pytestmark = pytest.mark.django_db

KINDS = {
    "mood": ("score", SCORE, [-50, 0, 60]),
    "topics": ("multi_choice", CHOICES, ["billing", "billing;other", None]),
    "reason": ("choice", CHOICES, ["billing", "other", None]),
    "note": ("text", {}, ["Wants a refund", "wants A CALL", None]),
    "due": ("date", {}, ["2026-01-31", "2026-02-28", None]),
    "solved": ("boolean", {}, [True, False, None]),
}


@pytest.fixture
def fields(acme, inside):
    """Three calls, c0 to c2, with values of every kind."""
    found = {key: made(key, kind, settings=rules, in_lists=True) for key, (kind, rules, _values) in KINDS.items()}
    with inside(acme):
        calls = [stored_call(acme, f"c{number}") for number in range(3)]
        rows = [
            NewValue("call", call.pk, found[key].pk, value)
            for key, (_kind, _rules, values) in KINDS.items()
            for call, value in zip(calls, values, strict=True)
        ]
        write_values(tenant=acme, rows=rows, actor="job:1")
    return found


def exported(client, **query):
    response = client.get("/calls/", {"format": "csv", **query})
    if response.status_code != 200:
        return response.status_code, {}
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return 200, {row["External id"]: row for row in csv.DictReader(io.StringIO(text))}


def listed(client, field, operator, value="", second=""):
    name = f"field_{field.pk}"
    status, rows = exported(client, **{f"{name}_0": operator, f"{name}_1": value, f"{name}_2": second})
    return status, sorted(rows)


@pytest.mark.parametrize(
    ("key", "clause", "expected"),
    [
        ("mood", ("is", "60"), ["c2"]),
        ("mood", ("", "60.0"), ["c2"]),
        ("mood", ("is_not", "60"), ["c0", "c1"]),
        ("mood", ("between", "-50", "0"), ["c0", "c1"]),
        ("mood", ("between", "-500", "500"), ["c0", "c1", "c2"]),
        ("topics", ("is", "billing"), ["c0", "c1"]),
        ("topics", ("is_not", "other"), ["c0", "c2"]),
        ("topics", ("empty",), ["c2"]),
        ("reason", ("is", "other"), ["c1"]),
        ("reason", ("is", "gone"), []),
        ("note", ("is", "WANTS a refund"), ["c0"]),
        ("note", ("contains", "wants"), ["c0", "c1"]),
        ("note", ("contains", "%"), []),
        ("note", ("not_empty",), ["c0", "c1"]),
        ("due", ("between", "2026-02-01", "2026-02-28"), ["c1"]),
        ("due", ("is", "2026-01-31"), ["c0"]),
        ("solved", ("is", "false"), ["c1"]),
        ("solved", ("is_not", "true"), ["c1", "c2"]),
    ],
)
def test_calls_are_filtered_by_a_field(client_for, people, fields, key, clause, expected):
    assert listed(client_for(people.tenant_admin), fields[key], *clause) == (200, expected)


def test_threads_are_listed_and_filtered_by_a_field_as_calls_are(client_for, people, acme, inside, fields):
    with inside(acme):
        chat = stored_thread(acme, "t0")
        stored_thread(acme, "t1")
        said = [NewValue("conversation", chat.pk, fields[key].pk, KINDS[key][2][1]) for key in ("mood", "topics")]
        write_values(tenant=acme, rows=said, actor="job:1")
    client = client_for(people.tenant_admin)
    assert listed(client, fields["mood"], "is", "0") == (200, ["c1", "t0"])
    assert listed(client, fields["topics"], "is_not", "other") == (200, ["c0", "c2", "t1"])
    assert listed(client, fields["topics"], "not_empty") == (200, ["c0", "c1", "t0"])
    _status, rows = exported(client)
    assert [rows["t0"]["Topics"], rows["t1"]["Topics"]] == ["billing; other", ""]


@pytest.mark.parametrize(
    ("key", "clause"),
    [
        ("mood", ("is", "high")),
        ("mood", ("is", "")),
        ("mood", ("between", "5")),
        ("mood", ("between", "5", "1")),
        ("mood", ("contains", "5")),
        ("due", ("is", "soon")),
        ("solved", ("is", "maybe")),
        ("note", ("is", "x" * 300)),
    ],
)
def test_a_clause_that_makes_no_sense_is_refused_and_matches_nothing(client_for, people, fields, key, clause):
    assert listed(client_for(people.tenant_admin), fields[key], *clause) == (400, [])


def test_columns_and_csv_hold_the_values_in_a_fixed_number_of_queries(client_for, people, acme, inside, fields):
    client = client_for(people.tenant_admin)
    page = client.get("/calls/").content.decode()
    assert "Good" in page
    assert "Billing, Something else" in page
    with CaptureQueriesContext(connection) as few:
        client.get("/calls/", {f"field_{fields['reason'].pk}_0": "is", f"field_{fields['reason'].pk}_1": "other"})
    with CaptureQueriesContext(connection) as many:
        client.get("/calls/")
    assert len(many) == len(few)
    _status, rows = exported(client)
    assert [rows["c1"][name] for name in ("Mood", "Topics", "Reason", "Due", "Solved")] == [
        "0",
        "billing; other",
        "other",
        "2026-02-28",
        "False",
    ]
    assert rows["c2"]["Note"] == ""


def test_who_may_not_see_a_field_neither_sees_nor_filters_by_it(client_for, people, acme, fields):
    from accounts.models import Role

    people.agent.role = Role.objects.create(
        tenant=acme, name="Caller", scope="system", granted=["calls.own.view", "calls.others.view"]
    )
    people.agent.save()
    client = client_for(people.agent)
    assert "Something else" not in client.get("/calls/").content.decode()
    assert listed(client, fields["reason"], "is", "other") == (200, ["c0", "c1", "c2"])


def test_filters_find_values_by_the_index_of_their_type(acme, inside, fields):
    with inside(acme), connection.cursor() as cursor:
        FieldValue.objects.bulk_create(
            FieldValue(
                record_type="call",
                record_id=uuid.uuid4(),
                field=fields[key],
                standing="current",
                origin="ai",
                field_version=1,
                **column,
            )
            for number in range(1500)
            for key, column in (
                ("mood", {"number": number}),
                ("note", {"text": f"Note {number}"}),
                ("reason", {"members": [f"reason {number}"]}),
            )
        )
        cursor.execute("ANALYZE conversations_fieldvalue")
        for key, clause, index in [
            ("mood", ("is", 60), "field_value_number"),
            ("mood", ("between", 60, 70), "field_value_number"),
            ("note", ("is", "note 7"), "field_value_text"),
            ("reason", ("is", "reason 7"), "field_value_members"),
        ]:
            plan = having(Call.objects.all(), fields[key], *clause).explain()
            assert index in plan, plan


def test_the_chip_of_a_clause_says_it_in_words_and_its_cross_takes_it_all_away(client_for, people, fields):
    name = f"field_{fields['topics'].pk}"
    query = {f"{name}_0": "is_not", f"{name}_1": "other", "direction": "inbound"}
    page = client_for(people.tenant_admin).get("/calls/", query).content.decode()
    assert "is not Something else" in page
    assert 'href="?direction=inbound" aria-label="Remove filter Topics"' in page
