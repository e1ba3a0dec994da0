"""The dashboard: figures by day, group, band and choice, by the rights of the list of conversations."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Role, User
from accounts.permissions import AccessScope, Permission
from conversations.field_models import FieldValue
from conversations.fields.editing import edit_value
from conversations.fields.summing import summary_of
from conversations.fields.writing import NewValue, write_values
from conversations.models import Call
from conversations.selectors import visible_calls
from tests.customfields.making import CHOICES, SCORE, made
from usage.dashboard.drawing import DayBar, chart_of

pytestmark = pytest.mark.django_db

PAGE = "/dashboard/"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PERIOD = "?date_from=2026-11-01&date_to=2026-11-30"
THREE = [["Billing", "3"], ["Delivery", "2"], ["Something else", "1"]]
# group, user, channel, minutes, days before NOON, score, topics
TOLD = [
    ("Sales", "alan", "voice", 2, 0, -80, ["billing"]),
    ("Sales", "alan", "voice", 4, 0, 40, ["billing", "other"]),
    ("Sales", "alan", "chat", 0, 1, None, ["delivery"]),
    ("Support", "olga", "voice", 6, 1, 60, ["delivery", "billing"]),
    ("Support", "olga", "email", 0, 2, 0, None),
    ("", None, "voice", 8, 40, -100, ["other"]),
]


@pytest.fixture
def world(acme, inside):
    """Six conversations of acme with a score and topics."""
    score = made("mood", "score", settings=SCORE, attribute="sentiment")
    topics = made("subjects", "multi_choice", settings=CHOICES, attribute="topics", in_lists=True)
    with inside(acme):
        rows = []
        for number, (group, name, channel, minutes, back, value, members) in enumerate(TOLD):
            call = Call.objects.create(
                external_id=f"c{number}",
                started_at=NOON - timedelta(days=back),
                channel=channel,
                group=group,
                user=User.objects.get(username=name) if name else None,
                duration_ms=minutes * 60_000,
            )
            kind = "call" if channel == "voice" else "conversation"
            rows += [
                NewValue(kind, call.pk, field.pk, v)
                for field, v in ((score, value), (topics, members))
                if v is not None
            ]
        write_values(tenant=acme, rows=rows, actor="job:1")
    return score, topics


def exported(client, table, query=PERIOD):
    response = client.get(f"{PAGE}{query}&format=csv&table={table}")
    assert response.status_code == 200, table
    return list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))))


def test_the_figures_are_those_of_the_conversations_by_day_group_band_and_choice(world, people, client_for):
    client = client_for(people.tenant_admin)
    assert exported(client, "day")[1:] == [
        ["2026-11-18", "1", "0", "0", "0.0", "1", ""],
        ["2026-11-19", "2", "1", "360", "60.0", "1", "Delivery"],
        ["2026-11-20", "2", "2", "360", "-20.0", "2", "Billing"],
    ]
    assert [line[:3] + line[5:] for line in exported(client, "group")[1:]] == [
        ["Sales", "3", "2", "2", "Billing"],
        ["Support", "2", "1", "2", "Billing"],
    ]
    assert [line[:2] for line in exported(client, "choice")[1:]] == THREE
    assert [[line[0], line[2]] for line in exported(client, "band")[1:]] == [
        ["Good", "2"],
        ["So-so", "1"],
        ["Bad", "1"],
    ]


def test_sums_of_the_selector_agree_with_the_rows(world, acme, people, inside):
    score, topics = world
    with inside(acme):
        found = summary_of(visible_calls(people.tenant_admin), "UTC", score, topics)
    assert (found.total.conversations, found.total.calls, found.total.ms) == (6, 4, 20 * 60_000)
    assert (found.total.scored, found.total.average) == (5, Decimal(-16))
    assert sum(found.bands.values()) == found.total.scored
    assert sum(day.conversations for day in found.days.values()) == 6
    assert sum(group.conversations for group in found.groups.values()) == 6
    assert {name: sums.conversations for name, sums in found.choices.items()} == {
        "billing": 3,
        "delivery": 2,
        "other": 2,
    }


def test_days_are_those_of_the_viewer(world, acme, people, inside):
    with inside(acme):
        late = summary_of(visible_calls(people.tenant_admin), "Pacific/Kiritimati", None, None)
    assert max(late.days).isoformat() == "2026-11-21"


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("&channel=voice", 3),
        ("&channel=chat", 1),
        ("&group=Sales", 3),
        ("&group=Nobody", 0),
        ("&date_to=2026-11-19", 3),
    ],
)
def test_filters_narrow_what_is_summed(world, people, client_for, query, number):
    # The last of two equal names counts.
    lines = exported(client_for(people.tenant_admin), "group", PERIOD + query)
    assert sum(int(line[1]) for line in lines[1:]) == number


def test_supervisors_see_their_groups_and_agents_their_own(world, people, client_for):
    assert [line[0] for line in exported(client_for(people.supervisor), "group")[1:]] == ["Sales"]
    assert [line[:2] for line in exported(client_for(people.agent), "group")[1:]] == [["Sales", "3"]]
    assert [line[:2] for line in exported(client_for(people.other_agent), "group")[1:]] == [["Support", "2"]]
    page = client_for(people.supervisor).get(PAGE + PERIOD).content.decode()
    assert "Support" not in page
    refused = client_for(people.supervisor).get(f"{PAGE}{PERIOD}&group=Support").content.decode()
    assert "No conversations in this period" in refused


def test_confidential_conversations_are_not_counted_for_those_without_the_right(
    world, acme, people, inside, client_for
):
    with inside(acme):
        Call.objects.filter(external_id="c0").update(confidential=True)
    assert not people.supervisor.has(Permission.CALLS_VIEW_CONFIDENTIAL)
    assert [line[:2] for line in exported(client_for(people.supervisor), "group")[1:]] == [["Sales", "2"]]


def test_a_field_without_the_right_to_it_is_neither_offered_nor_charted(world, acme, people, client_for):
    score, topics = world
    rights = [Permission.CALLS_VIEW_OTHERS, Permission.TOPICS_VIEW]
    role = Role.objects.create(tenant=acme, name="Reader of topics", scope=AccessScope.SYSTEM, granted=rights)
    User.objects.filter(pk=people.agent.pk).update(role=role)
    client = client_for(User.objects.get(pk=people.agent.pk))
    page = client.get(PAGE + PERIOD).content.decode()
    assert topics.name in page
    assert score.name not in page
    assert [line[:2] for line in exported(client, "choice")] == [["Subjects", "Conversations"], *THREE]
    assert client.get(f"{PAGE}{PERIOD}&score={score.pk}").status_code == 400
    assert client.get(f"{PAGE}{PERIOD}&format=csv&table=band").status_code == 404


def test_a_field_and_the_conversations_of_another_tenant_do_not_exist(world, people, client_for):
    own = made("own_score", "score", settings=SCORE, tenant=people.tenant_admin.tenant)
    client = client_for(people.stranger)
    assert exported(client, "group")[1:] == []
    page = client.get(f"{PAGE}{PERIOD}&score={own.pk}")
    assert page.status_code == 400
    assert own.name not in page.content.decode()


def test_any_score_and_choice_can_be_charted_by_the_address(world, acme, people, inside, client_for):
    other = made("csat", "score", settings={"min": "0", "max": "5"})
    reason = made("reason", "choice", settings=CHOICES)
    with inside(acme):
        call = Call.objects.get(external_id="c1")
        rows = [NewValue("call", call.pk, other.pk, 5), NewValue("call", call.pk, reason.pk, "other")]
        write_values(tenant=acme, rows=rows, actor="job:1")
    client = client_for(people.tenant_admin)
    query = f"{PERIOD}&score={other.pk}&choice={reason.pk}"
    lines = exported(client, "day", query)
    assert lines[0][4:] == ["Csat, average", "Conversations with a value", "Reason, most frequent"]
    assert lines[-1][4:] == ["5.0", "1", "Something else"]
    page = client.get(PAGE + query).content.decode()
    assert "Csat by day, average" in page


def test_the_value_of_a_person_counts_and_the_one_it_replaced_does_not(world, acme, people, inside):
    score, _topics = world
    score.attribute = "custom_fields"
    score.save()
    with inside(acme):
        call = Call.objects.get(external_id="c0")
        seen = FieldValue.objects.get(record_id=call.pk, field=score).pk
        key = ("call", call.pk)
        edit_value(tenant=acme, key=key, field=score, value="100", seen=seen, editor=people.tenant_admin)
        found = summary_of(visible_calls(people.tenant_admin).filter(pk=call.pk), "UTC", score, None)
    assert (found.total.scored, found.total.average) == (1, Decimal(100))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?date_from=2026-11-20&date_to=2026-11-01", "The period ends before it begins."),
        ("?date_from=2020-01-01&date_to=2026-11-01", "At most 92 days at once."),
        ("?date_from=yesterday", "Enter a valid date."),
        ("?channel=fax", "Select a valid choice."),
        ("?score=topics", "Select a valid choice."),
        ("?choice=0", "Select a valid choice."),
    ],
)
def test_a_filter_that_breaks_a_rule_is_named_and_nothing_is_summed(world, people, client_for, query, said):
    client = client_for(people.tenant_admin)
    page = client.get(PAGE + query)
    assert page.status_code == 400
    assert said in page.content.decode()
    assert client.get(f"{PAGE}{query}&format=csv").status_code == 400


def test_an_unknown_table_is_not_found(world, people, client_for):
    assert client_for(people.tenant_admin).get(f"{PAGE}{PERIOD}&format=csv&table=users").status_code == 404


def test_links_lead_to_the_conversations_behind_a_figure(world, people, client_for):
    _score, topics = world
    page = client_for(people.tenant_admin).get(f"{PAGE}{PERIOD}&channel=voice").content.decode().replace("&amp;", "&")
    (link,) = set(re.findall(rf'href="(/calls/\?[^"]*field_{topics.pk}_1=delivery)"', page))
    listed = client_for(people.tenant_admin).get(link).content.decode()
    assert listed.count("data-href=") == 1


def test_platform_staff_choose_a_tenant_to_view_as_and_then_see_its_figures(world, acme, people, client_for):
    client = client_for(people.platform_admin)
    page = client.get(PAGE).content.decode()
    assert f"/administration/user-management/tenants/{acme.pk}/view-as/" in page
    assert "Billing" not in page
    client.post(f"/administration/user-management/tenants/{acme.pk}/view-as/", {"reason": "asked for help"})
    assert "Billing" in client.get(PAGE + PERIOD).content.decode()


def test_it_needs_the_same_queries_whatever_there_is(world, acme, people, inside, client_for):
    client = client_for(people.tenant_admin)

    def asked(query):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(PAGE + query).status_code == 200
        return len(queries)

    client.get(PAGE)
    assert asked(PERIOD) == asked("?date_from=2020-01-01&date_to=2020-01-02")


def test_a_hostile_name_of_a_group_or_choice_stays_text(world, acme, people, inside, client_for):
    name = '<script>alert(1)</script>"&=+'
    with inside(acme):
        Call.objects.filter(external_id="c0").update(group=name)
    page = client_for(people.tenant_admin).get(f"{PAGE}{PERIOD}").content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert any(line[0] == name for line in exported(client_for(people.tenant_admin), "group"))


def test_the_start_page_of_a_tenant_shows_score_and_topics_but_its_poll_does_not_add_them_up(
    world, acme, people, inside, client_for
):
    client = client_for(people.tenant_admin)
    assert "What conversations were about" not in client.get("/", headers={"HX-Target": "div#home"}).content.decode()
    with inside(acme):
        Call.objects.all().update(started_at=timezone.now())
    page = client.get("/").content.decode()
    assert "What conversations were about" in page
    assert "Billing" in page
    stranger = client_for(people.stranger).get("/").content.decode()
    assert "What conversations were about" not in stranger


def test_bars_begin_at_zero_and_a_day_without_a_value_has_none():
    day = NOON.date()
    drawn = chart_of(
        [DayBar(day, -50, ""), DayBar(day, 100, ""), DayBar(day, None, ""), DayBar(day, 0, "")], low=-100, high=100
    )
    below, above, nothing, zero = drawn["bars"]
    assert below["y"] == drawn["base"] == above["y"] + above["height"]
    assert above["height"] == 2 * below["height"]
    assert "height" not in nothing
    assert zero["height"] > 0
    assert chart_of([], low=0, high=2)["bars"] == []
