"""Pages of speech engines: each rule with its success and its refusal."""

import re
from functools import partial

import pytest
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditEntry
from jobs.models import JobDefinition
from queues.models import ProcessingQueue
from tenants.models import AllowedAddress
from transcription.models import EngineTest, SpeechEngine
from transcription.selectors import secrets_of
from transcription.tasks import start_test

TOKEN = "s3cret-token-that-nobody-sees"


@pytest.fixture
def root(client_for, people):
    return client_for(people.platform_admin)


@pytest.fixture
def engine(db):
    return SpeechEngine.objects.create(
        name="Native", engine_type="native_v2", settings={"server_address": "https://93.184.216.34"}
    )


def values(**changes):
    return {
        "engine_type": "native_v2",
        "name": "Speech",
        "enabled": "on",
        "visibility": "global",
        "server_address": "https://93.184.216.34:8443",
        "ssl_verify": "on",
        "punctuate": "on",
        "request_timeout_s": "60",
        "concurrency": "4",
        **changes,
    }


def test_the_form_has_the_fields_of_the_engine_type_with_the_guides_labels(root):
    text = root.get(reverse("transcription:add")).content.decode()
    for label in (
        "Add Speech Engine",
        "Server address",
        "SSL verify",
        "Punctuate",
        "OAuth Bearer token",
        "Visibility",
        "Save and Test",
        "Enable",
    ):
        assert label in text, label


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254",
        "http://[::1]",
        "http://[::1]:8600",
        "http://127.0.0.1:8600",
        "http://2130706433",
        "file:///etc/passwd",
        "gopher://93.184.216.34",
        "https://user:pass@93.184.216.34",
        "https://93.184.216.34/path",
        "",
    ],
)
def test_an_engine_address_that_points_inside_or_is_none_is_refused(root, address):
    page = root.post(reverse("transcription:add"), values(server_address=address))
    assert page.status_code == 422
    assert page.context["form"].errors["server_address"]
    assert not SpeechEngine.objects.exists()


def test_a_listed_inside_address_is_accepted(root):
    AllowedAddress.objects.create(cidr="127.0.0.1", prefix_length=32, port=8600)
    page = root.post(reverse("transcription:add"), values(server_address="http://127.0.0.1:8600"))
    assert page.status_code == 302
    saved = SpeechEngine.objects.get()
    assert saved.settings["server_address"] == "http://127.0.0.1:8600"
    assert AuditEntry.objects.filter(action="speech_engine.created").exists()


def test_other_rules_name_their_field(root, engine):
    for changes, field in [
        ({"name": "NATIVE"}, "name"),
        ({"visibility": "one_tenant"}, "tenant"),
        ({"concurrency": "0"}, "concurrency"),
        ({"request_timeout_s": "1e9"}, "request_timeout_s"),
        ({"engine_type": "nonsense"}, "engine_type"),
    ]:
        page = root.post(reverse("transcription:add"), values(**changes))
        assert page.status_code == 422, changes
        assert field in page.context["form"].errors, changes
    assert SpeechEngine.objects.count() == 1


def test_what_one_field_demands_of_another_is_said_at_the_field_and_a_stored_secret_counts(root):
    add, cloud = reverse("transcription:add"), {"engine_type": "speechmatics", "address": "https://93.184.216.34"}
    page = root.post(add, values(**cloud, deployment="cloud"))
    assert (page.status_code, page.context["form"].errors["api_key"]) == (422, ["The cloud needs an API key."])
    assert "On premises" in page.content.decode()
    assert root.post(add, values(**cloud, deployment="on_premises")).status_code == 302
    url = reverse("transcription:engine", args=[SpeechEngine.objects.get().pk])
    assert root.post(url, values(version=1, **cloud, deployment="cloud")).status_code == 422
    assert root.post(url, values(version=1, **cloud, deployment="cloud", api_key=TOKEN)).status_code == 302
    assert root.post(url, values(version=2, **cloud, deployment="cloud", name="Renamed")).status_code == 302
    assert secrets_of(SpeechEngine.objects.get()) == {"api_key": TOKEN}


def test_a_secret_is_write_only_blank_keeps_it_and_the_box_clears_it(root):
    root.post(reverse("transcription:add"), values(token=TOKEN))
    engine = SpeechEngine.objects.get()
    assert secrets_of(engine) == {"token": TOKEN}
    url = reverse("transcription:engine", args=[engine.pk])
    text = root.get(url).content.decode()
    assert TOKEN not in text
    assert "A value is stored" in text
    root.post(url, values(version=1, name="Renamed", token=""))
    engine.refresh_from_db()
    assert (engine.name, secrets_of(engine)) == ("Renamed", {"token": TOKEN})
    root.post(url, values(version=2, clear_token="on"))
    engine.refresh_from_db()
    assert secrets_of(engine) == {}
    assert TOKEN not in str(list(AuditEntry.objects.values_list("details", flat=True)))


def test_the_second_of_two_admins_gets_a_conflict(root, engine):
    url = reverse("transcription:engine", args=[engine.pk])
    assert root.post(url, values(version=1, name="First")).status_code == 302
    page = root.post(url, values(version=1, name="Second"))
    assert page.status_code == 409
    assert 'value="Second"' in page.content.decode()
    engine.refresh_from_db()
    assert engine.name == "First"


