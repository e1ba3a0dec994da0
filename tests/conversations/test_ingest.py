"""Taking calls in: all rules at the door, nothing stored when one is broken, no row without file nor file without row."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from audit.models import AuditEntry
from conversations.audio import AudioUnavailable, open_reader, read_recording
from conversations.metadata import read_metadata
from conversations.models import Call, Recording
from conversations.services import delete_call, ingest_call, sweep_audio
from core.errors import Conflict, InvalidInput
from queues.events import Event
from queues.models import ProcessingQueue, QueueItem
from tenants.doors import NobodyEntered, WrongTenant
from tenants.keys import data_key
from tests.conversations.calls import START, audio_file, metadata, stored_call, stored_files, wav


@pytest.fixture
def queue(db):
    return ProcessingQueue.objects.create(
        name="All", events=[Event.CALL_CREATED, Event.CALL_RECORDING_FINISHED, Event.CALL_DELETED]
    )


def test_a_call_with_audio_is_stored_encrypted_metered_and_published(acme, people, inside, queue, tmp_path):
    source = audio_file(tmp_path)
    with inside(acme):
        call = stored_call(acme, audio=source, username="ALAN", direction="inbound", tags=("new", "vip"))
        recording = Recording.objects.get(call=call)
        stored = b"".join(read_recording(recording.storage_key, data_key(acme)))
        assert (call.user, call.group, call.duration_ms) == (people.agent, "Sales", 3000)
        assert call.ended_at == START + timedelta(seconds=3)
        assert call.channel == "voice"
        assert (recording.channels, recording.sample_rate, recording.duration_ms) == (2, 8000, 3000)
        assert recording.storage_key == f"audio/{acme.pk}/{recording.pk}.bin"
        assert recording.bytes_plain == len(stored)
        assert stored[:4] == b"fLaC"
        with open_reader(recording.storage_key, data_key(acme)) as reader:
            assert reader.size == len(stored)
        assert AuditEntry.objects.filter(tenant_id=acme.pk, action="call.created", target_id=str(call.pk)).count() == 1
    item = QueueItem.objects.get(queue=queue, record_id=call.pk)
    assert (item.tenant, item.event) == (acme, Event.CALL_RECORDING_FINISHED)


def test_stored_bytes_hold_no_audio_and_open_only_as_their_own_recording(acme, inside, tmp_path):
    from django.core.files.storage import default_storage

    with inside(acme):
        keys = []
        for number in range(2):
            source = audio_file(tmp_path, f"{number}.wav", wav("hello " * (number + 1)))
            call = stored_call(acme, f"call-{number}", audio=source)
            keys.append(Recording.objects.get(call=call).storage_key)
        with default_storage.open(keys[0], "rb") as first:
            content = first.read()
        assert b"fLaC" not in content
        default_storage.delete(keys[1])
        with default_storage.open(keys[1], "wb") as swapped:
            swapped.write(content)
        assert list(read_recording(keys[0], data_key(acme)))
        with pytest.raises(AudioUnavailable):
            list(read_recording(keys[1], data_key(acme)))


def test_a_call_without_audio_is_published_too(acme, inside, queue):
    with inside(acme):
        call = stored_call(acme, duration_s=30)
        assert (call.duration_ms, call.ended_at) == (0, START + timedelta(seconds=30))
        assert not Recording.objects.exists()
    assert QueueItem.objects.filter(record_id=call.pk, event=Event.CALL_RECORDING_FINISHED).exists()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"external_id": ""}, "external_id"),
        ({"external_id": " "}, "external_id"),
        ({"external_id": "x" * 201}, "external_id"),
        ({"external_id": "a\x00b"}, "external_id"),
        ({"started_at": datetime(2026, 11, 20, 9, 30)}, "started_at"),
        ({"started_at": datetime(1969, 1, 1, tzinfo=UTC)}, "started_at"),
        ({"started_at": datetime.now(UTC) + timedelta(days=3)}, "started_at"),
        ({"direction": "sideways"}, "direction"),
        ({"channel": "email"}, "channel"),
        ({"channel": ""}, "channel"),
        ({"channel": ["voice"]}, "channel"),
        ({"from_name": "x" * 151}, "from_name"),
        ({"to_number": "1\n2"}, "to_number"),
        ({"group": 7}, "group"),
        ({"language": "english please"}, "language"),
        ({"tags": tuple(f"t{n}" for n in range(21))}, "tags"),
        ({"tags": ("x" * 61,)}, "tags"),
        ({"tags": ("",)}, "tags"),
        ({"tags": ("a", "a")}, "tags"),
        ({"duration_s": -1}, "duration_s"),
        ({"duration_s": float("nan")}, "duration_s"),
        ({"duration_s": "30"}, "duration_s"),
        ({"username": "nobody"}, "username"),
        ({"username": "stan"}, "username"),  # a user of the other tenant
        ({"duration_s": 60}, "duration"),
    ],
)
def test_a_broken_rule_is_named_with_its_field_and_nothing_is_stored(acme, people, inside, tmp_path, fields, field):
    source, before = audio_file(tmp_path), stored_files()
    with inside(acme):
        with pytest.raises(InvalidInput) as refused:
            stored_call(acme, audio=source, **({"external_id": "call-1"} | fields))
        assert refused.value.field == field
        assert refused.value.message
        assert not Call.objects.exists()
        assert stored_files() == before
        stored_call(acme, audio=source, duration_s=4.5)
        assert Call.objects.count() == 1


def test_an_unknown_field_or_two_starts_are_refused():
    good = {"external_id": "a", "started_at": "2026-11-20T09:30:00Z"}
    assert read_metadata(good).started_at == START
    assert read_metadata(good).channel == read_metadata(good | {"channel": "voice"}).channel == "voice"
    offset = read_metadata({"external_id": "a", "started_at_offset_minutes": -90}, base_time=START)
    assert offset.started_at == START - timedelta(minutes=90)
    for raw, field in [
        (good | {"tenant_id": "x"}, "tenant_id"),
        (good | {"started_at_offset_minutes": 5}, "started_at"),
        ({"external_id": "a"}, "started_at"),
        ({"external_id": "a", "started_at_offset_minutes": "5"}, "started_at_offset_minutes"),
        (good | {"started_at": "yesterday"}, "started_at"),
        (good | {"started_at": "2026-11-20T09:30:00"}, "started_at"),
        ({"started_at": "2026-11-20T09:30:00Z"}, "external_id"),
    ]:
        with pytest.raises(InvalidInput) as refused:
            read_metadata(raw)
        assert refused.value.field == field


def test_duplicates_are_refused_by_external_id_and_by_content(acme, globex, inside, tmp_path):
    source = audio_file(tmp_path)
    with inside(acme):
        stored_call(acme, "first", audio=source)
        before = stored_files()
        with pytest.raises(InvalidInput) as refused:
            stored_call(acme, "first")
        assert refused.value.field == "external_id"
        with pytest.raises(InvalidInput) as refused:
            stored_call(acme, "second", audio=source)
        assert refused.value.field == "audio"
        assert "first" in refused.value.message
        assert stored_files() == before
    with inside(globex):
        assert stored_call(globex, "first", audio=source).external_id == "first"


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7 not audio", b"#EXTM3U\nhttp://127.0.0.1/x", b"PK\x03\x04" * 50])
def test_what_is_no_audio_is_refused_at_the_door(acme, inside, tmp_path, content):
    before = stored_files()
    with inside(acme):
        with pytest.raises(InvalidInput) as refused:
            stored_call(acme, audio=audio_file(tmp_path, "x.wav", content))
        assert (refused.value.field, refused.value.message) == ("audio", "This is not a supported audio file.")
        assert not Call.objects.exists()
        assert stored_files() == before


def test_audio_that_cannot_be_decoded_is_kept_as_it_came_with_its_problem(acme, inside, tmp_path):
    broken = b"OggS" + bytes(range(256)) * 40
    with inside(acme):
        call = stored_call(acme, audio=audio_file(tmp_path, "broken.ogg", broken))
        recording = Recording.objects.get(call=call)
        assert recording.problem == "unsupported_audio"
        assert recording.problem_detail
        assert b"".join(read_recording(recording.storage_key, data_key(acme))) == broken


def test_a_failing_transaction_leaves_neither_row_nor_file(acme, inside, tmp_path):
    source, before = audio_file(tmp_path), stored_files()
    with inside(acme):
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE conversations_recording ADD CONSTRAINT broken CHECK (channels <> 2)")
        with pytest.raises(DatabaseError), transaction.atomic():
            stored_call(acme, audio=source)
        assert not Call.objects.exists()
        assert stored_files() == before
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE conversations_recording DROP CONSTRAINT broken")
        stored_call(acme, audio=source)
        assert len(stored_files()) == len(before) + 1


def test_a_call_is_taken_in_only_inside_its_tenant(acme, globex, inside):
    with inside(globex), pytest.raises(WrongTenant):
        stored_call(acme)


def test_a_file_name_is_only_a_label(acme, inside, tmp_path):
    hostile = ["../../etc/x", "C:\\temp\\x", "a\x00b.wav", "a.wav\r\nX: 1", "n" * 5000, ".htaccess"]
    with inside(acme):
        for number, name in enumerate(hostile):
            source = audio_file(tmp_path, "x.wav", wav("hello " * (number + 1), duration_ms=4000))
            call = ingest_call(
                tenant=acme, metadata=metadata(f"c{number}"), audio_path=source, label=name, actor="t", source="t"
            )
            recording = Recording.objects.get(call=call)
            assert recording.storage_key == f"audio/{acme.pk}/{recording.pk}.bin"
            assert len(recording.label) <= 255
            assert recording.label.isprintable()
            assert "/" not in recording.label
            assert "\\" not in recording.label


def test_deleting_a_call_removes_its_file_after_the_commit(
    acme, inside, queue, tmp_path, django_capture_on_commit_callbacks
):
    with inside(acme):
        before = stored_files()
        call = stored_call(acme, audio=audio_file(tmp_path))
        assert len(stored_files()) == len(before) + 1
        with django_capture_on_commit_callbacks(execute=False) as callbacks:
            delete_call(tenant=acme, call_id=call.pk, actor="test")
        assert not Recording.objects.exists()
        assert len(stored_files()) == len(before) + 1
        for callback in callbacks:
            if "delete_call" in callback.__qualname__:
                callback()
        assert stored_files() == before
        with pytest.raises(Conflict):
            delete_call(tenant=acme, call_id=call.pk, actor="test")
    assert QueueItem.objects.get(record_id=call.pk).event == Event.CALL_DELETED


def test_the_sweep_removes_only_old_files_without_a_recording(acme, globex, inside, tmp_path):
    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage

    with inside(acme):
        stored_call(acme, audio=audio_file(tmp_path))
        kept = stored_files()
        foreign = default_storage.save(f"audio/{globex.pk}/orphan.bin", ContentFile(b"x"))
        default_storage.save(f"audio/{acme.pk}/orphan.bin", ContentFile(b"x"))
        assert sweep_audio(tenant=acme) == 0
        assert sweep_audio(tenant=acme, older_than=timedelta(seconds=-1)) == 1
        assert stored_files() == kept | {foreign}
        default_storage.delete(foreign)


def test_the_sweep_task_needs_a_tenant(acme, inside):
    from conversations.tasks import sweep_audio as task

    with pytest.raises(NobodyEntered):
        task()
    task(tenant_id=str(acme.pk))
