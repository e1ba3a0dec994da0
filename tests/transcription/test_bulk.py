"""Enabling, disabling and testing several engines at once."""

import pytest
from django.urls import reverse

from audit.models import AuditEntry
from transcription.models import EngineTest, SpeechEngine

pytestmark = pytest.mark.django_db
URL = "transcription:bulk"


@pytest.fixture
def root(client_for, people):
    return client_for(people.platform_admin)


@pytest.fixture
def engines(db):
    settings = {"server_address": "http://127.0.0.1:1"}
    names = [f"Engine {number}" for number in range(7)]
    return [SpeechEngine.objects.create(name=name, engine_type="native_v2", settings=settings) for name in names]


def bulk(client, action, query=None, **posted):
    return client.post(reverse(URL, query=query), {"action": action, **posted}, follow=True)


def test_all_engines_that_match_are_disabled_after_a_question_and_the_others_are_not(root, engines):
    asked = bulk(root, "disable", {"q": "engine 1"}, all_matching="1")
    assert "1 row" in asked.content.decode()
    assert not SpeechEngine.objects.filter(enabled=False).exists()
    done = bulk(root, "disable", {"q": "engine 1"}, all_matching="1", confirmed="1")
    assert "1 engine changed." in done.content.decode()
    changed = SpeechEngine.objects.get(enabled=False)
    assert (changed.name, changed.version) == ("Engine 1", 2)
    assert AuditEntry.objects.get(action="speech_engine.disabled").details == {"names": ["Engine 1"]}
    assert bulk(root, "disable", {"q": "engine 1"}, all_matching="1", confirmed="1").status_code == 200
    assert AuditEntry.objects.filter(action="speech_engine.disabled").count() == 1


def test_ticked_engines_are_enabled_at_once(root, engines):
    SpeechEngine.objects.update(enabled=False)
    bulk(root, "enable", selection=[engines[0].pk, engines[2].pk])
    assert set(SpeechEngine.objects.filter(enabled=True)) == {engines[0], engines[2]}


def test_five_engines_are_tested_in_one_audit_row_and_the_others_are_named(root, engines):
    done = bulk(root, "test", all_matching="1", confirmed="1").content.decode()
    assert "5 tests were started." in done
    assert "Not tested: Engine 5, Engine 6" in done
    assert EngineTest.objects.count() == 5
    entry = AuditEntry.objects.get(action="speech_engine.several_tested")
    assert len(entry.details["parts"]) == 5
    again = bulk(root, "test", selection=[engines[6].pk], confirmed="1").content.decode()
    assert "five tests within a minute" in again
    assert EngineTest.objects.count() == 5


def test_a_wrong_filter_or_action_changes_nothing_and_lookers_have_no_bulk(root, client_for, people, engines):
    assert root.post(reverse(URL), {"action": "explode"}).status_code == 400
    wrong = reverse(URL, query={"status": "nonsense"})
    assert root.post(wrong, {"action": "disable", "all_matching": "1", "confirmed": "1"}).status_code == 400
    assert client_for(people.tenant_admin).post(reverse(URL), {"action": "disable"}).status_code == 403
    assert not SpeechEngine.objects.filter(enabled=False).exists()
