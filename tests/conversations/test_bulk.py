"""Bulk actions on the calls list: by filter, by right, frozen at the preview, each with one row in the trail."""

import uuid

import pytest
from django.core.cache import cache
from django.urls import reverse

from accounts.models import Role, User
from audit.models import AuditEntry
from conversations.bulk import choosing
from conversations.models import Call, Recording, Transcript
from conversations.tasks import remove_audio
from queues.models import ProcessingQueue, QueueItem
from tests.conversations.calls import audio_file, stored_call, stored_files, transcribed

pytestmark = pytest.mark.django_db
LIST = "/calls/"


@pytest.fixture
def calls(acme, people, inside, tmp_path):
    """Two of alan, one of olga, one of nobody; the first is transcribed and has audio."""
    with inside(acme):
        made = {
            "first": stored_call(acme, "first", username="alan", audio=audio_file(tmp_path), direction="inbound"),
            "second": stored_call(acme, "second", username="alan", tags=("old",)),
            "olga's": stored_call(acme, "olga", username="olga", direction="inbound"),
            "nobody's": stored_call(acme, "nobody", direction="inbound"),
        }
        transcribed(acme, made["first"], "hello there")
    return made


@pytest.fixture
def ada(client_for, people):
    return client_for(people.tenant_admin)


def choose(client, action, *, query="", **posted):
    answer = client.post(reverse("conversations:calls_bulk") + query, {"action": action, **posted})
    assert answer.status_code == 302, answer.content.decode()[:1000]
    return answer["Location"]


def do(client, action, *, tag="", query="", **posted):
    page = choose(client, action, query=query, **posted)
    return client.post(page, {"tag": tag}, follow=True)


def tags_of(acme, inside) -> dict[str, list[str]]:
    with inside(acme):
        return dict(Call.objects.values_list("external_id", "tags"))


def test_what_matches_the_filters_is_previewed_then_tagged_with_one_row(ada, calls, acme, inside):
    page = choose(ada, "tag", query="?direction=inbound")
    preview = ada.get(page).content.decode()
    assert "Assign tag: 3 conversations" in preview
    assert "all that match the filters" in preview
    assert tags_of(acme, inside)["first"] == []
    before = AuditEntry.objects.count()
    done = ada.post(page, {"tag": " vip "}, follow=True)
    assert "3 conversations were changed" in done.content.decode()
    assert tags_of(acme, inside) == {"first": ["vip"], "second": ["old"], "olga": ["vip"], "nobody": ["vip"]}
    entry = AuditEntry.objects.latest("pk")
    assert AuditEntry.objects.count() == before + 1
    assert (entry.action, entry.actor) == ("calls.tagged", "ada@acme")
    expected = {"count": 3, "skipped": 0, "chosen": "all matching", "filters": ["direction"], "tag": "vip"}
    assert entry.details == expected
    again = ada.post(page, {"tag": "vip"})
    assert again.status_code == 409
    assert AuditEntry.objects.count() == before + 1


def test_what_was_looked_for_is_not_written_into_the_trail(ada, calls):
    do(ada, "tag", tag="vip", query="?q=hello")
    details = AuditEntry.objects.latest("pk").details
    assert (details["count"], details["filters"]) == (1, ["q"])
    assert "hello" not in str(details)


def test_ticked_calls_are_untagged_and_those_without_the_tag_are_named(ada, calls, acme, inside):
    with inside(acme):
        changed_at = Call.objects.get(external_id="second").changed_at
    chosen = [str(calls["first"].pk), str(calls["second"].pk), "nonsense"]
    done = do(ada, "untag", tag="old", selection=chosen)
    assert "1 conversation was changed" in done.content.decode()
    assert "Nothing to change" in done.content.decode()
    assert tags_of(acme, inside)["second"] == []
    with inside(acme):
        assert Call.objects.get(external_id="second").changed_at > changed_at


@pytest.mark.parametrize("tag", ["", "   ", "x" * 61, "a\x00b"])
def test_a_tag_that_cannot_be_one_is_named_and_the_action_can_be_started_again(ada, calls, acme, inside, tag):
    page = choose(ada, "tag", selection=[str(calls["first"].pk)])
    refused = ada.post(page, {"tag": tag})
    assert refused.status_code == 422
    assert 'role="alert"' in refused.content.decode()
    assert ada.post(page, {"tag": "fine"}).status_code == 302
    assert tags_of(acme, inside)["first"] == ["fine"]


def test_what_changes_after_the_preview_is_skipped_and_listed(ada, calls, acme, inside):
    page = choose(ada, "tag", query="?direction=inbound")
    with inside(acme):
        Call.objects.filter(pk=calls["olga's"].pk).update(tags=["else"])
        Call.objects.filter(pk=calls["nobody's"].pk).delete()
        stored_call(acme, "late", direction="inbound")
    done = ada.post(page, {"tag": "vip"}, follow=True).content.decode()
    assert "1 conversation was changed" in done
    assert "Changed meanwhile: skipped" in done
    assert "Deleted meanwhile: skipped" in done
    assert tags_of(acme, inside) == {"first": ["vip"], "second": ["old"], "olga": ["else"], "late": []}
    assert AuditEntry.objects.latest("pk").details["skipped"] == 2


