"""Submitting (section 4): what is taken, what is refused, and that a refusal leaves nothing behind."""

import json
import re
import uuid
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.test import Client

from audit.models import AuditEntry
from conversations.audio import tenant_folder
from conversations.models import Call, Recording
from core.errors import InvalidInput
from core.outcomes import Reason
from miaop import services
from miaop.models import Meeting, Task
from miaop.receiving import incoming
from queues.models import QueueItem
from queues.services import save_queue
from speechserver.tones import spoken, tone_wav
from tenants.doors import enter
from tests.conversations.calls import audio_file, stored_call

pytestmark = pytest.mark.django_db
BOUNDARY = "----limit"
BEFORE: dict[uuid.UUID, set[str]] = {}


@pytest.fixture(autouse=True)
def _only_new_files(acme, globex):
    """Other tests left files; those do not count here."""
    BEFORE.update({tenant.pk: stored_files(tenant) for tenant in (acme, globex)})


@pytest.fixture(autouse=True)
def folder(tmp_path, settings):
    settings.MIAOP_INCOMING_DIR = str(tmp_path / "incoming")
    return Path(settings.MIAOP_INCOMING_DIR)


@pytest.fixture(scope="module")
def sound() -> bytes:
    """Short audio; what comes behind it makes other bytes of it."""
    return tone_wav([spoken("hello")], duration_ms=1200)


def described(*names, **changes):
    task = {
        "taskType": "offline",
        "baseLanguages": ["English"],
        "meetings": [{"files": [{"file": name, "baseLanguage": "English"}]} for name in names],
    }
    return {name: value for name, value in (task | changes).items() if value is not None}


def part(name, content, *, filename=None, kind=None):
    head = f'Content-Disposition: form-data; name="{name}"'
    head += f'; filename="{filename}"' if filename is not None else ""
    head += f"\r\nContent-Type: {kind}" if kind else ""
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + content + b"\r\n"


def body_of(*parts):
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


@pytest.fixture
def submit(bearer):
    """``submit(user, task, {name: content})``: a list of pairs for names that come twice."""

    def post(user, task, files, *, body=None):
        files = list(files.items()) if isinstance(files, dict) else files
        text = task if isinstance(task, bytes) else json.dumps(task, ensure_ascii=False).encode()
        sent = [part("soundBlob", content, filename=name, kind="audio/wav") for name, content in files]
        body = body_of(part("task", text), *sent) if body is None else body
        return Client().post(
            "/hrec", body, content_type=f"multipart/form-data; boundary={BOUNDARY}", headers=bearer(user)
        )

    return post


def kept(tenant):
    """All that a submission may leave."""
    with enter(tenant):
        rows = Task.objects.count(), Meeting.objects.count(), Call.objects.count(), Recording.objects.count()
    return *rows, len(stored_files(tenant) - BEFORE[tenant.pk])


def stored_files(tenant):
    try:
        return set(default_storage.listdir(tenant_folder(tenant.pk))[1])
    except FileNotFoundError:
        return set()


def refused(answer):
    error = answer.json()["error"]
    return answer.status_code, error["code"], {detail["path"] for detail in error.get("details", [])}


