"""Conversations > Offline Tasks: who sees which, what the filters and the archive do, and submitting by the form."""

import csv
import io
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.urls import reverse

from accounts.models import Role, User
from audit.models import AuditEntry
from conversations.models import Call, Recording
from miaop.models import Meeting, Task
from speechserver.tones import spoken, tone_wav
from tenants.doors import enter
from tests.miaop.conftest import stored_task
from transcription.languages.models import Language

pytestmark = pytest.mark.django_db

LIST = "/offline-tasks/"
ALAN = "alan@acme.example"
SUBMIT = "/offline-tasks/submit/"


@pytest.fixture(scope="module")
def sound() -> bytes:
    return tone_wav([spoken("hello")], duration_ms=1200)


@pytest.fixture
def supervisor(client_for, people):
    return client_for(people.supervisor)


def shown(client, **query):
    """The ids of the listed tasks, by the export; the page is drawn too."""
    assert client.get(LIST, query).status_code == 200
    text = text_of(client.get(LIST, {**query, "format": "csv"})).lstrip("\ufeff")
    return [row["Task id"] for row in csv.DictReader(io.StringIO(text))]


def text_of(response):
    return (b"".join(response.streaming_content) if response.streaming else response.content).decode()


def form(sound, *names, **values):
    files = [SimpleUploadedFile(name, sound + name.encode()) for name in names]
    return {"audio": files, "language": "English", "ai": "auto", "task_id": "0123456789abcdef", **values}


def reader(client_for, people, *codes):
    """The agent, who sees own tasks only, with the right to read tasks and these."""
    role = Role.objects.create(tenant=people.agent.tenant, name="Reader", granted=["home.view", "miaop.read", *codes])
    User.objects.filter(pk=people.agent.pk).update(role=role, email=ALAN)
    return client_for(User.objects.get(pk=people.agent.pk))


def test_the_list_shows_what_the_viewer_may_see_and_nothing_of_others(client_for, people, acme, globex):
    stored_task(acme, "mine", submitted_by=people.agent)
    stored_task(acme, "other", submitted_by=people.tenant_admin)
    stored_task(globex, "foreign")
    assert client_for(people.agent).get(LIST).status_code == 403
    assert shown(reader(client_for, people)) == ["mine"]
    assert set(shown(client_for(people.tenant_admin))) == {"mine", "other"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"status": "sttDone"}, {"done"}),
        ({"status": "sttProcessing"}, {"half"}),
        ({"status": "error"}, {"failed"}),
        ({"archive": "yes"}, {"done"}),
        ({"archive": "no"}, {"half", "failed"}),
        ({"supervisor": "MARY@"}, {"half"}),
        ({"language": "Hebrew"}, {"failed"}),
        ({"q": "2.wav"}, {"half"}),
        ({"q": "fail"}, {"failed"}),
        ({"date_from": "2199-01-01"}, set()),
        ({"date_to": "2199-01-01"}, {"done", "half", "failed"}),
        ({}, {"done", "half", "failed"}),
    ],
)
def test_each_filter_narrows_the_list(supervisor, people, acme, query, expected):
    mine = {"submitted_by": people.supervisor}
    stored_task(acme, "done", states=("completed",), archived=True, **mine)
    stored_task(acme, "half", states=("completed", "in_progress"), supervisor_email="mary@example.com", **mine)
    stored_task(acme, "failed", states=("failed",), base_languages=["Hebrew"], **mine)
    assert set(shown(supervisor, **query)) == expected


def test_a_filter_that_breaks_a_rule_shows_nothing_and_exports_nothing(supervisor, people, acme):
    stored_task(acme, "one", submitted_by=people.supervisor)
    response = supervisor.get(LIST, {"status": "nonsense", "format": "csv"})
    assert response.status_code == 400
    assert "/offline-tasks/0" not in text_of(response)


def test_the_export_has_the_words_of_the_api(supervisor, people, acme):
    mine = {"submitted_by": people.supervisor}
    stored_task(acme, "half", states=("completed", "failed", "none"), archived=True, **mine)
    text = text_of(supervisor.get(LIST, {"format": "csv"}))
    assert "half,half,sttProcessing,1,3,English" in text
    assert "<" not in text


@pytest.mark.parametrize("sort", ["name", "status", "done", "updated", "-created_at", "supervisor_email"])
def test_every_sort_that_the_table_offers_works(supervisor, people, acme, sort):
    for name in ("a", "b"):
        stored_task(acme, name, submitted_by=people.supervisor)
    assert len(shown(supervisor, sort=sort)) == 2


