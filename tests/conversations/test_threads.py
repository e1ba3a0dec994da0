"""Taking threads in: normalised, idempotent, merged, published and audited in one transaction; refusals by field."""

from datetime import timedelta

import pytest
from django.db import transaction

from audit.models import AuditEntry
from conversations.bulk.deeds import DEEDS
from conversations.bulk.services import ACTS
from conversations.field_models import FieldValue
from conversations.fields.deciding import Outcome
from conversations.fields.writing import NewValue, write_values
from conversations.models import Call, Thread
from conversations.services import delete_call, retag_calls
from conversations.texts import text_facts, text_of, texts_of, thread_data
from conversations.threads import services
from conversations.threads.normalising import MAX_MESSAGES, MAX_TEXT_BYTES
from conversations.threads.reading import read_thread
from conversations.threads.services import Result, import_thread
from core.errors import Conflict, InvalidInput
from queues.models import ProcessingQueue, QueueItem
from tests.conversations.calls import START, stored_call, transcribed
from tests.conversations.threads import PEOPLE, raw, stored_thread, take
from tests.customfields.making import SCORE, made


@pytest.fixture
def queues(db):
    """One queue for new and changed conversations, one for deleted ones, and one for calls."""
    make = ProcessingQueue.objects.create
    return {
        "texts": make(
            name="Texts", record_type="conversation", events=["conversation.created", "conversation.updated"]
        ),
        "gone": make(name="Gone", record_type="conversation", events=["conversation.deleted"]),
        "calls": make(name="Voice", record_type="call", events=["call.created", "call.updated", "call.deleted"]),
    }


def pending(queue) -> list[tuple]:
    return list(QueueItem.objects.filter(queue=queue).values_list("record_type", "record_id", "event"))


def test_a_thread_is_stored_published_and_audited_at_once(acme, people, inside, queues):
    with inside(acme):
        call = stored_thread(acme, username="ALAN", tags=["late"], language="en-GB", subject=" Late\tparcel ")
        assert (call.channel, call.user, call.group, call.tags) == ("chat", people.agent, people.agent.group, ["late"])
        assert (call.started_at, call.ended_at) == (START, START + timedelta(minutes=1))
        assert (call.from_name, call.from_number, call.to_name) == ("Rita Lane", "rita@example.com", "Alan Agent")
        thread = call.thread
        assert (thread.subject, thread.message_count, thread.word_count, thread.version) == ("Late parcel", 2, 11, 1)
        assert [m.text for m in thread_data(thread).messages] == ["my parcel is late", "I am sorry, I look for it"]
        assert pending(queues["texts"]) == [("conversation", call.pk, "conversation.created")]
    assert pending(queues["calls"]) == []
    entry = AuditEntry.objects.get(action="thread.created")
    assert entry.details == {"external_id": "chat-1", "channel": "chat", "source": "test", "messages": 2}
    assert "parcel" not in str(entry.details)


def test_who_greets_by_machine_is_not_who_turned_to_somebody(acme, inside):
    bot = {"id": "b", "role": "bot", "name": "Helper"}
    texts = [("b", "hello"), ("c", "help"), ("b", "wait"), ("a", "here I am")]
    messages = [{"sender": who, "offset_s": n, "text": text} for n, (who, text) in enumerate(texts)]
    with inside(acme):
        call = stored_thread(acme, participants=[bot, *PEOPLE], messages=messages)
        assert (call.from_name, call.to_name) == ("Rita Lane", "Alan Agent")
        alone = stored_thread(acme, "alone", participants=[bot], messages=messages[:1])
        assert (alone.from_name, alone.to_name) == ("Helper", "")


