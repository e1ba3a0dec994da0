"""The pages: who may do what, ranges, exports, filters in the URL, uploads."""

import re
import uuid
from datetime import timedelta

import orjson
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from accounts import permissions
from accounts.permissions import DefaultRole, Permission
from conversations.models import Call, Recording
from conversations.services import set_transcription_states, store_transcripts
from core.transcripts import Segment, TranscriptData
from tests.conversations.calls import START, audio_file, new_transcript, stored_call, stored_files, transcribed, wav

JSON = {"HTTP_ACCEPT": "application/json"}


@pytest.fixture
def calls(acme, globex, people, inside, tmp_path):
    """A transcribed call of alan, a plain one of olga, one of the other tenant."""
    with inside(acme):
        alans = stored_call(
            acme, "alan-1", audio=audio_file(tmp_path), username="alan", from_name="Robert Lane", tags=("vip",)
        )
        transcribed(acme, alans, "hello there", "שלום לכם")
        olgas = stored_call(acme, "olga-1", username="olga", started_at=START - timedelta(days=2), direction="outbound")
        set_transcription_states(states={olgas.pk: ("skipped", "no_audio")})
    with inside(globex):
        foreign = stored_call(globex, "foreign-1", audio=audio_file(tmp_path))
    return {"alan": alans, "olga": olgas, "foreign": foreign}


def url(name: str, call, *more: str) -> str:
    return reverse(f"conversations:{name}", args=[call.pk, *more])


def body(response) -> bytes:
    return response.getvalue() if response.streaming else response.content


def status(response) -> int:
    """The status of an answer that was read to its end, so that its file is closed."""
    body(response)
    return response.status_code


def test_the_list_shows_what_the_viewer_may_see(calls, people, client_for):
    seen = {
        name: re.findall(r"/calls/([0-9a-f-]{36})/", client_for(user).get("/calls/").content.decode())
        for name, user in [("alan", people.agent), ("olga", people.other_agent), ("admin", people.tenant_admin)]
    }
    assert set(seen["alan"]) == {str(calls["alan"].pk)}
    assert set(seen["olga"]) == {str(calls["olga"].pk)}
    assert set(seen["admin"]) == {str(calls["alan"].pk), str(calls["olga"].pk)}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=there", {"alan"}),
        ("q=lane", {"alan"}),
        ("q=olga-1", {"olga"}),
        ("q=nothing+like+this", set()),
        ("direction=outbound", {"olga"}),
        ("tag=vip", {"alan"}),
        ("group=sales", {"alan"}),
        ("language=en-us", {"alan", "olga"}),
        ("state=completed", {"alan"}),
        ("reason=no_audio", {"olga"}),
        ("date_from=2026-11-20", {"alan"}),
        ("date_to=2026-11-19", {"olga"}),
        ("duration_min=3", {"alan"}),
        ("duration_max=2", {"olga"}),
        ("duration_max=3", {"alan", "olga"}),
        ("sort=-duration_ms&per_page=50", {"alan", "olga"}),
        ("sort=user__password&page=99999999&per_page=1000000000", {"alan", "olga"}),
    ],
)
def test_filters_live_in_the_url(calls, people, client_for, query, found):
    response = client_for(people.tenant_admin).get(f"/calls/?{query}")
    assert response.status_code == 200
    shown = {row.record.pk for row in response.context["table"].paginated_rows}
    assert shown == {calls[name].pk for name in found}


def test_badges_and_hits_are_drawn_and_hostile_names_are_text(calls, acme, people, inside, client_for):
    with inside(acme):
        hostile = stored_call(acme, "x", from_name="<script>alert(1)</script>", group='"><img onerror=x>')
        transcribed(acme, hostile, "hello <b>there</b>")
    page = client_for(people.tenant_admin).get("/calls/?q=hello").content.decode()
    assert "<mark>hello</mark>" in page
    assert '<span class="p-badge' in page
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "<b>there" not in page


def test_the_filter_by_user_offers_only_people_of_the_tenant(calls, people, client_for):
    client = client_for(people.tenant_admin)
    found = client.get(f"/calls/?user={people.agent.pk}").context["table"]
    assert [row.record.pk for row in found.paginated_rows] == [calls["alan"].pk]
    assert client.get(f"/calls/?user={people.stranger.pk}").status_code == 400


def test_who_may_not_see_the_calls_of_others_is_not_offered_their_names(calls, people, client_for):
    def offered(user) -> set:
        field = client_for(user).get("/calls/").context["filter"].form.fields["user"]
        return {person.username for person in field.queryset}

    assert offered(people.agent) == {"alan"}
    assert offered(people.supervisor) == {"ada", "alan", "olga", "sue"}
    agent = client_for(people.agent)
    assert agent.get(f"/calls/?user={people.agent.pk}").status_code == 200
    assert agent.get(f"/calls/?user={people.other_agent.pk}").status_code == 400