def test_archiving_takes_the_ticked_at_once_and_all_that_match_after_a_question(supervisor, people, acme):
    mine = {"submitted_by": people.supervisor}
    tasks = [stored_task(acme, name, **mine) for name in ("a", "b", "c")]
    ticked = supervisor.post(f"{LIST}bulk/", {"action": "archive", "selection": [tasks[0].pk]})
    assert ticked.status_code == 302
    everything = {"action": "archive", "all_matching": "1"}
    asked = supervisor.post(f"{LIST}bulk/?q=b", everything)
    assert asked.status_code == 200
    assert set(shown(supervisor, archive="yes")) == {"a"}
    assert supervisor.post(f"{LIST}bulk/?q=b", {**everything, "confirmed": "1"}).status_code == 302
    assert set(shown(supervisor, archive="yes")) == {"a", "b"}
    assert AuditEntry.objects.filter(action="miaop.archived").count() == 2
    supervisor.post(f"{LIST}bulk/", {"action": "unarchive", "selection": [task.pk for task in tasks]})
    assert shown(supervisor, archive="yes") == []
    assert AuditEntry.objects.filter(action="miaop.unarchived").count() == 2


def test_a_task_that_one_may_not_see_is_not_archived_and_not_shown(client_for, people, acme):
    task = stored_task(acme, "other", submitted_by=people.tenant_admin)
    everybodys, own = client_for(people.tenant_admin), reader(client_for, people, "miaop.submit")
    address, body = reverse("offline:task", args=[task.pk]), {"action": "archive", "selection": [task.pk]}
    assert own.get(address).status_code == 404
    own.post(f"{LIST}bulk/", body)
    assert everybodys.get(address).status_code == 200
    assert shown(everybodys, archive="yes") == []
    everybodys.post(f"{LIST}bulk/", body)
    assert shown(everybodys, archive="yes") == ["other"]


def test_the_page_of_a_task_names_errors_and_leads_to_conversations_and_transcripts(client_for, people, acme):
    admin = client_for(people.tenant_admin)
    task = stored_task(acme, "mixed", states=("completed", "failed"), members={"genericAdditionalInfo": '{"crm": 1}'})
    with enter(acme):
        Call.objects.filter(meeting__task=task, meeting__number=2).update(transcription_reason="unsupported_audio")
        calls = dict(Meeting.objects.filter(task=task).values_list("number", "call_id"))
    page = text_of(admin.get(reverse("offline:task", args=[task.pk])))
    assert "UnsupportedAudio" in page
    assert "crm" in page
    assert reverse("conversations:call", args=[calls[2]]) in page
    assert reverse("conversations:call_transcript", args=[calls[1], "srt"]) in page
    assert reverse("conversations:call_transcript", args=[calls[2], "srt"]) not in page


def test_a_confidential_conversation_is_not_led_to(client_for, people, acme):
    task = stored_task(acme, "secret", states=("completed",), submitted_by=people.supervisor)
    with enter(acme):
        Call.objects.filter(meeting__task=task).update(confidential=True)
        pk = Meeting.objects.get(task=task).call_id
    assert str(pk) not in text_of(client_for(people.supervisor).get(reverse("offline:task", args=[task.pk])))


def test_a_deleted_conversation_leaves_a_row_that_says_so(supervisor, people, acme):
    task = stored_task(acme, "gone", states=("completed",), submitted_by=people.supervisor)
    with enter(acme):
        Meeting.objects.filter(task=task).update(call=None)
    assert "Aborted" in text_of(supervisor.get(reverse("offline:task", args=[task.pk])))


def test_the_form_submits_one_task_of_all_files_as_the_api_would(supervisor, people, acme, sound):
    User.objects.filter(pk=people.agent.pk).update(email=ALAN)
    values = {"task_name": "Nightly", "info": '{"crm": "A-17"}', "ai": "none", "supervisor_email": ALAN}
    response = supervisor.post(SUBMIT, form(sound, "a.wav", "קול.wav", **values))
    with enter(acme):
        task = Task.objects.get()
        assert response.url == reverse("offline:task", args=[task.pk])
        assert (task.name, task.submitted_by, task.base_languages) == ("Nightly", people.supervisor, ["English"])
        meetings = list(task.meetings.select_related("call").order_by("number"))
        assert [meeting.file for meeting in meetings] == ["a.wav", "קול.wav"]
        call = meetings[0].call
        assert (task.owner, call.user) == (people.agent, people.agent)
        assert (call.language, call.attributes, call.ai_on_request) == ("en-US", {"miaop.crm": "A-17"}, True)
        assert Recording.objects.filter(call__in=[meeting.call for meeting in meetings]).count() == 2
    assert AuditEntry.objects.filter(action="miaop.submitted", tenant_id=acme.pk).count() == 1


