"""The panel of custom fields on the page of a call, and the pages of one value."""

import pytest

from conversations.field_models import FieldValue
from conversations.fields.writing import Evidence, NewValue, Provenance, write_values
from tests.conversations.calls import stored_call, transcribed
from tests.customfields.making import CHOICES, SCORE, made

pytestmark = pytest.mark.django_db


@pytest.fixture
def mood(acme):
    return made("mood", "score", settings=SCORE, group="Insights", description="How the caller felt")


@pytest.fixture
def call(acme, inside):
    with inside(acme):
        call = stored_call(acme, username="alan")
        transcribed(acme, call, "hello there", "thank you so much")
        return call


def write(tenant, inside, call, field, value, **more):
    with inside(tenant):
        write_values(tenant=tenant, rows=[NewValue("call", call.pk, field.pk, value, **more)], actor="job:1")


def page_of(client, call):
    return client.get(f"/calls/{call.pk}/").content.decode()


def address(call, field, rest=""):
    return f"/conversations/call/{call.pk}/fields/{field.pk}/{rest}"


def test_the_panel_shows_value_band_author_reasons_and_a_way_to_the_words(client_for, people, acme, inside, call, mood):
    quotes = [Evidence("thank you", 1, 0, 9, 12_000, verified=True), Evidence("never said")]
    source = Provenance(task_label="Mood v3", engine="Offline", model="rules")
    write(acme, inside, call, mood, 60, explanation="<b>Friendly</b>", evidence=quotes, provenance=source)
    page = page_of(client_for(people.tenant_admin), call)
    for part in ("Insights", "How the caller felt", ">60<", "Good", "p-tone-success", "Mood v3 · Offline · rules"):
        assert part in page
    assert "&lt;b&gt;Friendly" in page
    assert 'href="#turn-1"' in page
    assert 'id="turn-1"' in page
    assert page.count("not found in the text") == 1


def test_quotes_are_for_those_who_may_read_the_transcript(client_for, people, acme, inside, call, mood):
    write(acme, inside, call, mood, 60, evidence=[Evidence("secret words")])
    role = people.agent.role
    reader = page_of(client_for(people.agent), call)
    assert "secret words" in reader
    type(role).objects.filter(pk=role.pk).update(granted=[])
    from accounts.models import Role

    people.agent.role = Role.objects.create(
        tenant=acme, name="Looker", scope="system", granted=["calls.own.view", "call_attributes.custom_fields.view"]
    )
    people.agent.save()
    client = client_for(people.agent)
    for page in (page_of(client, call), client.get(address(call, mood, "history/")).content.decode()):
        assert "60" in page
        assert "secret words" not in page
    exported = b"".join(client.get(address(call, mood, "history/"), {"format": "csv"}).streaming_content).decode()
    assert "secret words" not in exported


def test_a_disabled_field_and_one_of_another_right_are_not_shown(client_for, people, acme, inside, call, mood):
    tone = made("tone", attribute="sentiment", name="Tone of voice")
    write(acme, inside, call, mood, 60)
    write(acme, inside, call, tone, "warm")
    client = client_for(people.tenant_admin)
    assert "Tone of voice" in page_of(client, call)
    assert client.get(address(call, tone)).status_code == 403
    type(tone).objects.filter(pk=mood.pk).update(enabled=False)
    assert "How the caller felt" not in page_of(client, call)
    assert client.get(address(call, mood)).status_code == 404
    assert client.get(address(call, mood, "history/")).status_code == 404


def test_a_supervisor_edits_a_value_and_takes_the_pin_off(client_for, people, acme, inside, call, mood):
    write(acme, inside, call, mood, 60)
    client = client_for(people.supervisor)
    form = client.get(address(call, mood))
    seen = form.context["form"].initial["seen"]
    assert 'value="60"' in form.content.decode()
    assert client.post(address(call, mood), {"value": "500", "seen": seen}).status_code == 422
    assert client.post(address(call, mood), {"value": "-70", "seen": 0}).status_code == 409
    assert client.post(address(call, mood), {"value": "-70", "seen": seen}).status_code == 302
    page = page_of(client, call)
    assert "Pinned" in page
    assert "sue@acme" in page
    history = client.get(address(call, mood, "history/")).content.decode()
    assert "Held back" in history
    assert client.post(address(call, mood, "unpin/")).status_code == 302
    assert client.post(address(call, mood, "unpin/")).status_code == 302
    with inside(acme):
        assert FieldValue.objects.get(standing="current").number == 60


def test_an_agent_sees_the_own_values_and_edits_none(client_for, people, acme, inside, call, mood):
    write(acme, inside, call, mood, 60)
    client = client_for(people.agent)
    assert "/fields/" in page_of(client, call)
    assert client.get(address(call, mood)).status_code == 403
    assert client.post(address(call, mood, "unpin/")).status_code == 403
    other = client_for(people.other_agent)
    assert other.get(address(call, mood, "history/")).status_code == 404


def test_nothing_of_another_tenant_is_reached(client_for, people, call, mood, globex):
    theirs = made("theirs", tenant=globex)
    assert client_for(people.stranger).get(address(call, mood)).status_code == 404
    assert client_for(people.tenant_admin).get(address(call, theirs)).status_code == 404
    assert client_for(people.tenant_admin).get(address(call, mood).replace("/call/", "/meeting/")).status_code == 404


@pytest.mark.parametrize(
    ("kind", "rules", "typed", "shown"),
    [
        ("text", {}, "a  b", "a b"),
        ("long_text", {}, "one\r\ntwo", "one\ntwo"),
        ("integer", {}, "7", "7"),
        ("decimal", {"places": 2}, "7.50", "7.5"),
        ("choice", CHOICES, "other", "Something else"),
        ("multi_choice", CHOICES, ["other", "billing"], "Billing, Something else"),
        ("boolean", {}, "false", "no"),
        ("date", {}, "2026-02-28", "2026-02-28"),
    ],
)
def test_every_type_is_typed_in_and_shown(client_for, people, call, kind, rules, typed, shown):
    field, client = made("it", kind, settings=rules), client_for(people.tenant_admin)
    assert client.post(address(call, field), {"value": typed, "seen": 0}).status_code == 302
    assert f">{shown}<" in page_of(client, call)
    again = client.get(address(call, field))
    initial = again.context["form"].initial["value"]
    stored = client.post(address(call, field), {"value": initial, "seen": again.context["form"].initial["seen"]})
    assert stored.status_code == 302
    emptied = client.post(address(call, field), {"seen": again.context["form"].initial["seen"]})
    assert emptied.status_code == 302
    assert "(empty)" in page_of(client, call)
