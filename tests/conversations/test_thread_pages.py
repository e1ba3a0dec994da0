"""The pages of threads: the list beside calls, filters, search and rights, the messages, exports, audit."""

import orjson
import pytest
from django.urls import reverse

from accounts import permissions
from accounts.permissions import DefaultRole, Permission
from audit.models import AuditEntry
from tests.conversations.calls import stored_call, transcribed
from tests.conversations.threads import PEOPLE, stored_thread


@pytest.fixture
def found(acme, globex, people, inside):
    """A call and a chat of alan, an e-mail of olga, a confidential ticket, and a chat of the other tenant."""
    with inside(acme):
        call = stored_call(acme, "call-1", username="alan", direction="inbound")
        transcribed(acme, call, "parcel by voice")
        made = {
            "call": call,
            "chat": stored_thread(acme, "chat-1", username="alan", subject="Late parcel"),
            "email": stored_thread(acme, "mail-1", "the bill is wrong", "sorry", channel="email", username="olga"),
            "ticket": stored_thread(acme, "tick-1", "secret matter", channel="ticket", confidential=True),
        }
    with inside(globex):
        made["foreign"] = stored_thread(globex, "foreign-1")
    return made


def page(call) -> str:
    return reverse("conversations:call", args=[call.pk])


def export(call, extension: str) -> str:
    return reverse("conversations:call_thread", args=[call.pk, extension])


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", {"call", "chat", "email"}),
        ("type=thread", {"chat", "email"}),
        ("type=call", {"call"}),
        ("channel=email", {"email"}),
        ("channel=chat&q=parcel", {"chat"}),
        ("q=parcel", {"call", "chat"}),
        ("q=late", {"chat"}),
        ("q=rita%40example", {"chat", "email"}),
        ("q=mail-1", {"email"}),
        ("q=secret", set()),
        ("state=none", set()),
        ("state=completed", {"call"}),
        ("direction=inbound", {"call"}),
        ("direction=unknown", set()),
        ("duration_max=1000", {"call"}),
        ("sort=-messages", {"call", "chat", "email"}),
    ],
)
def test_threads_stand_beside_calls_and_filters_live_in_the_url(found, people, client_for, query, names):
    response = client_for(people.tenant_admin).get(f"/calls/?{query}")
    assert response.status_code == 200
    shown = {row.record.pk for row in response.context["table"].paginated_rows}
    assert shown == {found[name].pk for name in names}


def test_the_list_shows_messages_and_subject_and_no_transcription(found, people, client_for):
    content = client_for(people.tenant_admin).get("/calls/?type=thread").content.decode()
    for text in ("2 messages", "Late parcel", "E-mail", "Chat"):
        assert text in content
    assert "Not started</span>" not in content
    csv = b"".join(client_for(people.tenant_admin).get("/calls/?type=thread&format=csv").streaming_content).decode()
    assert "email" in csv
    assert "unknown" not in csv
    assert "Late parcel" not in csv


def test_the_page_shows_messages_with_writers_times_and_channel(found, people, client_for):
    content = client_for(people.agent).get(page(found["chat"])).content.decode()
    for text in ("Late parcel", "my parcel is late", "Rita Lane", "rita@example.com", "Customer", "2026-11-20", "Chat"):
        assert text in content
    assert 'id="turn-1"' in content
    assert "<audio" not in content
    entry = AuditEntry.objects.get(action="thread.read")
    assert (entry.target_type, entry.details["call"]) == ("thread", "chat-1")


def test_hostile_messages_are_text(acme, people, inside, client_for):
    evil = "<script>alert(1)</script> ![x](http://evil.example/x.png) {{ 7*7 }}"
    with inside(acme):
        named = [{**PEOPLE[0], "name": "<img src=x onerror=y>"}, PEOPLE[1]]
        call = stored_thread(acme, "x", evil, username="alan", subject="<b>s", participants=named)
    for address in (page(call), "/calls/?q=alert"):
        content = client_for(people.tenant_admin).get(address).content.decode()
        assert "<script>alert" not in content
        assert "<img" not in content
        assert "<b>s" not in content


def test_exports_hold_everything_and_are_audited(found, people, client_for):
    client = client_for(people.agent)
    written = client.get(export(found["chat"], "txt"))
    assert written["Content-Disposition"] == 'attachment; filename="chat-1.txt"'
    assert "[2026-11-20 09:30:00 UTC] Rita Lane (customer)\nmy parcel is late\n" in written.content.decode()
    values = orjson.loads(client.get(export(found["chat"], "json")).content)
    assert [message["text"] for message in values["messages"]] == ["my parcel is late", "I am sorry, I look for it"]
    assert values["messages"][1]["sent_at"] == "2026-11-20T09:31:00.000+00:00"
    assert AuditEntry.objects.filter(action="thread.read").count() == 2


def test_who_may_do_what_with_a_thread(found, people, client_for):
    for user, name, status in [
        (people.agent, "chat", 200),
        (people.agent, "email", 404),
        (people.agent, "foreign", 404),
        (people.tenant_admin, "email", 200),
        (people.tenant_admin, "ticket", 404),
        (people.tenant_admin, "foreign", 404),
        (people.platform_admin, "chat", 404),
    ]:
        assert client_for(user).get(page(found[name])).status_code == status, (user, name)
        assert client_for(user).get(export(found[name], "json")).status_code == status, (user, name)
    assert client_for(people.agent).get(export(found["call"], "txt")).status_code == 404


def test_without_the_right_to_read_neither_subject_nor_messages_are_shown(found, people, client_for, monkeypatch):
    rights = permissions.ROLE_PERMISSIONS[DefaultRole.AGENT] - {Permission.CALLS_PLAYBACK_OWN}
    monkeypatch.setitem(permissions.ROLE_PERMISSIONS, DefaultRole.AGENT, rights)
    client = client_for(people.agent)
    seen = client.get(page(found["chat"])).content.decode() + client.get("/calls/").content.decode()
    assert "You may not read these messages" in seen
    assert "Rita Lane" in seen
    for secret in ("Late parcel", "my parcel"):
        assert secret not in seen
    assert client.get(export(found["chat"], "txt")).status_code == 403
    assert [row.record.pk for row in client.get("/calls/?q=late").context["table"].paginated_rows] == []
    assert not AuditEntry.objects.filter(action="thread.read").exists()


def test_voice_only_addresses_of_a_thread_do_not_exist(found, people, client_for):
    for name in ("call_audio", "call_peaks", "call_words"):
        address = reverse(f"conversations:{name}", args=[found["chat"].pk])
        assert client_for(people.tenant_admin).get(address).status_code == 404