def test_a_script_gets_the_address_of_the_task_or_the_fields_that_are_wrong(supervisor, sound):
    taken = supervisor.post(SUBMIT, form(sound, "a.wav"), headers={"Accept": "application/json"})
    assert taken.status_code == 201
    assert supervisor.get(taken.json()["url"]).status_code == 200
    refused = supervisor.post(SUBMIT, form(sound, "a.wav", info="[1]"), headers={"Accept": "application/json"})
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == ["info"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"info": json.dumps({"k": "x" * 10_240})}, "info"),
        ({"info": '{"k": "' + "ש" * 5_120 + '"}'}, "info"),
        ({"info": "[]"}, "info"),
        ({"info": "3"}, "info"),
        ({"info": "{crm: 1}"}, "info"),
        ({"info": '{"a": 1, "a": 2}'}, "info"),
        ({"language": "Klingon"}, "language"),
        ({"supervisor_email": "nobody"}, "supervisor_email"),
        ({"task_name": "x" * 256}, "task_name"),
        ({"audio": [SimpleUploadedFile("empty.wav", b"")]}, "audio"),
        ({"audio": []}, "audio"),
    ],
)
def test_what_breaks_a_rule_is_named_at_its_field_and_stores_nothing(supervisor, acme, sound, values, field):
    response = supervisor.post(SUBMIT, form(sound, "a.wav") | values)
    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    with enter(acme):
        assert not Task.objects.exists()


def test_ten_thousand_two_hundred_and_forty_bytes_are_taken_line_ends_counted_as_typed(supervisor, acme, sound):
    text = '{"k":\r\n"' + "x" * 10_231 + '"}'
    assert len(text.replace("\r", "").encode()) == 10_240
    assert supervisor.post(SUBMIT, form(sound, "a.wav", info=text)).status_code == 302
    assert supervisor.post(SUBMIT, form(sound, "a.wav", info=text.replace("x", "xx", 1))).status_code == 422


def test_a_form_that_is_sent_again_is_stored_once_and_with_other_values_gets_a_new_id(supervisor, acme, sound):
    as_script = {"headers": {"Accept": "application/json"}}
    first = supervisor.post(SUBMIT, form(sound, "a.wav", task_name="One"), **as_script)
    again = supervisor.post(SUBMIT, form(sound, "a.wav", task_name="One"), **as_script)
    assert (again.status_code, again.json()["url"]) == (201, first.json()["url"])
    other = form(sound, "a.wav", task_name="Two")
    refused = supervisor.post(SUBMIT, other, **as_script)
    assert refused.status_code == 422
    assert "submitted before" in refused.json()["message"]
    shown_again = supervisor.post(SUBMIT, form(sound, "a.wav", task_name="Two"))
    assert shown_again.context["form"]["task_id"].value() not in ("", "0123456789abcdef")
    with enter(acme):
        assert Task.objects.count() == 1
    taken = supervisor.post(
        SUBMIT, form(sound, "a.wav", task_name="Two", task_id=refused.json()["task_id"]), **as_script
    )
    assert taken.status_code == 201
    with enter(acme):
        assert set(Task.objects.values_list("name", flat=True)) == {"One", "Two"}