def test_save_and_test_leads_to_the_test_page(root, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as callbacks:
        answer = root.post(reverse("transcription:add"), values(action="save_and_test"))
    test = EngineTest.objects.get()
    assert answer.url == reverse("transcription:test", args=[test.engine_id, test.pk])
    assert [callback.func for callback in callbacks if isinstance(callback, partial)] == [start_test]
    page = root.get(answer.url).content.decode()
    for label in (
        "Test Speech Service",
        "Loading engine settings",
        "Uploading file for transcription",
        "Waiting for completion",
        "Cleaning up",
        "PROGRESS",
        "Close",
        'data-interval="1"',
    ):
        assert label in page, label


def test_the_test_page_is_polled_until_the_end_and_shows_times_text_and_the_raw_error(root, engine):
    test = EngineTest.objects.create(engine=engine, state="running", progress=50)
    test.steps = [
        {"key": "settings", "status": "ok", "detail": "tones 1.0", "elapsed_ms": 12},
        {"key": "upload", "status": "ok", "detail": "job-1", "elapsed_ms": 34},
        {"key": "wait", "status": "running", "detail": "", "elapsed_ms": 0},
    ]
    test.save()
    url = reverse("transcription:test", args=[engine.pk, test.pk])
    poll = {"HX-Request": "true", "HX-Target": "div#engine-test"}
    stamp = root.get(url)["ETag"]
    assert root.get(url, headers={**poll, "If-None-Match": stamp}).status_code == 204
    test.steps[2] = {"key": "wait", "status": "ok", "detail": "", "elapsed_ms": 900}
    test.steps.append(
        {"key": "cleanup", "status": "failed", "detail": "TRANSIENT: HTTP 503 <b>busy</b>", "elapsed_ms": 5}
    )
    test.state, test.transcription = "failed", "hello world"
    test.save()
    page = root.get(url, headers={**poll, "If-None-Match": stamp})
    text = page.content.decode()
    assert page.status_code == 200
    for shown in ("hello world", "TRANSCRIPTION:", "34 ms", "HTTP 503 &lt;b&gt;busy", "Run again"):
        assert shown in text, shown
    assert "hx-get" not in text


def test_at_most_five_tests_a_minute(root, engine):
    url = reverse("transcription:test_start", args=[engine.pk])
    assert "Native" in root.get(url).content.decode()
    for _n in range(5):
        assert "/tests/" in root.post(url).url
    assert root.post(url).url == reverse("transcription:engines")
    assert EngineTest.objects.count() == 5


def test_a_paused_engine_says_why_and_can_be_resumed(root, engine):
    SpeechEngine.objects.filter(pk=engine.pk).update(paused_at=timezone.now(), pause_reason="token expired")
    text = root.get(reverse("transcription:engines")).content.decode()
    assert "Paused" in text
    assert "token expired" in text
    root.post(reverse("transcription:resume", args=[engine.pk]))
    engine.refresh_from_db()
    assert engine.paused_at is None


def test_an_engine_in_use_cannot_be_deleted_a_free_one_can(root, engine):
    queue = ProcessingQueue.objects.create(name="Q", events=["call.created"])
    job = JobDefinition.objects.create(
        name="Reader", kind="transcription", source_queue=queue, settings={"engine": engine.pk}
    )
    url = reverse("transcription:delete", args=[engine.pk])
    assert "Reader" in root.get(reverse("transcription:engines")).content.decode()
    assert root.post(url, {"confirm_name": "Wrong"}).status_code == 422
    page = root.post(url, {"confirm_name": "Native"})
    assert page.status_code == 409
    assert "Reader" in page.content.decode()
    job.delete()
    assert root.post(url, {"confirm_name": "Native"}).status_code == 302
    assert not SpeechEngine.objects.exists()


def test_only_platform_admins_see_engines_and_foreign_tests_are_not_found(client_for, people, root, engine):
    client = client_for(people.tenant_admin)
    assert client.get(reverse("transcription:engines")).status_code == 403
    assert client.post(reverse("transcription:test_start", args=[engine.pk])).status_code == 403
    other = SpeechEngine.objects.create(name="Other", engine_type="native_v2", settings=engine.settings)
    test = EngineTest.objects.create(engine=other)
    assert root.get(reverse("transcription:test", args=[engine.pk, test.pk])).status_code == 404
    assert root.get(reverse("transcription:test", args=[other.pk, test.pk])).status_code == 200
    assert root.get(reverse("transcription:engine", args=[2**40])).status_code == 404


def test_the_list_has_a_fixed_number_of_queries_and_exports_plain_words(root, engine, django_assert_max_num_queries):
    for number in range(15):
        one = SpeechEngine.objects.create(name=f"E{number}", engine_type="native_v2", settings=engine.settings)
        EngineTest.objects.create(engine=one, state="passed")
    with django_assert_max_num_queries(15):
        page = root.get(reverse("transcription:engines"))
    assert page.status_code == 200
    answer = root.get(reverse("transcription:engines"), {"format": "csv"})
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    assert re.search(r"^E0,.*,Enabled,Global,passed ", text, re.MULTILINE)
    assert "<" not in text
