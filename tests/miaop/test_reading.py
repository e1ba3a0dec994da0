"""Reading tasks, meetings and transcripts: who sees what, in which state, under which address (sections 3, 5, 6)."""

import json
import threading
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Role
from audit.models import AuditEntry
from conversations.models import Call
from miaop import waiting
from miaop.models import Task
from tenants.doors import enter
from tests.conversations.calls import transcribed
from tests.miaop.conftest import stored_task

pytestmark = pytest.mark.django_db


def by_filter(ask, user, tree, **query):
    answer = ask(user, "/api/tasks", filter=json.dumps(tree), **query)
    assert answer.status_code == 200, answer.content
    return [task["taskId"] for task in answer.json()]


def with_role(user, **values):
    user.role = Role.objects.create(tenant=user.tenant, name=f"Role {Role.objects.count()}", **values)
    user.save()


def finished(tenant, task_id="q4m8x2k7", *turns, **columns):
    task = stored_task(tenant, task_id, **columns)
    with enter(tenant):
        call = Call.objects.get(external_id=f"1.{task_id}")
        transcribed(tenant, call, *(turns or ("hello there", "yes please")))
    return task


def test_all_paths_of_a_task_give_the_same_body_with_and_without_a_slash(ask, people, acme):
    stored_task(acme, "q4m8x2k7")
    paths = ("/api/tasks/q4m8x2k7", "/api/task/q4m8x2k7", "/api/tasks/q4m8x2k7/", "/api/task/q4m8x2k7/")
    answers = [ask(people.tenant_admin, path) for path in paths]
    assert [answer.status_code for answer in answers] == [200] * 4
    bodies = [answer.json() | {"sttRemainingSeconds": 0} for answer in answers]
    assert bodies == [bodies[0]] * 4
    assert answers[0]["Content-Type"] == "application/json; charset=utf-8"
    assert (answers[0]["Cache-Control"], bool(answers[0]["X-Request-Id"])) == ("no-store", True)
    assert bodies[0]["tenant"] == "acme"
    assert bodies[0]["meetings"] == [{"meetingId": "1.q4m8x2k7", "file": "1.wav", "status": "sttPending"}]


@pytest.mark.parametrize(
    ("states", "status"),
    [
        (("none", "none"), "sttPending"),
        (("none", "in_progress"), "sttProcessing"),
        (("none", "completed"), "sttProcessing"),
        (("completed", "failed"), "sttDone"),
        (("failed", "skipped"), "error"),
        (("aborted",), "error"),
    ],
)
def test_t19_the_status_of_a_task_follows_from_its_meetings(ask, people, acme, states, status):
    stored_task(acme, "t", states=states)
    task = ask(people.tenant_admin, "/api/tasks/t").json()
    assert task["taskStatus"] == status
    final = status in ("sttDone", "error")
    assert isinstance(task["sttRemainingTime"], int)
    assert (task["sttRemainingTime"] == 0) is final
    assert by_filter(ask, people.tenant_admin, {"taskStatus": status}) == ["t"]
    assert by_filter(ask, people.tenant_admin, {"taskStatus": {"$ne": status}}) == []


def test_t19_a_meeting_says_why_it_failed_and_one_whose_conversation_was_deleted_was_aborted(ask, people, acme):
    stored_task(acme, "t", states=("failed", "none"))
    with enter(acme):
        Call.objects.filter(external_id="1.t").update(transcription_reason="unsupported_audio")
        Call.objects.get(external_id="2.t").delete()
    first, second = (ask(people.tenant_admin, f"/api/meetings/{n}.t").json()["metadata"] for n in (1, 2))
    assert (first["status"], second["status"]) == ("error", "error")
    assert (first["errorInfo"]["name"], first["errorInfo"]["errorLevel"]) == ("UnsupportedAudio", "critical")
    assert second["errorInfo"]["name"] == "Aborted"
    assert ask(people.tenant_admin, "/api/tasks/t").json()["taskStatus"] == "error"