def test_a_submission_becomes_conversations_that_wait_with_one_row_in_the_audit_trail(
    submit, people, acme, system, sound, folder, ask
):
    queue = save_queue(
        queue=None,
        values={
            **{"name": "Recorded", "enabled": True, "scope": "global", "tenant": None, "record_type": "call"},
            **{"events": ["call.recording_finished"], "replicate": False},
        },
        tenant_groups=[],
        actor="test",
        audit_tenant=system,
    )
    people.supervisor.email = "sue@acme.example"
    people.supervisor.save()
    task = described(
        "שיחה.wav",
        "two.wav",
        taskName="Nightly",
        taskCreationTime="15.07.2025 10:30",
        genericAdditionalInfo='{"crm": "A-17", "deep": {"x": 1}}',
        supervisor={"name": "Sue", "email": "SUE@acme.example"},
        docSections=[{"a": 1}],
    )
    task["meetings"][1]["aiGenerationMode"] = "manual"

    answer = submit(people.tenant_admin, task, {"two.wav": sound + b"2", "שיחה.wav": sound})

    assert answer.status_code == 200
    task_id = answer.json()["taskId"]
    assert answer.json() == {"taskId": task_id}
    assert re.fullmatch(r"[a-z0-9]{16}", task_id)
    with enter(acme):
        calls = list(Call.objects.order_by("external_id"))
        hashes = [Recording.objects.get(call=call).label for call in calls]
        assert hashes == ["שיחה.wav", "two.wav"]
        assert {(call.user_id, call.language, call.direction) for call in calls} == {
            (people.supervisor.pk, "en-US", "unknown")
        }
        assert calls[0].started_at.isoformat() == "2025-07-15T10:30:00+00:00"
        assert calls[0].attributes == {"miaop.crm": "A-17"}
        assert [call.ai_on_request for call in calls] == [False, True]
    assert QueueItem.objects.filter(queue=queue).count() == 2
    entry = AuditEntry.objects.get(tenant_id=acme.pk, action="miaop.submitted")
    assert (entry.actor, entry.details["task"], entry.request_id) == ("ada@acme", task_id, answer["X-Request-Id"])
    assert list(folder.iterdir()) == []
    shown = ask(people.tenant_admin, f"/api/tasks/{task_id}").json()
    assert shown["genericAdditionalInfo"] == '{"crm": "A-17", "deep": {"x": 1}}'
    assert shown["supervisor"] == {"name": "Sue", "email": "SUE@acme.example"}
    assert (shown["taskCreationTime"], shown["docSections"]) == ("15.07.2025 10:30", [{"a": 1}])
    assert [meeting["meetingId"] for meeting in shown["meetings"]] == [f"1.{task_id}", f"2.{task_id}"]


def test_t09_the_task_may_be_a_field_a_typed_field_or_a_file_in_any_order(submit, people, acme, sound):
    text = json.dumps(described("a.wav")).encode()
    blob = part("soundBlob[]", sound, filename="a.wav")
    for parts in (
        [part("task", text), blob],
        [blob, part("task", text, kind="application/json")],
        [part("task", text, filename="task.json"), part("other", b"x"), part("junk", b"y", filename="j"), blob],
    ):
        assert submit(people.tenant_admin, None, [], body=body_of(*parts)).status_code == 200
    assert kept(acme) == (3, 3, 3, 3, 3)


@pytest.mark.parametrize(
    ("names", "files", "expected"),
    [
        (["a.wav", "b.wav"], {"a.wav": b"x"}, (400, "FILE_MISMATCH", {"/meetings/1/files/0/file"})),
        (["a.wav"], {"a.wav": b"x", "b.wav": b"y"}, (400, "FILE_MISMATCH", {""})),
        (["a.wav"], {"a.wav": b""}, (400, "EMPTY_FILE", {"/meetings/0/files/0/file"})),
        (["a.wav"], {"a.wav": b"x" * 2000}, (413, "FILE_TOO_LARGE", set())),
        (["a.wav"] * 4, [("a.wav", b"x")] * 4, (400, "TOO_MANY_FILES", set())),
    ],
)
def test_t11_a_refused_submission_leaves_nothing_in_the_database_and_on_the_disk(
    submit, people, acme, settings, folder, names, files, expected
):
    settings.MIAOP_MAX_FILE_BYTES, settings.MIAOP_MAX_FILES = 1999, 3
    before = kept(acme)
    assert refused(submit(people.tenant_admin, described(*names), files)) == expected
    assert kept(acme) == before
    assert list(folder.iterdir()) == []


def test_t12_a_task_may_have_more_files_than_forms_usually_have(submit, people, acme, monkeypatch):
    names = [f"{number}.wav" for number in range(101)]
    monkeypatch.setattr("conversations.intake.inspect_audio", not_audio)
    answer = submit(people.tenant_admin, described(*names), {name: name.encode() for name in names})
    assert answer.status_code == 200
    assert kept(acme)[1] == 101
    too_many = [f"{number}.wav" for number in range(201)]
    answer = submit(people.tenant_admin, described(*too_many), dict.fromkeys(too_many, b"x"))
    assert refused(answer)[:2] == (400, "TOO_MANY_FILES")


