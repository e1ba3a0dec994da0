"""Storing transcripts in batches, facts for jobs, search, and who sees which call."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.http import Http404
from django.test.utils import CaptureQueriesContext

from accounts import permissions
from accounts.permissions import DefaultRole, Permission
from conversations import selectors
from conversations.models import Call, Recording, Transcript
from conversations.preparing import prepare_transcript
from conversations.services import delete_call, set_transcription_states, store_transcripts
from core.transcripts import Segment, TranscriptData
from queues.events import Event
from queues.models import ProcessingQueue, QueueItem
from tests.conversations.calls import audio_file, new_transcript, stored_call, transcribed, transcript


def ids(calls) -> set[str]:
    return {call.external_id for call in calls}


def test_a_new_version_replaces_the_current_one_and_keeps_the_old(acme, inside, tmp_path):
    queue = ProcessingQueue.objects.create(name="Next", events=[Event.CALL_TRANSCRIPTION_COMPLETED])
    with inside(acme):
        call = stored_call(acme, audio=audio_file(tmp_path))
        transcribed(acme, call, "hello there", "good morning")
        set_transcription_states(states={call.pk: ("failed", "engine_input")})
        transcribed(acme, call, "goodbye")
        versions = Transcript.objects.filter(call=call).order_by("version")
        assert [(row.version, row.is_current, row.text) for row in versions] == [
            (1, False, "hello there\ngood morning"),
            (2, True, "goodbye"),
        ]
        call.refresh_from_db()
        assert (call.transcription_state, call.transcription_reason) == ("completed", "")
        current = selectors.current_transcript(call)
        assert (current.engine_name, current.engine_model, current.word_count) == ("Tones", "model-1", 1)
        assert selectors.transcript_data(current).segments[0].words[0].text == "goodbye"
    assert QueueItem.objects.filter(queue=queue, record_id=call.pk).count() == 1


def test_a_transcript_is_prepared_without_a_database_and_in_any_thread():
    with ThreadPoolExecutor(2) as threads:
        prepared = list(threads.map(prepare_transcript, [transcript("hello there")] * 2, [3000, 150]))
    assert [(one.language, one.model, one.duration_ms) for one in prepared] == [
        ("en-US", "model-1", 3000),
        ("en-US", "model-1", 150),
    ]
    assert [(one.packed.text, one.packed.word_count) for one in prepared] == [("hello there", 2)] * 2


def test_a_call_with_a_transcript_stays_completed_whatever_another_job_decides(acme, inside):
    with inside(acme):
        done, waiting = stored_call(acme, "done"), stored_call(acme, "waiting")
        transcribed(acme, done, "hello there")
        for decided in [("in_progress", ""), ("skipped", "no_audio"), ("failed", "engine_input")]:
            set_transcription_states(states={done.pk: decided, waiting.pk: decided})
            shown = dict(Call.objects.values_list("external_id", "transcription_state"))
            assert shown == {"done": "completed", "waiting": decided[0]}
        assert not Call.objects.get(pk=done.pk).transcription_reason
        Transcript.objects.filter(call=done).update(is_current=False)
        set_transcription_states(states={done.pk: ("failed", "engine_input")})
        assert Call.objects.get(pk=done.pk).transcription_state == "failed"


def test_what_an_engine_says_is_held_to_the_decoded_duration(acme, inside, tmp_path):
    with inside(acme):
        call = stored_call(acme, audio=audio_file(tmp_path))
        hostile = TranscriptData("en", 10**9, "m", (Segment(0, "", -5, 10**9, "a\x00 <b>"),))
        store_transcripts(tenant=acme, items=[new_transcript(call.pk, hostile)])
        stored = selectors.transcript_data(selectors.current_transcript(call))
        turn = stored.segments[0]
        assert (stored.duration_ms, turn.start_ms, turn.end_ms, turn.text) == (3000, 0, 3000, "a <b>")
        assert stored.warnings


def test_a_batch_takes_as_many_statements_as_one_call(acme, inside):
    ProcessingQueue.objects.create(name="Next", events=[Event.CALL_TRANSCRIPTION_COMPLETED])
    with inside(acme):
        calls = [stored_call(acme, f"c{number}") for number in range(12)]

        def statements(batch) -> int:
            items = [new_transcript(call.pk, transcript("hello you")) for call in batch]
            with CaptureQueriesContext(
                connection,
            ) as captured:
                store_transcripts(tenant=acme, items=items)
            return len(captured)

        assert statements(calls[:1]) == statements(calls) <= 10
        without = [stored_call(acme, f"d{number}") for number in range(12)]
        with CaptureQueriesContext(connection) as captured:
            set_transcription_states(states={call.pk: ("skipped", "no_audio") for call in without})
        assert len([query for query in captured if query["sql"].startswith("UPDATE")]) == 1
        assert Call.objects.filter(transcription_state="skipped", transcription_reason="no_audio").count() == 12


def test_a_deleted_call_gets_no_transcript_and_disturbs_nobody(acme, inside):
    with inside(acme):
        kept, gone = stored_call(acme, "kept"), stored_call(acme, "gone")
        delete_call(tenant=acme, call_id=gone.pk, actor="test")
        items = [new_transcript(call_id, transcript("hello")) for call_id in (kept.pk, gone.pk, uuid.uuid4())]
        store_transcripts(tenant=acme, items=items)
        assert list(Transcript.objects.values_list("call_id", flat=True)) == [kept.pk]


def test_facts_come_with_one_query_a_table(acme, people, inside, tmp_path):
    with inside(acme):
        spoken = stored_call(acme, "a", audio=audio_file(tmp_path), username="alan", tags=("x",))
        silent = stored_call(acme, "b")
        with CaptureQueriesContext(connection) as captured:
            facts = selectors.call_facts([spoken.pk, silent.pk, uuid.uuid4()])
        assert len(captured) == 2
        assert set(facts) == {spoken.pk, silent.pk}
        recording = Recording.objects.get(call=spoken)
        known = facts[spoken.pk]
        assert (known.user_id, known.tags, known.group, known.duration_ms) == (people.agent.pk, ("x",), "Sales", 3000)
        assert (known.recording.recording_id, known.recording.problem) == (recording.pk, "")
        assert known.recording.mime == "audio/flac"
        assert facts[silent.pk].recording is None


@pytest.fixture
def world(acme, globex, people, inside):
    """Calls of two agents in two groups, one of nobody, one of the other tenant."""
    with inside(acme):
        for name, fields in {
            "alan's": {"username": "alan"},
            "olga's": {"username": "olga"},
            "sue's": {"username": "sue", "group": "Elsewhere"},
            "sales queue": {"group": "Sales"},
            "nobody's": {},
        }.items():
            stored_call(acme, name, **fields)
    with inside(globex):
        return stored_call(globex, "foreign", username="stan")


def test_agents_see_their_own_supervisors_their_group_admins_all(world, acme, people, inside):
    with inside(acme):
        assert ids(selectors.visible_calls(people.agent)) == {"alan's"}
        assert ids(selectors.visible_calls(people.other_agent)) == {"olga's"}
        assert ids(selectors.visible_calls(people.supervisor)) == {"alan's", "sue's", "sales queue"}
        assert len(selectors.visible_calls(people.tenant_admin)) == 5
        assert not selectors.visible_calls(people.stranger)
        assert not selectors.visible_calls(people.platform_admin)


def test_a_supervisor_without_a_group_sees_only_their_own(world, acme, people, inside):
    people.supervisor.group = ""
    with inside(acme):
        assert ids(selectors.visible_calls(people.supervisor)) == {"sue's"}


def test_unknown_foreign_and_invisible_calls_are_not_there_alike(world, acme, people, inside):
    with inside(acme):
        olgas = Call.objects.get(external_id="olga's").pk
        assert selectors.call_for(people.other_agent, olgas).pk == olgas
        for pk in (olgas, world.pk, uuid.uuid4()):
            with pytest.raises(Http404):
                selectors.call_for(people.agent, pk)


def test_search_finds_words_phrases_names_and_hebrew(acme, people, inside):
    with inside(acme):
        billing = stored_call(acme, "billing", from_name="Robert Lane", from_number="+12125550143")
        hebrew = stored_call(acme, "hebrew", to_name="יעל כהן")
        transcribed(acme, billing, "my bill was too high", "one moment please")
        transcribed(acme, hebrew, "שלום אני רוצה לבטל", "רגע בבקשה")
        transcribed(acme, billing, "my bill was far too high", "one moment please")
        everything = selectors.visible_calls(people.tenant_admin)

        def found(text: str) -> set[str]:
            return ids(selectors.matching(everything, text, user=people.tenant_admin))

        assert found("bill") == {"billing"}
        assert found('"far too"') == {"billing"}
        assert found('"too far"') == set()
        assert found("bill -high") == set()
        assert found("לבטל") == {"hebrew"}
        assert found("כהן") == {"hebrew"}
        assert found("5550143") == {"billing"}
        assert found("moment") == {"billing"}
        for odd in ("'", '"', "<->", "!!", "a & | b", "\\", "%", ":*"):
            found(odd)
        snippet = selectors.snippets([billing.pk, hebrew.pk], "bill")
        assert list(snippet) == [billing.pk]
        assert "\x02bill\x03" in snippet[billing.pk]


def test_search_finds_only_in_transcripts_that_the_viewer_may_read(world, acme, people, inside, monkeypatch):
    supervisor = permissions.ROLE_PERMISSIONS[DefaultRole.SUPERVISOR]
    with inside(acme):
        for call in Call.objects.all():
            transcribed(acme, call, "my bill was too high")

        def found(text: str, *taken: Permission) -> set[str]:
            monkeypatch.setitem(permissions.ROLE_PERMISSIONS, DefaultRole.SUPERVISOR, supervisor - set(taken))
            visible = selectors.visible_calls(people.supervisor)
            hits = ids(selectors.matching(visible, text, user=people.supervisor))
            readable = {call.external_id for call in visible if selectors.may_read(people.supervisor, call)}
            assert hits == readable or text != "bill"
            return hits

        assert found("bill") == {"alan's", "sue's", "sales queue"}
        assert found("bill", Permission.CALLS_PLAYBACK_OTHERS) == {"sue's"}
        assert found("bill", Permission.CALLS_PLAYBACK_OWN) == {"alan's", "sales queue"}
        assert found("bill", Permission.CALLS_PLAYBACK_OWN, Permission.CALLS_PLAYBACK_OTHERS) == set()
        assert found("bill", Permission.TRANSCRIPT_VIEW) == set()
        assert found("alan", Permission.TRANSCRIPT_VIEW) == {"alan's"}


def test_the_search_uses_the_index(acme, people, inside):
    with inside(acme), connection.cursor() as cursor:
        # With a handful of rows the planner may read the current ones and look into each: take it that way.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("DROP INDEX transcript_current")
        plan = selectors._hits("bill").explain()
    assert "transcript_search" in plan


def test_the_largest_text_that_is_let_through_can_be_indexed(acme, inside):
    flood = [f"w{number:05}" for number in range(70_000)]
    turns = tuple(Segment(0, "", 0, 1, " ".join(flood[start : start + 500])) for start in range(0, 70_000, 500))
    with inside(acme):
        call = stored_call(acme)
        long = new_transcript(call.pk, TranscriptData("en", 0, "", turns), 8 * 3600 * 1000)
        store_transcripts(tenant=acme, items=[long])
        assert len(Transcript.objects.get(call=call).text) > 480_000