@pytest.mark.parametrize(
    "query",
    ["direction=sideways", "date_from=soon", "duration_min=-1", "duration_max=x", "state=%00", "q=" + "x" * 201],
)
def test_a_filter_that_breaks_its_rule_is_refused_and_shows_nothing(calls, people, client_for, query):
    client = client_for(people.tenant_admin)
    assert client.get(f"/calls/?{query}").status_code == 400
    assert client.get(f"/calls/?{query}&format=csv").status_code == 400


def test_the_number_of_queries_does_not_grow_with_the_rows(
    calls, acme, people, inside, client_for, django_assert_max_num_queries
):
    client = client_for(people.tenant_admin)
    client.get("/calls/?q=hello")
    with inside(acme):
        for number in range(8):
            stored_call(acme, f"more-{number}", username="alan", from_name="hello")
    with django_assert_max_num_queries(15):
        assert len(client.get("/calls/?q=hello").context["table"].paginated_rows) == 9


def test_what_is_shown_is_exported_without_formulas(calls, acme, people, inside, client_for):
    with inside(acme):
        stored_call(acme, "=cmd()", from_number="+1212", to_name="@evil")
    text = body(client_for(people.tenant_admin).get("/calls/?format=csv&direction=unknown")).decode("utf-8-sig")
    lines = text.splitlines()
    assert lines[0].startswith("External id,Time,Channel,Direction,From,From name,To")
    assert len(lines) == 3
    assert "'=cmd()" in text
    assert "'+1212" in text
    assert "'@evil" in text


def test_the_call_page_shows_turns_facts_and_processing(calls, people, client_for):
    client = client_for(people.supervisor)
    response = client.get(url("call", calls["alan"]))
    page = response.content.decode()
    assert "hello there" in page
    assert "שלום לכם" in page
    assert response.context["speakers"] == [{"channel": 0, "name": "Channel 1"}, {"channel": 1, "name": "Channel 2"}]
    assert [turn["dir"] for turn in response.context["turns"]] == ["auto", "auto"]
    assert len(response.context["downloads"]) == 5
    admin = client_for(people.tenant_admin)
    assert "Call has no audio files" in admin.get(url("call", calls["olga"])).content.decode()


def test_the_call_page_names_the_channel_and_what_was_changed_in_the_transcript(
    calls, acme, people, inside, client_for, monkeypatch
):
    note = "times outside the recording were clamped"
    agent, address = client_for(people.agent), url("call", calls["alan"])
    plain = agent.get(address).content.decode()
    assert "<dt>Channel</dt><dd>Voice</dd>" in plain
    assert note not in plain
    with inside(acme):
        hostile = TranscriptData("en", 3000, "m", (Segment(0, "", -5, 10**9, "hello"),), ("<b>low volume</b>",))
        store_transcripts(tenant=acme, items=[new_transcript(calls["alan"].pk, hostile)])
    page = agent.get(address).content.decode()
    assert note in page
    assert "&lt;b&gt;low volume&lt;/b&gt;" in page
    rights = permissions.ROLE_PERMISSIONS[DefaultRole.AGENT] - {Permission.TRANSCRIPT_VIEW}
    monkeypatch.setitem(permissions.ROLE_PERMISSIONS, DefaultRole.AGENT, rights)
    assert note not in agent.get(address).content.decode()


def test_unknown_foreign_and_invisible_calls_answer_alike(calls, people, client_for):
    agent = client_for(people.agent)
    unknown = uuid.uuid4()
    for name, more in [
        ("call", ()), ("call_audio", ()), ("call_peaks", ()), ("call_words", ()), ("call_transcript", ("txt",))
    ]:  # fmt: skip
        answers = set()
        for pk in (unknown, calls["foreign"].pk, calls["olga"].pk):
            response = agent.get(
                reverse(f"conversations:{name}", args=[pk, *more]), headers={"X-Request-Id": "same-for-all"}, **JSON
            )
            answers.add((response.status_code, body(response)))
        assert len(answers) == 1
        assert answers.pop()[0] == 404
        assert status(agent.get(url(name, calls["alan"], *more))) == 200