def test_t17_each_caller_sees_the_tasks_that_the_contract_gives_him_and_nothing_else_exists(ask, people, acme, globex):
    for user, email in ((people.supervisor, "sue@acme.example"), (people.agent, "alan@acme.example")):
        user.email = email
        user.save()
    stored_task(acme, "adas", submitted_by=people.tenant_admin)
    stored_task(acme, "alans", submitted_by=people.agent)
    stored_task(acme, "named", supervisor_email="Alan@ACME.example")
    stored_task(acme, "olgas", owner=people.other_agent, supervisor_email="olga@acme.example")
    stored_task(acme, "sales", owner=people.agent)
    stored_task(globex, "foreign")
    with_role(people.agent, scope="user", granted=[*people.agent.role.permissions, "miaop.read"])
    seen = {
        name: set(by_filter(ask, user, {}))
        for name, user in (
            ("admin", people.tenant_admin),
            ("group", people.supervisor),
            ("agent", people.agent),
            ("system", people.platform_admin),
        )
    }
    assert seen["admin"] == {"adas", "alans", "named", "olgas", "sales"}
    assert seen["group"] == {"sales"}
    assert seen["agent"] == {"alans", "named", "sales"}
    assert seen["system"] == seen["admin"] | {"foreign"}
    denied = [
        ask(people.agent, path).content.partition(b"requestId")[0]
        for path in (
            *("/api/tasks/adas", "/api/tasks/foreign", "/api/tasks/nowhere", "/api/meetings/1.adas"),
            *("/api/stt/1.adas/0", "/api/meetings/1.adas/summary"),
        )
    ]
    assert len(set(denied)) == 1
    assert b'"statusCode":404' in denied[0]


def test_t16_an_id_that_two_tenants_use_has_to_be_told_apart_by_platform_staff(ask, people, acme, globex):
    stored_task(acme, "same")
    stored_task(globex, "same")
    assert ask(people.platform_admin, "/api/tasks/same").status_code == 409
    assert ask(people.platform_admin, "/api/tasks/same", tenant="globex").json()["tenant"] == "globex"
    assert ask(people.tenant_admin, "/api/tasks/same").json()["tenant"] == "acme"
    assert ask(people.tenant_admin, "/api/tasks/same", tenant="globex").status_code == 404


def test_t18_the_guides_filter_means_the_same_in_seconds_and_in_milliseconds_and_bounds_are_half_open(
    ask, people, acme
):
    for number, name in enumerate(("a", "b", "c")):
        task = stored_task(acme, name)
        with enter(acme):
            at = timezone.now().replace(microsecond=123456) + timedelta(seconds=10 * number)
            Task.objects.filter(pk=task.pk).update(changed_at=at)
    admin = people.tenant_admin
    times = {task["taskId"]: task["taskUpdateTimeNumeric"] for task in ask(admin, "/api/tasks").json()}
    assert list(times) == ["c", "b", "a"]

    def between(low, high):
        field = "extraData.taskUpdateTimeNumeric"
        tree = {"$and": [{field: {"$gte": low, "$lt": high}}, {"extraData.archive": {"$ne": True}}]}
        return by_filter(ask, admin, tree)

    assert between(times["a"], times["c"]) == ["b", "a"]
    assert between(times["a"] + 1, times["c"] + 1) == ["c", "b"]
    assert between(times["a"] // 1000, times["c"] // 1000) == between(
        times["a"] // 1000 * 1000, times["c"] // 1000 * 1000
    )
    assert by_filter(ask, admin, {"taskUpdateTimeNumeric": times["b"]}) == ["b"]


def test_t18_archived_tasks_another_tenant_pages_and_broken_filters(ask, people, acme):
    stored_task(acme, "old", archived=True)
    stored_task(acme, "new")
    admin = people.tenant_admin
    assert set(by_filter(ask, admin, {})) == {"old", "new"}
    assert by_filter(ask, admin, {"archive": {"$ne": True}}) == ["new"]
    assert by_filter(ask, admin, {"extraData.tenant": "globex"}) == []
    assert by_filter(ask, people.platform_admin, {"extraData.tenant": "acme", "archive": True}) == ["old"]
    page = ask(admin, "/api/tasks", limit=1, skip=1)
    assert (len(page.json()), page["X-Total-Count"]) == (1, "2")
    page = ask(people.platform_admin, "/api/tasks", limit=1, skip=1)
    assert (len(page.json()), page["X-Total-Count"]) == (1, "2")
    for broken in ('{"$and" [', '{"$where": "1"}', '{"members": 1}', "", '{"taskId": "' + "x" * 9000 + '"}'):
        answer = ask(admin, "/api/tasks", filter=broken)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_FILTER")
    assert by_filter(ask, admin, {"taskName": "' OR 1=1; DROP TABLE miaop_task; --"}) == []


def test_t21_a_transcript_that_is_not_there_says_so_and_other_versions_and_ids_do_not_exist(ask, people, acme):
    stored_task(acme, "t", states=("none", "in_progress", "failed"))
    admin = people.tenant_admin
    for number, code in ((1, "TRANSCRIPTION_NOT_READY"), (2, "TRANSCRIPTION_NOT_READY"), (3, "TRANSCRIPTION_FAILED")):
        answer = ask(admin, f"/api/stt/{number}.t/0")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)
        assert ("Retry-After" in answer.headers) is (number < 3)
    finished(acme, "u")
    assert ask(admin, "/api/stt/1.u/0").status_code == 200
    for path in ("/api/stt/1.u/1", "/api/stt/0.u/0", "/api/stt/01.u/0", "/api/stt/u/0", "/api/stt/2.u/0"):
        assert ask(admin, path).json()["error"]["code"] == "NOT_FOUND"