def not_audio(*_path, **_options):
    from core.audio import NotAudio

    raise NotAudio("no audio")


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ('{"a": "' + "x" * 10_231 + '"}', None),
        ('{"a": "' + "x" * 10_232 + '"}', "ADDITIONAL_INFO_TOO_LARGE"),
        ('{"a": "' + "ש" * 5_116 + '"}', "ADDITIONAL_INFO_TOO_LARGE"),
        ({"a": "ש" * 5_116}, None),
        ({"a": "ש" * 5_117}, "ADDITIONAL_INFO_TOO_LARGE"),
        ("[1]", "INVALID_TASK"),
        ("7", "INVALID_TASK"),
        ([1], "INVALID_TASK"),
        ("{crm: A-17}", "INVALID_TASK"),
        ('{"a":' + "[" * 1000 + "]" * 1000 + "}", "INVALID_TASK"),
    ],
)
def test_t13_additional_information_is_an_object_of_ten_kilobytes_and_comes_back_as_it_was(
    submit, people, monkeypatch, ask, given, code
):
    monkeypatch.setattr("conversations.intake.inspect_audio", not_audio)
    answer = submit(people.tenant_admin, described("a.wav", genericAdditionalInfo=given), {"a.wav": b"x"})
    if code is not None:
        assert refused(answer) == (400, code, {"/genericAdditionalInfo"})
        return
    assert answer.status_code == 200
    shown = ask(people.tenant_admin, f"/api/tasks/{answer.json()['taskId']}").json()
    assert shown["genericAdditionalInfo"] == given


def test_t14_the_same_submission_again_is_the_same_task_and_another_one_may_not_take_its_id(
    submit, people, acme, globex, monkeypatch
):
    monkeypatch.setattr("conversations.intake.inspect_audio", not_audio)
    task = described("a.wav", taskId="mine-1")
    first, again = (submit(people.tenant_admin, task, {"a.wav": b"one"}) for _time in range(2))
    assert [first.json(), again.json()] == [{"taskId": "mine-1"}] * 2
    assert kept(acme) == (1, 1, 1, 1, 1)
    for other in (
        submit(people.tenant_admin, task, {"a.wav": b"two"}),
        submit(people.tenant_admin, task | {"taskName": "x"}, {"a.wav": b"one"}),
    ):
        assert refused(other)[:2] == (409, "TASK_EXISTS")
    assert kept(acme) == (1, 1, 1, 1, 1)
    assert submit(people.stranger, task, {"a.wav": b"two"}).status_code == 200
    assert kept(globex)[0] == 1
    for bad in ("../x", "a/b", "a.b", "x" * 129, "é", 7):
        assert refused(submit(people.tenant_admin, task | {"taskId": bad}, {"a.wav": b"1"})) == (
            *(400, "INVALID_TASK"),
            {"/taskId"},
        )


def test_t14_a_rival_who_stores_the_same_id_first_wins_and_the_files_of_the_other_go(submit, people, acme, monkeypatch):
    monkeypatch.setattr("conversations.intake.inspect_audio", not_audio)
    task = described("a.wav", taskId="mine-1")
    assert submit(people.tenant_admin, task, {"a.wav": b"one"}).status_code == 200
    looks, known = [], services._known

    def late(task_id, digest):
        looks.append(task_id)
        return None if len(looks) == 1 else known(task_id, digest)

    monkeypatch.setattr(services, "_known", late)
    assert refused(submit(people.tenant_admin, task, {"a.wav": b"two"}))[:2] == (409, "TASK_EXISTS")
    assert kept(acme) == (1, 1, 1, 1, 1)


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"taskType": "online"}, "INVALID_TASK", "/taskType"),
        ({"taskType": None}, "INVALID_TASK", "/taskType"),
        ({"taskStatus": "sttDone"}, "INVALID_TASK", "/taskStatus"),
        ({"baseLanguages": ["hebrew"]}, "INVALID_TASK", "/baseLanguages/0"),
        ({"baseLanguages": ["Hebrew"]}, "INVALID_TASK", "/meetings/0/files/0/baseLanguage"),
        ({"baseLanguages": ["hebrew", "English"]}, "UNSUPPORTED_LANGUAGE", "/baseLanguages/0"),
        ({"meetings": []}, "INVALID_TASK", "/meetings"),
        ({"supervisor": {"email": "nobody"}}, "INVALID_TASK", "/supervisor/email"),
        ({"taskName": "x" * 256}, "INVALID_TASK", "/taskName"),
        ({"docSections": ["x" * 33_000]}, "INVALID_TASK", ""),
        ({"tenant": 7}, "INVALID_TASK", "/tenant"),
    ],
)
def test_t15_every_broken_rule_names_its_member_and_stores_nothing(submit, people, acme, changes, code, path):
    answer = submit(people.tenant_admin, described("a.wav", **changes), {"a.wav": b"x"})
    status, said, paths = refused(answer)
    assert (status, said) == (400, code)
    assert path in paths
    assert kept(acme) == (0, 0, 0, 0, 0)