def test_audio_is_served_whole_and_by_range(calls, people, client_for):
    client = client_for(people.agent)
    address = url("call_audio", calls["alan"])
    whole = client.get(address)
    content = body(whole)
    assert (whole.status_code, whole["Content-Type"], whole["Accept-Ranges"]) == (200, "audio/flac", "bytes")
    assert content[:4] == b"fLaC"
    assert whole["Content-Length"] == str(len(content))
    assert whole["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in whole["Cache-Control"]
    assert whole["Content-Disposition"].startswith("inline")
    for header, start, stop in [("bytes=0-9", 0, 10), ("bytes=100-", 100, None), ("bytes=-7", -7, None)]:
        part = client.get(address, headers={"Range": header})
        assert (part.status_code, body(part)) == (206, content[start:stop])
        first = start % len(content)
        last = (stop or len(content)) - 1
        assert part["Content-Range"] == f"bytes {first}-{last}/{len(content)}"
        assert part["Content-Length"] == str(last - first + 1)
    beyond = client.get(address, headers={"Range": f"bytes={len(content)}-"})
    assert (beyond.status_code, beyond["Content-Range"]) == (416, f"bytes */{len(content)}")
    other = client.get(address, headers={"Range": "bytes=0-9", "If-Range": '"something else"'})
    assert (other.status_code, body(other)) == (200, content)
    head = client.head(address, headers={"Range": "bytes=0-9"})
    assert (head.status_code, head.content, head["Content-Length"]) == (206, b"", "10")
    assert client.post(address).status_code == 405


def test_downloading_is_a_right_of_its_own(calls, people, client_for):
    address = url("call_audio", calls["alan"]) + "?download=1"
    agent = client_for(people.agent)
    assert agent.get(address).status_code == 403
    assert address not in agent.get(url("call", calls["alan"])).content.decode()
    supervisor = client_for(people.supervisor)
    response = supervisor.get(address)
    assert response["Content-Disposition"] == 'attachment; filename="alan-1.flac"'
    assert body(response)
    assert address in supervisor.get(url("call", calls["alan"])).content.decode()


def test_playback_and_transcripts_need_their_rights(calls, people, client_for, monkeypatch):
    agent, call = client_for(people.agent), calls["alan"]
    routes = [("call_audio", ()), ("call_peaks", ()), ("call_words", ()), ("call_transcript", ("txt",))]
    assert [status(agent.get(url(name, call, *more))) for name, more in routes] == [200] * 4
    rights = permissions.ROLE_PERMISSIONS[DefaultRole.AGENT]
    monkeypatch.setitem(permissions.ROLE_PERMISSIONS, DefaultRole.AGENT, rights - {Permission.CALLS_PLAYBACK_OWN})
    assert [status(agent.get(url(name, call, *more))) for name, more in routes] == [403] * 4
    assert "hello there" not in agent.get(url("call", call)).content.decode()
    monkeypatch.setitem(permissions.ROLE_PERMISSIONS, DefaultRole.AGENT, rights - {Permission.TRANSCRIPT_VIEW})
    assert [status(agent.get(url(name, call, *more))) for name, more in routes] == [200, 200, 403, 403]
    assert "hello there" not in agent.get(url("call", call)).content.decode()
    assert not agent.get("/calls/?q=there").context["table"].paginated_rows


def test_peaks_and_word_times_are_json(calls, people, client_for):
    client = client_for(people.agent)
    peaks = client.get(url("call_peaks", calls["alan"])).json()
    assert peaks["duration_ms"] == 3000
    assert len(peaks["peaks"]) == 2
    assert all(0 <= value <= 100 for lane in peaks["peaks"] for value in lane)
    words = client.get(url("call_words", calls["alan"])).json()
    assert words["turns"][0] == [[0, 90, 0, 5], [100, 190, 6, 11]]
    assert client_for(people.tenant_admin).get(url("call_words", calls["olga"])).status_code == 404


@pytest.mark.parametrize(
    ("extension", "mime"),
    [("txt", "text/plain"), ("srt", "application/x-subrip"), ("vtt", "text/vtt"), ("json", "application/json")],
)
def test_transcripts_are_downloaded_in_four_formats(calls, people, client_for, extension, mime):
    response = client_for(people.agent).get(url("call_transcript", calls["alan"], extension))
    assert response["Content-Type"].startswith(mime)
    assert response["Content-Disposition"] == f'attachment; filename="alan-1.{extension}"'
    assert "שלום לכם" in response.content.decode()
    assert client_for(people.agent).get(f"/calls/{calls['alan'].pk}/transcript.exe").status_code == 404


def test_a_missing_file_is_a_conflict_not_a_crash(calls, acme, people, inside, client_for):
    from django.core.files.storage import default_storage

    with inside(acme):
        default_storage.delete(Recording.objects.get(call=calls["alan"]).storage_key)
    assert client_for(people.agent).get(url("call_audio", calls["alan"])).status_code == 409


def test_everything_needs_a_sign_in(calls, client):
    for name, more in [("call", ()), ("call_audio", ()), ("call_words", ()), ("call_transcript", ("txt",))]:
        response = client.get(url(name, calls["alan"], *more))
        assert response.status_code == 302
        assert "/sign-in/" in response["Location"]
    assert client.get("/calls/", **JSON).status_code == 401


def upload(client, *files: tuple[str, bytes], json: bool = True, **fields):
    audio = [SimpleUploadedFile(name, content) for name, content in files]
    return client.post("/calls/upload/", {"audio": audio} | fields, **(JSON if json else {}))


def test_an_upload_is_stored_and_answers_with_its_address(acme, people, inside, client_for):
    client = client_for(people.tenant_admin)
    assert client.get("/calls/upload/").status_code == 200
    response = upload(
        client, ("<b>.wav", wav()), username="alan", tags="a, b", started_at="2026-11-20T10:00", channel="voice"
    )
    answer = response.json()
    assert (response.status_code, answer["ok"], len(answer["results"])) == (201, True, 1)
    result = answer["results"][0]
    assert client.get(result["url"]).status_code == 200
    with inside(acme):
        call = Call.objects.get()
        assert (call.user, call.tags, call.duration_ms) == (people.agent, ["a", "b"], 3000)
    assert orjson.loads(response.content)["results"][0]["name"] == "<b>.wav"


def test_each_file_is_stored_or_refused_for_itself(acme, people, inside, client_for):
    client = client_for(people.tenant_admin)
    answer = upload(client, ("a.wav", wav()), ("b.wav", b"%PDF-1.7"), ("c.wav", b""), ("d.wav", wav()))
    assert answer.status_code == 422
    results = answer.json()["results"]
    assert [result["ok"] for result in results] == [True, False, False, False]
    assert [result["errors"][0]["field"] for result in results[1:]] == ["audio"] * 3
    with inside(acme):
        assert Call.objects.count() == 1
    assert len(stored_files()) == 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"direction": "sideways"}, "direction"),
        ({"channel": "email"}, "channel"),
        ({"language": "english please"}, "language"),
        ({"started_at": "soon"}, "started_at"),
        ({"from_name": "x" * 151}, "from_name"),
        ({"external_id": "a\x00b"}, "external_id"),
        ({"tenant_id": "x"}, "__all__"),
        ({"is_superuser": "1"}, "__all__"),
    ],
)
def test_a_broken_field_refuses_the_whole_upload(acme, people, inside, client_for, fields, field):
    client = client_for(people.tenant_admin)
    response = upload(client, ("a.wav", wav()), **fields)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == field
    with inside(acme):
        assert not Call.objects.exists()
    assert upload(client, ("a.wav", wav())).status_code == 201


