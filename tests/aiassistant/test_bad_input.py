"""What operators and conversations get wrong, and how it ends: with a reason on the record, naming what it was."""

from collections import Counter

import pytest
from django.utils import timezone

from aiassistant.executing.models import Execution
from conversations.field_models import FieldValue
from conversations.threads.reading import read_thread
from core.errors import InvalidInput
from customfields.models import CustomField
from jobs.models import JobDefinition, Record, RecordEvent
from licensing.spending.models import SpendHold, SpendLine
from tenants.doors import enter
from tests.aiassistant.house import SENTIMENT, emulator, house  # noqa: F401 - fixtures
from tests.customfields.making import made

pytestmark = pytest.mark.django_db


def test_an_engine_whose_model_vanished_is_paused_with_its_words_and_the_record_waits(house):  # noqa: F811
    house.both()
    house.work()
    call = house.call()
    house.emulator.be(models={"another": {}})
    house.sweep()
    house.engine.refresh_from_db()
    assert "gpt-test" in house.engine.pause_reason
    record = house.record(call)
    assert (record.state, record.wait) == ("in_progress", Record.Wait.ENGINE)
    house.sweep()
    (failed,) = house.executions(call)
    assert (failed.state, failed.reason, failed.tokens) == ("failed", "engine_config", 0)
    assert "gpt-test" in failed.detail
    assert not SpendLine.objects.exists()


def test_a_filter_of_a_task_on_a_deleted_field_leaves_the_conversation_out_by_the_name_of_the_field(house):  # noqa: F811
    gone = made("tone", "text")
    clause = {"field": f"custom_field.{gone.pk}", "op": "is", "value": "calm"}
    house.task("mood", [SENTIMENT], filters=[clause])
    house.work()
    CustomField.objects.filter(pk=gone.pk).update(deleted_at=timezone.now())
    call = house.call()
    (record,) = house.finish(call)
    assert (record.state, record.reason) == ("skipped", "filtered:task")
    told = str(RecordEvent.objects.get(record=record, step="skipped").trace)
    assert "Tone" in told
    assert "deleted" in told
    assert house.asked() == 0


def test_a_filter_of_a_job_on_a_deleted_field_does_so_too(house):  # noqa: F811
    gone = made("tone", "text")
    house.both()
    job = house.work()
    clause = {"field": f"custom_field.{gone.pk}", "op": "is", "value": "calm"}
    JobDefinition.objects.filter(pk=job.pk).update(filters=[clause])
    CustomField.objects.filter(pk=gone.pk).update(deleted_at=timezone.now())
    call = house.call()
    (record,) = house.finish(call)
    assert record.state == "skipped"
    assert record.reason.startswith("filtered")
    assert "Tone was deleted" in str(RecordEvent.objects.get(record=record, step="skipped").trace)
    assert house.asked() == 0


def test_an_output_whose_field_was_deleted_is_answered_and_stored_nowhere(house):  # noqa: F811
    house.both()
    house.work()
    CustomField.objects.filter(pk=house.fields["summary"].pk).update(deleted_at=timezone.now())
    call = house.call()
    (record,) = house.finish(call)
    assert record.state == "completed"
    assert set(house.values(call)) == {"sentiment"}


def test_a_thread_of_five_million_tokens_is_refused_at_the_door_by_field_and_limit():
    people = [{"id": "c", "role": "customer", "name": "Carla"}]
    messages = [
        {"sender": "c", "id": str(number), "text": "word " * 190_000, "sent_at": "2026-11-20T10:00:00Z"}
        for number in range(26)
    ]
    values = {"external_id": "t", "channel": "chat", "participants": people, "messages": messages}
    with pytest.raises(InvalidInput, match="500 KB") as refused:
        read_thread(values)
    assert refused.value.field == "messages"


STORM = [{}, {"Retry-After": "0"}, {"Retry-After": "1"}, {"retry-after-ms": "20"}, {"Retry-After": "soon"}]
STORM += [{"Retry-After": "Fri, 20 Nov 2026 10:00:00 GMT"}, {"Retry-After": "999999"}, {"Retry-After": "-5"}]
GARBAGE = ("garbage", "not_json", "empty", "wrong_types", "truncated", "extra_keys", "wrong_usage", "null_finish")


def test_a_storm_of_throttling_and_garbage_loses_nothing_and_asks_for_nothing_twice(house):  # noqa: F811
    house.both()
    house.work()
    calls = [house.call() for _number in range(12)]
    for headers in STORM:
        fault = {"match": {"method": "POST"}, "status": 429, "headers": headers, "times": 2}
        house.emulator.control("POST", "/_emu/faults", fault)
    house.emulator.control("POST", "/_emu/faults", {"match": {"method": "POST"}, "status": 503, "times": 2})
    for trick in GARBAGE:
        house.emulator.control("POST", "/_emu/behaviours", {"trick": trick, "times": 1})
    records = house.finish(*calls)
    assert {record.state for record in records} == {"completed"}
    done = Counter(Execution.objects.filter(state="completed").values_list("record_id", "task_key"))
    failed = set(Execution.objects.exclude(state="completed").values_list("record_id", "task_key"))
    # One trick too many in a row may end one execution: then it says so, and its record has another.
    assert set(done) | failed >= {(call.pk, key) for call in calls for key in house.tasks}
    assert set(done.values()) == {1}
    with enter(house.acme):
        assert FieldValue.objects.count() == len(done)
    assert not SpendHold.objects.exists()
    # What the server answered was charged once, and what it refused not at all.
    assert SpendLine.objects.count() == sum(Execution.objects.values_list("attempts", flat=True))
    assert SpendLine.objects.count() == house.asked() - 2 * (len(STORM) + 1)