def test_a_body_that_broke_off_on_its_way_stores_nothing_wherever_it_was_cut(supervisor, acme, sound):
    body = encode_multipart(BOUNDARY, form(sound, "a.wav"))
    cuts = [len(body) // 2, body.index(b'name="language"'), body.index(b'name="task_id"'), len(body) - 60]
    for cut in cuts:
        assert supervisor.generic("POST", SUBMIT, body[:cut], MULTIPART_CONTENT).status_code in (400, 422)
    with enter(acme):
        assert not Task.objects.exists()
        assert not Recording.objects.exists()
    assert supervisor.generic("POST", SUBMIT, body, MULTIPART_CONTENT).status_code == 302


def test_what_name_and_browser_call_no_audio_is_refused_by_name_and_the_rest_is_left_to_decoding(supervisor, sound):
    def sent(name, kind):
        file = SimpleUploadedFile(name, sound + name.encode(), content_type=kind)
        return supervisor.post(SUBMIT, form(sound) | {"audio": [file], "task_id": "0" * 15 + name[0]})

    refused = sent("report.pdf", "application/pdf")
    assert refused.status_code == 422
    assert "report.pdf" in str(refused.context["form"].errors["audio"])
    for name, kind in [("a.WMA", "application/octet-stream"), ("bare", ""), ("c.xyz", "audio/x-something")]:
        assert sent(name, kind).status_code == 302, name


def test_the_export_follows_filter_and_sort_of_the_list_beyond_its_page(supervisor, people, acme):
    mine = {"submitted_by": people.supervisor}
    for number in range(60):
        stored_task(acme, f"task-{number:02}", states=(), archived=number % 2 == 1, **mine)
    page = supervisor.get(LIST, {"archive": "no", "sort": "-name", "per_page": 25})
    assert "task-00" not in [row.record.task_id for row in page.context["table"].page]
    even = [f"task-{number:02}" for number in range(0, 60, 2)]
    assert shown(supervisor, archive="no", sort="-name") == even[::-1]
    assert shown(supervisor, archive="no", sort="name", page=2) == even


def test_archiving_by_filter_reaches_what_no_page_shows_and_leaves_the_others(supervisor, people, acme):
    mine = {"submitted_by": people.supervisor}
    for number in range(30):
        stored_task(acme, f"night-{number:02}", states=(), **mine)
    stored_task(acme, "day", **mine)
    everything = {"action": "archive", "all_matching": "1"}
    asked = supervisor.post(f"{LIST}bulk/?q=night&per_page=25", everything)
    assert "30 rows" in text_of(asked)
    supervisor.post(f"{LIST}bulk/?q=night&per_page=25", {**everything, "confirmed": "1"})
    assert len(shown(supervisor, archive="yes")) == 30
    assert shown(supervisor, archive="no") == ["day"]
    assert AuditEntry.objects.filter(action="miaop.archived").count() == 30
    back = {"action": "unarchive", "all_matching": "1", "confirmed": "1"}
    supervisor.post(f"{LIST}bulk/?archive=yes&q=night-1", back)
    assert len(shown(supervisor, archive="yes")) == 20


def test_platform_staff_who_view_as_a_tenant_read_its_tasks_and_submit_and_archive_nothing(
    client_for, people, acme, sound
):
    task = stored_task(acme, "one", states=("completed",), submitted_by=people.supervisor)
    root = client_for(people.platform_admin)
    assert shown(root) == []
    root.post(reverse("tenants:view_as", args=[acme.pk]), {"reason": "Ticket 17"})
    assert shown(root) == ["one"]
    for page in (LIST, reverse("offline:task", args=[task.pk])):
        text = text_of(root.get(page))
        assert SUBMIT not in text
        assert "offline-tasks/bulk" not in text
    assert root.get(SUBMIT).status_code == 403
    assert root.post(SUBMIT, form(sound, "a.wav")).status_code == 403
    assert root.post(f"{LIST}bulk/", {"action": "archive", "selection": [task.pk]}).status_code == 403
    with enter(acme):
        assert list(Task.objects.values_list("archived", flat=True)) == [False]


def test_whose_the_conversations_are_is_said_only_where_the_address_named_nobody(client_for, people, acme):
    admin, sentence = client_for(people.tenant_admin), "No active user had this address"
    cases = {"": False, "nobody@example.com": True}
    for number, (email, said) in enumerate(cases.items()):
        task = stored_task(acme, f"t{number}", supervisor_email=email, submitted_by=people.supervisor)
        assert (sentence in text_of(admin.get(reverse("offline:task", args=[task.pk])))) == said


def test_too_large_a_request_is_refused_before_it_is_read(supervisor, settings, acme, sound):
    settings.MIAOP_MAX_FILE_BYTES = 100
    huge = form(b"x" * 1_100_000, "a.wav")
    assert supervisor.post(SUBMIT, huge, headers={"Accept": "application/json"}).status_code == 413
    with enter(acme):
        assert not Task.objects.exists()


def test_a_disabled_language_is_not_offered_and_none_at_all_is_said(supervisor):
    Language.objects.exclude(name="German").update(enabled=False)
    choices = supervisor.get(SUBMIT).context["form"].fields["language"].choices
    assert choices == [("German", "German")]
    Language.objects.update(enabled=False)
    assert "No language can be named" in text_of(supervisor.get(SUBMIT))


def test_who_may_only_read_sees_no_way_to_submit_or_archive(client_for, people, acme):
    task = stored_task(acme, "one", supervisor_email="Alan@ACME.example")
    client = reader(client_for, people)
    assert shown(client) == ["one"]
    for page in (LIST, reverse("offline:task", args=[task.pk])):
        assert SUBMIT not in text_of(client.get(page))
        assert "bulk" not in text_of(client.get(page))
    assert client.get(SUBMIT).status_code == 403
    assert client.post(f"{LIST}bulk/", {"action": "archive", "selection": [task.pk]}).status_code == 403