def test_an_unknown_agent_is_refused_by_name(people, client_for):
    response = upload(client_for(people.tenant_admin), ("a.wav", wav()), username="stan")
    assert response.json()["results"][0]["errors"][0]["field"] == "username"
    assert stored_files() == set()


def test_without_javascript_the_form_redirects_or_shows_what_was_refused(people, client_for):
    client = client_for(people.tenant_admin)
    stored = upload(client, ("a.wav", wav()), json=False)
    assert stored.status_code == 302
    assert re.fullmatch(r"/calls/[0-9a-f-]{36}/", stored["Location"])
    refused = upload(client, ("b.wav", b"%PDF"), json=False)
    assert refused.status_code == 422
    assert "This is not a supported audio file." in refused.content.decode()
    assert client.post("/calls/upload/", {}).status_code == 422


def test_uploading_is_a_right_and_needs_a_csrf_token(people, client_for):
    assert upload(client_for(people.supervisor), ("a.wav", wav())).status_code == 403
    strict = client_for(people.tenant_admin, enforce_csrf_checks=True)
    assert upload(strict, ("a.wav", wav())).status_code == 403
    assert stored_files() == set()


def test_a_body_over_the_limit_is_refused_before_it_is_read(people, client_for, settings):
    settings.MAX_AUDIO_BYTES = 1024
    client = client_for(people.tenant_admin)
    assert upload(client, ("a.wav", b"x" * (1024 * 1024 + 2048))).status_code == 413
    refused = upload(client, ("a.wav", wav()))
    assert (refused.status_code, refused.json()["results"][0]["errors"][0]["field"]) == (422, "audio")


@pytest.mark.parametrize("text", ["-" * 33, "- " * 40, "-" * 64, '"' * 50, "(" * 50, "OR " * 50, "-a" * 60])
def test_no_search_text_is_more_than_the_database_can_parse(client_for, people, text):
    assert client_for(people.tenant_admin).get("/calls/", {"q": text[:190]}).status_code == 200