def test_t15_all_that_is_wrong_is_told_at_once_and_valid_languages_are_named(submit, people):
    task = described("a.wav", taskType="x", baseLanguages=["hebrew"], taskId="a.b")
    answer = submit(people.tenant_admin, task, {"a.wav": b"x"})
    assert refused(answer)[2] >= {"/taskType", "/baseLanguages/0", "/taskId"}
    messages = {detail["path"]: detail["message"] for detail in answer.json()["error"]["details"]}
    assert "Hebrew" in messages["/baseLanguages/0"]


def test_t15_the_old_name_of_the_language_still_works_and_defaults_follow(submit, people, monkeypatch, ask):
    monkeypatch.setattr("conversations.intake.inspect_audio", not_audio)
    meetings = [{"files": [{"file": "a.wav", "sttLanguage": "Hebrew"}]}]
    task = {"taskType": "offline", "sttLanguages": ["Hebrew"], "meetings": meetings, "taskCreationTime": "yesterday"}
    shown = [
        ask(people.tenant_admin, f"/api/tasks/{submit(people.tenant_admin, each, {'a.wav': b'x'}).json()['taskId']}")
        for each in (task, {"taskType": "offline", "meetings": meetings}, described("a.wav", baseLanguages=None))
    ]
    assert [answer.json()["baseLanguages"] for answer in shown] == [["Hebrew"], ["Hebrew"], ["English"]]
    first = shown[0].json()
    assert first["taskCreationTime"] == "yesterday"
    assert first["taskName"].startswith("Offline task 20")
    assert first["supervisor"]["name"] == "Ada"


@pytest.mark.parametrize(
    "text", [b"", b"[1]", b"{", b'{"taskType":"offline","taskType":"x"}', b'{"a":"\\u0000"}', b'{"a":1e999}', b"\xff"]
)
def test_a_task_that_is_no_plain_json_object_is_refused(submit, people, text):
    assert refused(submit(people.tenant_admin, text, {"a.wav": b"x"}))[:2] == (400, "INVALID_TASK")


def test_bodies_that_are_no_form_break_off_or_lack_the_task_are_refused(submit, people, acme, bearer, sound, folder):
    header = bearer(people.tenant_admin)
    assert refused(Client().post("/hrec", "{}", content_type="application/json", headers=header))[0] == 415
    lacking = body_of(part("soundBlob", sound, filename="a.wav"))
    whole = body_of(part("task", json.dumps(described("a.wav")).encode()), part("soundBlob", sound, filename="a.wav"))
    for body in (lacking, whole[: len(whole) - 300], b"nothing"):
        assert refused(submit(people.tenant_admin, None, [], body=body))[:2] == (400, "INVALID_MULTIPART")
    assert kept(acme) == (0, 0, 0, 0, 0)
    assert not folder.exists() or list(folder.iterdir()) == []


def test_t16_only_platform_staff_submit_for_others_and_they_have_to_say_for_whom(submit, people, acme, monkeypatch):
    monkeypatch.setattr("conversations.intake.inspect_audio", not_audio)
    files = {"a.wav": b"x"}
    assert refused(submit(people.tenant_admin, described("a.wav", tenant="globex"), files))[:2] == (
        403,
        "TENANT_MISMATCH",
    )
    assert refused(submit(people.platform_admin, described("a.wav"), files)) == (400, "INVALID_TASK", {"/tenant"})
    assert refused(submit(people.platform_admin, described("a.wav", tenant="nowhere"), files))[1] == "UNKNOWN_TENANT"
    assert submit(people.tenant_admin, described("a.wav", tenant="acme"), files).status_code == 200
    assert submit(people.platform_admin, described("a.wav", tenant="acme"), files).status_code == 200
    assert kept(acme)[0] == 2
    with enter(acme):
        assert Call.objects.filter(user=None).count() == 1