def test_deleted_calls_go_with_what_belongs_to_them_and_the_trail_names_them(
    ada, calls, acme, inside, django_capture_on_commit_callbacks, monkeypatch
):
    asked = []
    monkeypatch.setattr("conversations.tasks.remove_audio.apply_async", lambda kwargs: asked.append(kwargs))
    assert len(stored_files()) == 1
    with django_capture_on_commit_callbacks(execute=True):
        do(ada, "delete", selection=[str(calls["first"].pk), str(calls["olga's"].pk)])
    with inside(acme):
        assert sorted(Call.objects.values_list("external_id", flat=True)) == ["nobody", "second"]
        assert not Recording.objects.exists()
        assert not Transcript.objects.exists()
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, sorted(entry.details["external_ids"])) == ("calls.deleted", ["first", "olga"])
    (wish,) = asked
    with inside(acme):
        remove_audio.run(**{**wish, "keys": [*wish["keys"], "../elsewhere"]})
    assert stored_files() == set()


def test_files_of_deleted_calls_are_left_to_the_sweep_when_no_broker_can_be_reached(
    ada, calls, django_capture_on_commit_callbacks, monkeypatch
):
    def broken(**_kwargs):
        raise OSError

    monkeypatch.setattr("conversations.tasks.remove_audio.apply_async", broken)
    with django_capture_on_commit_callbacks(execute=True):
        assert do(ada, "delete", selection=[str(calls["first"].pk)]).status_code == 200
    assert len(stored_files()) == 1


def test_what_is_not_completed_goes_into_the_listening_queues_to_be_taken_up_anew(ada, calls, acme):
    page = choose(ada, "process")
    refused = ada.post(page)
    assert refused.status_code == 409
    assert "No enabled queue" in refused.content.decode()
    wide = ProcessingQueue.objects.create(name="Recorded", events=["call.recording_finished"])
    ProcessingQueue.objects.create(name="Off", events=["call.recording_finished"], enabled=False)
    ProcessingQueue.objects.create(name="Other", events=["call.created"])
    assert ada.post(page).status_code == 302
    items = QueueItem.objects.all()
    assert {(item.queue_id, item.tenant_id, item.event) for item in items} == {(wide.pk, acme.pk, "requeued")}
    assert {item.record_id for item in items} == {calls[name].pk for name in ("second", "olga's", "nobody's")}
    assert AuditEntry.objects.latest("pk").action == "calls.queued"


@pytest.fixture
def limited(acme, people, client_for):
    """Olga may see all calls, tag her own, and delete none."""
    codes = ["calls.own.view", "calls.others.view", "calls.own.tag"]
    role = Role.objects.create(tenant=acme, name="Limited", scope="system", granted=codes)
    User.objects.filter(pk=people.other_agent.pk).update(role=role)
    return client_for(User.objects.get(pk=people.other_agent.pk))


def test_nobody_acts_on_more_than_the_rights_reach(limited, ada, calls, acme, inside):
    listed = limited.get(LIST)
    assert [action["name"] for action in listed.context["bulk_actions"]] == ["tag", "untag"]
    assert 'name="selection"' in listed.content.decode()
    do(limited, "tag", tag="mine", selection=[str(call.pk) for call in calls.values()])
    assert {name for name, tags in tags_of(acme, inside).items() if tags == ["mine"]} == {"olga"}
    for action in ("delete", "process"):
        assert limited.post(reverse("conversations:calls_bulk"), {"action": action}).status_code == 403
    assert len(tags_of(acme, inside)) == 4


def test_a_right_that_is_taken_away_after_the_preview_counts(limited, people, calls, acme, inside):
    page = choose(limited, "tag", selection=[str(calls["olga's"].pk)])
    with inside(acme):
        Call.objects.filter(pk=calls["olga's"].pk).update(user=people.agent)
    limited.post(page, {"tag": "mine"})
    assert tags_of(acme, inside)["olga"] == []


def test_who_has_no_such_right_sees_no_boxes_and_may_choose_nothing(calls, people, client_for):
    agent = client_for(people.agent)
    listed = agent.get(LIST)
    assert listed.context["bulk_actions"] == []
    assert 'name="selection"' not in listed.content.decode()
    assert agent.post(reverse("conversations:calls_bulk"), {"action": "tag"}).status_code == 403


def test_a_choice_is_its_owners_alone_and_forgotten_after_an_hour(ada, calls, people, client_for, monkeypatch):
    page = choose(ada, "delete")
    for other in (people.supervisor, people.stranger):
        assert client_for(other).get(page).status_code in {403, 404}
        assert client_for(other).post(page).status_code in {403, 404}
    assert ada.get(page).status_code == 200
    cache.clear()
    assert ada.get(page).status_code == 404
    assert ada.get(reverse("conversations:call_bulk", args=[uuid.uuid4()])).status_code == 404


def test_of_very_many_the_newest_are_chosen_and_that_is_said(ada, calls, monkeypatch):
    monkeypatch.setattr(choosing, "AT_ONCE", 2)
    monkeypatch.setattr("conversations.bulk.views.AT_ONCE", 2)
    page = ada.get(choose(ada, "tag"))
    assert len(page.context["choice"].calls) == 2
    assert "the newest 2 of those that match" in page.content.decode()


@pytest.mark.parametrize(("posted", "query"), [({"action": "explode"}, ""), ({"action": "tag"}, "?direction=sideways")])
def test_unknown_actions_and_broken_filters_choose_nothing(ada, calls, posted, query):
    answer = ada.post(reverse("conversations:calls_bulk") + query, posted)
    assert 400 <= answer.status_code < 500


def test_an_empty_choice_says_so_and_cannot_be_started(ada, calls):
    page = choose(ada, "tag", query="?group=nowhere")
    assert "No conversation is left" in ada.get(page).content.decode()
    assert ada.post(page, {"tag": "vip"}).status_code == 409


def test_a_hostile_tag_is_text(ada, calls):
    done = do(ada, "tag", tag="<script>alert(1)</script>", selection=[str(calls["first"].pk)])
    assert "<script>alert" not in done.content.decode()