def test_t27_a_transcript_is_read_with_speakers_in_its_language_and_the_reading_is_audited(ask, people, acme):
    finished(acme, "t", "בוקר טוב", "שלום")
    with enter(acme):
        Call.objects.update(language="he-IL")
    answer = ask(people.tenant_admin, "/api/stt/1.t/0")
    assert "בוקר טוב" in answer.content.decode()
    first, second = answer.json()["transcription"]
    assert (first["id"], second["id"]) == ("דובר-1", "דובר-2")
    assert first["words"][0] == {"word": "בוקר", "location": 0, "duration": 90, "confidence": 0.9}
    entry = AuditEntry.objects.filter(tenant_id=acme.pk, action="miaop.transcript_read").get()
    assert (entry.actor, entry.details["meeting"], bool(entry.ip)) == ("ada@acme", "1.t", True)
    assert entry.request_id == answer["X-Request-Id"]


def test_t17_reading_a_transcript_needs_its_right_and_a_confidential_one_does_not_exist(ask, people, acme):
    finished(acme, "t")
    held = set(people.tenant_admin.role.permissions)
    with_role(people.tenant_admin, scope="system", granted=sorted(held - {"call_attributes.transcript.view"}))
    answer = ask(people.tenant_admin, "/api/stt/1.t/0")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "PERMISSION_DENIED")
    with_role(people.tenant_admin, scope="system", granted=sorted(held))
    assert ask(people.tenant_admin, "/api/stt/1.t/0").status_code == 200
    with enter(acme):
        Call.objects.update(confidential=True)
    assert ask(people.tenant_admin, "/api/stt/1.t/0").status_code == 404
    assert ask(people.tenant_admin, "/api/meetings/1.t").status_code == 404


def test_t20_remaining_time_is_an_estimate_while_it_lasts_capped_and_with_a_hint_when_to_ask_again(
    ask, people, acme, settings
):
    stored_task(acme, "t", states=("none", "in_progress"))
    with enter(acme):
        Call.objects.update(duration_ms=400_000)
        Call.objects.filter(transcription_state="in_progress").update(
            transcription_at=timezone.now() - timedelta(seconds=30)
        )
    answer = ask(people.tenant_admin, "/api/tasks/t")
    # 800 s of audio, a quarter each, on one place, and five seconds: less the half minute that it is under way.
    assert 170 <= answer.json()["sttRemainingTime"] <= 176
    assert answer["Retry-After"] == "60"
    settings.MIAOP_MAX_REMAINING_S = 100
    assert ask(people.tenant_admin, "/api/tasks/t").json()["sttRemainingTime"] == 100


def test_r11_without_the_api_or_a_token_there_is_nothing(people, acme, ask, client_for):
    stored_task(acme, "t")
    assert ask(people.tenant_admin, "/api/tasks/t").status_code == 200
    answer = Client().get("/api/tasks/t")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer ")
    acme.realm.enabled = False
    acme.realm.save()
    assert ask(people.tenant_admin, "/api/tasks/t").status_code == 404


def test_a_wait_ends_when_the_task_moves_on_and_who_finds_no_place_is_answered_at_once(ask, people, acme, monkeypatch):
    stored_task(acme, "t")
    looks = []

    def look(_seconds):
        looks.append(1)
        with enter(acme):
            Call.objects.update(transcription_state="completed", transcription_at=timezone.now())

    monkeypatch.setattr(waiting.time, "sleep", look)
    assert ask(people.tenant_admin, "/api/tasks/t", wait=30).json()["taskStatus"] == "sttDone"
    assert len(looks) == 1
    assert ask(people.tenant_admin, "/api/tasks/t", wait=31).status_code == 400
    with enter(acme):
        Call.objects.update(transcription_state="none")
    monkeypatch.setattr(waiting, "PLACES", threading.BoundedSemaphore(1))
    with waiting.PLACES:
        assert ask(people.tenant_admin, "/api/tasks/t", wait=30).json()["taskStatus"] == "sttPending"
    # Nobody waited, or the look would have ended it.
    assert len(looks) == 1
    assert ask(people.tenant_admin, "/api/tasks/t", wait=30).json()["taskStatus"] == "sttDone"
    assert len(looks) == 2