def test_who_may_not_submit_is_refused_before_the_body_is_read(submit, people, acme):
    assert refused(submit(people.agent, described("a.wav"), {"a.wav": b"x"}))[:2] == (403, "PERMISSION_DENIED")


def test_r47_what_is_no_audio_is_taken_and_ends_with_its_reason(submit, people, acme, sound):
    answer = submit(people.tenant_admin, described("a.wav", "b.wav"), {"a.wav": b"%PDF-1.7 text", "b.wav": sound})
    assert answer.status_code == 200
    with enter(acme):
        problems = dict(Recording.objects.values_list("label", "problem"))
    assert problems == {"a.wav": Reason.UNSUPPORTED_AUDIO, "b.wav": ""}


def test_the_quota_of_the_tenant_ends_its_submissions(submit, people, acme, monkeypatch):
    monkeypatch.setattr("conversations.intake.inspect_audio", not_audio)
    acme.realm.storage_megabytes = 1
    acme.realm.save()
    small, large = b"x" * 600_000, b"y" * 600_000
    assert submit(people.tenant_admin, described("a.wav"), {"a.wav": small}).status_code == 200
    assert refused(submit(people.tenant_admin, described("a.wav"), {"a.wav": large}))[:2] == (413, "QUOTA_EXCEEDED")
    assert kept(acme)[0] == 1


def test_a_failure_while_storing_leaves_no_row_and_no_file(submit, people, acme, monkeypatch, folder):
    monkeypatch.setattr("conversations.intake.inspect_audio", not_audio)
    monkeypatch.setattr(services, "append", lambda **_values: 1 / 0)
    answer = submit(people.tenant_admin, described("a.wav", "b.wav"), {"a.wav": b"x", "b.wav": b"y"})
    assert refused(answer)[:2] == (500, "INTERNAL_ERROR")
    assert kept(acme) == (0, 0, 0, 0, 0)
    assert list(folder.iterdir()) == []


def test_files_of_a_process_that_is_gone_are_swept_and_those_being_received_stay(folder):
    held, left = incoming.Incoming(), folder / f"{uuid.uuid4()}.part"
    left.write_bytes(b"half")
    assert incoming.sweep() == 1
    assert list(folder.iterdir()) == [held.path]
    held.close()
    assert list(folder.iterdir()) == []


def test_r8_beyond_the_rate_the_answer_says_when_to_come_again(ask, submit, people, settings):
    settings.MIAOP_SUBMISSIONS_A_MINUTE = 0
    answer = submit(people.tenant_admin, described("a.wav"), {"a.wav": b"x"})
    assert refused(answer)[:2] == (429, "TOO_MANY_REQUESTS")
    assert 1 <= int(answer["Retry-After"]) <= 60
    settings.MIAOP_REQUESTS_A_MINUTE = 0
    assert ask(people.tenant_admin, "/api/tasks").status_code == 429


def test_archiving_is_audited_and_shown_and_done_once(people, acme, bearer, ask):
    from tests.miaop.conftest import stored_task

    stored_task(acme, "t")
    header = bearer(people.tenant_admin)
    for path, archived in (("archive", True), ("archive", True), ("unarchive", False)):
        answer = Client().post(f"/api/tasks/t/{path}", headers=header)
        assert answer.json() == {"taskId": "t", "archive": archived}
        assert ask(people.tenant_admin, "/api/tasks/t").json()["archive"] is archived
    actions = AuditEntry.objects.filter(tenant_id=acme.pk, target_type="offline_task").order_by("position")
    assert list(actions.values_list("action", flat=True)) == ["miaop.archived", "miaop.unarchived"]
    assert Client().post("/api/tasks/nowhere/archive", headers=header).status_code == 404


def test_plain_uploads_of_the_same_audio_are_refused_as_ever_beside_tasks(submit, people, acme, sound, tmp_path):
    assert submit(people.tenant_admin, described("a.wav"), {"a.wav": sound}).status_code == 200
    assert submit(people.tenant_admin, described("a.wav"), {"a.wav": sound}).status_code == 200
    path = audio_file(tmp_path, content=sound)
    with enter(acme):
        stored_call(acme, "plain", audio=path)
        with pytest.raises(InvalidInput, match="plain"):
            stored_call(acme, "again", audio=path)