def test_the_same_again_changes_nothing(acme, people, inside, queues):
    with inside(acme):
        first = take(acme, username="alan", tags=["late"])
        QueueItem.objects.all().delete()
        retag_calls(tenant=acme, call_ids=[first.call_id], clear="late", assign="seen")
        QueueItem.objects.all().delete()
        again = take(acme, username="alan", tags=["late"])
        assert (again.call_id, again.result) == (first.call_id, Result.UNCHANGED)
        assert Call.objects.get().tags == ["seen"]
        assert Thread.objects.get().version == 1
    assert pending(queues["texts"]) == []
    assert AuditEntry.objects.filter(action__startswith="thread.").count() == 1


def test_later_messages_are_added_and_changed_ones_replaced(acme, inside, queues):
    with inside(acme):
        first = stored_thread(acme, confidential=True)
        QueueItem.objects.all().delete()
        only_new = [
            {"id": "m1", "sender": "a", "offset_s": 60, "text": "I am sorry, I found it"},
            {"id": "m9", "sender": "b", "offset_s": 30, "text": "automatic answer"},
        ]
        bot = {"id": "b", "role": "bot", "name": "Helper"}
        done = take(acme, messages=only_new, participants=[*PEOPLE, bot], queue_name="Parcels")
        assert (done.call_id, done.result) == (first.pk, Result.UPDATED)
        call = Call.objects.get()
        assert [m.text for m in thread_data(call.thread).messages] == [
            "my parcel is late",
            "automatic answer",
            "I am sorry, I found it",
        ]
        assert (call.thread.version, call.queue_name, call.confidential) == (2, "Parcels", True)
        assert pending(queues["texts"]) == [("conversation", call.pk, "conversation.updated")]
    assert AuditEntry.objects.get(action="thread.updated").details["added"] == 1


def test_whoever_is_overtaken_begins_anew_and_loses_nothing(acme, inside, monkeypatch):
    with inside(acme):
        take(acme)
        real, rivals = services.pack_thread, []

        def overtaken(data):
            if not rivals:
                rivals.append(1)
                take(acme, messages=[{"id": "r", "sender": "c", "offset_s": 5, "text": "from a rival"}])
            return real(data)

        monkeypatch.setattr(services, "pack_thread", overtaken)
        take(acme, messages=[{"id": "o", "sender": "c", "offset_s": 9, "text": "from us"}])
        assert {m.id for m in thread_data(Thread.objects.get()).messages} == {"m0", "m1", "r", "o"}
        assert Thread.objects.get().version == 3

        def always(data):
            Thread.objects.update(version=Thread.objects.get().version + 1)
            return real(data)

        monkeypatch.setattr(services, "pack_thread", always)
        with pytest.raises(Conflict):
            take(acme, messages=[{"id": "z", "sender": "c", "offset_s": 9, "text": "never"}])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"external_id": " "}, "external_id"),
        ({"external_id": "call-1"}, "external_id"),
        ({"channel": "voice"}, "channel"),
        ({"channel": None}, "channel"),
        ({"username": "nobody"}, "username"),
        ({"colour": "red"}, "colour"),
        ({"language": "English!"}, "language"),
        ({"tags": ["a", "a"]}, "tags"),
        ({"confidential": "yes"}, "confidential"),
        ({"subject": 5}, "subject"),
        ({"participants": []}, "messages[0].sender"),
        ({"participants": "all"}, "participants"),
        ({"participants": [{"id": "c", "role": "boss"}]}, "participants[0].role"),
        ({"participants": [{"id": "", "role": "agent"}]}, "participants[0].id"),
        ({"participants": [PEOPLE[0], PEOPLE[0]]}, "participants[1].id"),
        ({"participants": [{"id": str(n), "role": "agent"} for n in range(201)]}, "participants"),
        ({"messages": []}, "messages"),
        ({"messages": [{"sender": "c", "offset_s": 0, "text": " \n"}]}, "messages"),
        ({"messages": [{"sender": "x", "offset_s": 0, "text": "a"}]}, "messages[0].sender"),
        ({"messages": [{"sender": "c", "text": "a"}]}, "messages[0].sent_at"),
        ({"messages": [{"sender": "c", "offset_s": -1, "text": "a"}]}, "messages[0].offset_s"),
        ({"messages": [{"sender": "c", "sent_at": "2026-11-20T09:30:00", "text": "a"}]}, "messages[0].sent_at"),
        ({"messages": [{"sender": "c", "sent_at": "2999-11-20T09:30:00Z", "text": "a"}]}, "messages[0].sent_at"),
        ({"messages": [{"sender": "c", "offset_s": 0, "text": 7}]}, "messages[0].text"),
        ({"messages": [{"sender": "c", "offset_s": 0, "text": "x" * 1_000_001}]}, "messages[0].text"),
        (
            {"messages": [{"sender": "c", "offset_s": 0, "text": "x", "attachments": "a.pdf"}]},
            "messages[0].attachments",
        ),
        ({"messages": [{"sender": "c", "offset_s": 0, "text": "x " * (MAX_TEXT_BYTES // 2 + 1)}]}, "messages"),
        ({"messages": [{"sender": "c", "offset_s": 0, "text": "x"}] * (MAX_MESSAGES + 1)}, "messages"),
        ({"started_at": None}, "messages[0].offset_s"),
    ],
)
def test_a_broken_rule_is_refused_by_field_and_stores_nothing(acme, people, inside, change, field):
    with inside(acme):
        stored_call(acme, "call-1")
        with pytest.raises(InvalidInput) as refused:
            take(acme, **change)
        assert refused.value.field == field
        assert refused.value.message
        assert not Thread.objects.exists()
        take(acme)


def test_text_that_no_search_index_can_hold_is_refused_as_too_long(acme, inside):
    # Each address counts as address, host and path: three entries for eleven letters.
    text = " ".join(f"{n:x}.de/{n:x}" for n in range(0x10000, 0x10000 + 28_000))
    assert len(text) < MAX_TEXT_BYTES
    with inside(acme):
        with pytest.raises(InvalidInput) as refused:
            take(acme, "links", text)
        assert refused.value.field == "messages"
        assert not Call.objects.exists()


def test_messages_are_ordered_deduplicated_and_split(acme, inside):
    history = "<div>On Fri, 20 Nov 2026 at 9:30, Rita &lt;r@x&gt; wrote:</div><blockquote>late</blockquote>"
    messages = [
        {"id": "two", "sender": "a", "offset_s": 60, "html": f"<p>Found</p>{history}"},
        {"id": "one", "sender": "c", "offset_s": 0, "text": "Late\n-- \nRita", "attachments": ["slip.pdf"]},
        {"id": "one", "sender": "c", "offset_s": 0, "text": "Late again"},
        {"id": "empty", "sender": "c", "offset_s": 1, "text": ""},
    ]
    with inside(acme):
        data = thread_data(stored_thread(acme, channel="email", messages=messages).thread)
    assert [(m.id, m.text, m.signature) for m in data.messages] == [("one", "Late", "Rita"), ("two", "Found", "")]
    assert data.messages[1].quoted.endswith("> late")
    assert data.messages[0].attachments == ("slip.pdf",)
    assert len(data.warnings) == 2


def test_a_chat_keeps_its_marks_because_it_quotes_nothing(acme, inside):
    with inside(acme):
        call = stored_thread(acme, "chat", "> 5 of them", "--\nok")
        assert [m.text for m in thread_data(call.thread).messages] == ["> 5 of them", "--\nok"]


def test_deleting_and_tagging_tell_the_queues_of_conversations(acme, people, inside, queues):
    with inside(acme):
        thread, call = stored_thread(acme), stored_call(acme, "call-1")
        QueueItem.objects.all().delete()
        assert retag_calls(tenant=acme, call_ids=[thread.pk, call.pk], clear="", assign="x") == 2
        assert pending(queues["texts"]) == [("conversation", thread.pk, "conversation.updated")]
        assert pending(queues["calls"]) == [("call", call.pk, "call.updated")]
        delete_call(tenant=acme, call_id=thread.pk, actor="test")
        assert not Thread.objects.exists()
        assert pending(queues["gone"]) == [("conversation", thread.pk, "conversation.deleted")]
    assert AuditEntry.objects.get(action="thread.deleted").target_type == "thread"


def test_a_dry_run_says_what_would_happen_and_stores_nothing(acme, inside):
    thread = read_thread(raw())

    def tried() -> str:
        return import_thread(tenant=acme, thread=thread, actor="test", source="test", dry_run=True).result

    with inside(acme):
        assert tried() == "created"
        assert not Call.objects.exists()
        take(acme, "chat-1", "only this")
        assert tried() == "updated"
        assert Thread.objects.get().message_count == 1


def test_texts_of_calls_and_threads_are_alike(acme, people, inside, django_assert_num_queries):
    with inside(acme):
        call, plain, thread = stored_call(acme, "call-1"), stored_call(acme, "call-2"), stored_thread(acme)
        transcribed(acme, call, "hello there", "good day")
        with django_assert_num_queries(2):
            texts = texts_of([call.pk, plain.pk, thread.pk])
        assert set(texts) == {call.pk, thread.pk}
        spoken, written = texts[call.pk], texts[thread.pk]
        assert (spoken.record_type, written.record_type) == ("call", "conversation")
        assert [turn.text for turn in spoken.turns] == ["hello there", "good day"]
        assert [(t.offset_ms, t.role, t.name) for t in written.turns] == [
            (0, "customer", "Rita Lane"),
            (60_000, "agent", "Alan Agent"),
        ]
        assert spoken.turns[1].at == START + timedelta(milliseconds=spoken.turns[1].offset_ms)
        assert written.plain == "my parcel is late\nI am sorry, I look for it"
        assert text_of(plain) is None
        with django_assert_num_queries(3):
            facts = text_facts([call.pk, plain.pk, thread.pk])
        assert (facts[thread.pk].direction, facts[thread.pk].duration_ms) == (None, None)
        assert facts[thread.pk].participants == ("Rita Lane rita@example.com", "Alan Agent alan@acme.example")
        assert (facts[thread.pk].turn_count, facts[thread.pk].word_count, facts[thread.pk].version) == (2, 11, 1)
        assert facts[call.pk].word_count == 4
        assert facts[call.pk].text_chars == len("hello there good day")
        assert [facts[pk].has_text for pk in (call.pk, plain.pk, thread.pk)] == [True, False, True]


def test_custom_fields_of_threads_are_written_and_go_with_them(acme, inside):
    mood = made("mood", "score", settings=SCORE)
    with inside(acme):
        thread, call = stored_thread(acme), stored_call(acme, "call-1")

        def written(record_type: str, pk) -> str:
            row = NewValue(record_type, pk, mood.pk, 20)
            return write_values(tenant=acme, rows=[row], actor="job:1")[0].outcome

        assert written("conversation", thread.pk) == Outcome.WRITTEN
        assert written("call", thread.pk) == Outcome.GONE
        assert written("conversation", call.pk) == Outcome.GONE
        delete_call(tenant=acme, call_id=thread.pk, actor="test")
        assert not FieldValue.objects.exists()


def test_bulk_deletion_tells_the_queues_of_each_kind_and_only_calls_are_processed_again(acme, people, inside, queues):
    with inside(acme):
        thread, call = stored_thread(acme), stored_call(acme, "call-1")
        again = Call.objects.filter(DEEDS["process"].open_to(people.tenant_admin))
        assert list(again.values_list("pk", flat=True)) == [call.pk]
        with transaction.atomic():
            ACTS["delete"]([thread, call], "")
        assert not Call.objects.exists()
    assert pending(queues["gone"]) == [("conversation", thread.pk, "conversation.deleted")]
    assert ("call", call.pk, "call.deleted") in pending(queues["calls"])
