"""The AI job: conversations from a queue to values, over the real SDK or the built-in engine."""

import pytest
from django.db.models.functions import Now

from aiassistant.executing.models import Execution
from aiassistant.models import AIEngine
from aiassistant.rails.models import DailyOutcome
from conversations.executions import exchanges_of
from conversations.fields.editing import edit_value
from jobs.explaining import explain_now
from jobs.models import Record, RecordEvent
from licensing.spending.models import SpendLine
from tenants.doors import enter
from tests.aiassistant.house import SAID, SENTIMENT, SUMMARY, emulator, house, make_engine  # noqa: F401
from tests.engines.standing_in import KEY

pytestmark = pytest.mark.django_db


def test_a_call_and_a_chat_get_values_with_their_provenance_from_one_queue(house):  # noqa: F811
    house.both()
    house.work()
    call, chat = house.call(), house.chat()
    records = house.finish(call, chat)
    assert [(record.state, record.record_type) for record in records] == [
        ("completed", "call"),
        ("completed", "conversation"),
    ]
    for one in (call, chat):
        values = house.values(one)
        assert set(values) == {"sentiment", "summary"}
        first, second = house.executions(one)
        assert {first.state, second.state} == {"completed"}
        assert values["sentiment"].execution_id == first.pk
        assert values["sentiment"].task_label == "Mood v1"
        assert values["sentiment"].engine == "Model"
        assert values["sentiment"].transcript_version == 1
        assert values["sentiment"].tokens == first.tokens > 0
        assert first.key != second.key
        assert len(first.key) == 64
    spoken = house.values(call)["sentiment"].evidence
    assert spoken
    assert all(quote["verified"] and quote["quote"] in SAID[quote["turn"]][1] for quote in spoken)
    assert house.asked() == 4
    assert SpendLine.objects.count() == 4
    assert {(day.task_key, day.completed, day.missing) for day in DailyOutcome.objects.all()} == {
        (execution.task_key, 2, 0) for execution in house.executions(call)
    }


def test_the_steps_stand_in_the_history_of_the_record(house):  # noqa: F811
    house.both()
    house.task("long", [{"name": "refund", "type": "boolean"}], limits={"min_words": 5000, "min_duration_s": 0})
    house.work()
    (record,) = house.finish(house.call())
    event = RecordEvent.objects.get(record=record, step="completed")
    assert event.detail == "2 of 2 tasks answered"
    steps = [(line["gate"], line["passed"]) for line in event.trace]
    assert steps == [
        ("step:eligibility", True),
        ("step:activation", True),
        ("step:filters", True),
        ("step:filters", True),
        ("step:filters", False),
        ("step:execution", True),
        ("step:execution", True),
        ("step:persistence", True),
    ]
    assert "words are less than 5000" in str(event.trace)


def test_why_tells_of_a_task_that_is_left_out_and_that_the_others_are_asked(house, people):  # noqa: F811
    house.task("long", [{"name": "refund", "type": "boolean"}], limits={"min_words": 5000, "min_duration_s": 0})
    job, call = house.work(), house.call()
    with enter(house.acme):
        alone = explain_now(job, house.acme, call.pk, people.platform_admin)
    assert (alone.passed, "It would not be processed" in alone.verdict) == (False, True)
    house.both()
    with enter(house.acme):
        told = explain_now(job, house.acme, call.pk, people.platform_admin)
    assert (told.passed, told.verdict) == (True, "It would be processed.")
    assert [line.passed for line in told.lines if "Filters of the task" in str(line.label)] == [False, True, True]


@pytest.mark.parametrize(("enabled", "said", "reason"), [(False, SAID, "task_disabled"), (True, (), "no_transcript")])
def test_without_tasks_or_text_a_record_is_skipped_and_nothing_is_asked(house, enabled, said, reason):  # noqa: F811
    house.task("mood", [SENTIMENT], enabled=enabled)
    house.work()
    call = house.call(said)
    if not said:
        with enter(house.acme):
            call.transcripts.all().delete()
    (record,) = house.finish(call)
    assert (record.state, record.reason) == ("skipped", reason)
    assert house.asked() == 0


def test_the_built_in_engine_answers_by_rules_and_costs_nothing(house):  # noqa: F811
    house.offline()
    house.both()
    house.work()
    call = house.call()
    house.finish(call)
    values = house.values(call)
    assert values["sentiment"].number is not None
    assert values["sentiment"].engine == "Built-in"
    assert values["summary"].text
    assert {execution.tokens for execution in house.executions(call)} == {0}


def test_the_same_question_about_the_same_words_is_not_paid_twice(house):  # noqa: F811
    house.both()
    house.work()
    call = house.call()
    house.finish(call)
    again(house, call)
    assert house.asked() == 2
    assert len(house.executions(call)) == 2
    house.task("mood", [SENTIMENT], system_template="Judge more strictly.")
    again(house, call)
    assert house.asked() == 3
    house.work(anew=True)
    again(house, call)
    assert house.asked() == 5


def test_a_new_transcript_is_asked_about_by_itself(house):  # noqa: F811
    house.both()
    house.work()
    call = house.call()
    house.finish(call)
    house.call([*SAID, ("Agent", "Goodbye, and thank you.")], version=call)
    house.finish(call)
    assert house.record(call).generation == 2
    assert house.asked() == 4
    assert {row.transcript_version for row in house.executions(call)} == {1, 2}


def test_several_tasks_share_one_request_and_its_cost(house):  # noqa: F811
    house.both()
    house.work(together=True)
    call = house.call()
    house.finish(call)
    assert house.asked() == 1
    assert set(house.values(call)) == {"sentiment", "summary"}
    rows = house.executions(call)
    assert {row.shared for row in rows} == {2}
    told = house.emulator.control("GET", "/_emu/bill")
    assert sum(row.tokens for row in rows) > 0
    assert told


def test_a_task_that_shares_a_request_and_fails_is_asked_alone(house):  # noqa: F811
    house.both()
    house.work(together=True)
    house.emulator.play("garbage")
    call = house.call()
    (record,) = house.finish(call)
    assert record.state == "completed"
    assert house.asked() == 3
    assert [row.state for row in house.executions(call)] == ["completed", "completed"]


def test_a_bad_answer_is_mended_at_most_twice_and_never_costs_the_old_value(house):  # noqa: F811
    house.task("mood", [SENTIMENT])
    house.work(anew=True)
    call = house.call()
    house.finish(call)
    before = house.values(call)["sentiment"]
    house.emulator.control("POST", "/_emu/behaviours", {"trick": "garbage", "times": 3})
    (record,) = again(house, call)
    assert (record.state, record.reason) == ("failed", "invalid_output")
    assert house.values(call)["sentiment"].pk == before.pk
    failed = house.executions(call)[-1]
    assert (failed.state, failed.repairs, failed.attempts) == ("failed", 2, 3)
    assert failed.tokens > 0
    with enter(house.acme):
        said = exchanges_of(failed.pk)
    assert len(said) == 3
    assert all(exchange.note for exchange in said)
    house.emulator.play("garbage")
    (record,) = again(house, call)
    assert record.state == "completed"
    assert house.executions(call)[-1].repairs == 1


def test_a_task_that_fails_does_not_undo_the_others(house):  # noqa: F811
    house.both()
    house.work()
    house.emulator.control("POST", "/_emu/behaviours", {"trick": "refusal", "times": 1})
    call = house.call()
    (record,) = house.finish(call)
    assert record.state == "completed"
    assert [(row.state, row.reason) for row in house.executions(call)] == [("failed", "refused"), ("completed", "")]
    assert set(house.values(call)) == {"summary"}


def test_what_is_answered_is_kept_while_the_rest_waits_and_only_the_rest_is_asked_again(house):  # noqa: F811
    house.both()
    house.work()
    call = house.call()
    house.emulator.control("POST", "/_emu/faults", {"match": {"method": "POST"}, "status": 429, "times": 1})
    house.sweep()
    assert house.record(call).wait == Record.Wait.RATE
    assert house.executions(call) == []
    (record,) = house.finish(call)
    assert record.state == "completed"
    assert len(house.executions(call)) == 2


def test_what_failed_for_good_is_not_asked_and_paid_again_while_another_task_waits(house):  # noqa: F811
    settings = {"base_url": f"{house.emulator.url}/v1", "model": "gpt-test"}
    second = make_engine("openai", settings, {"api_key": KEY}, house.system, name="Second")
    house.task("mood", [SENTIMENT])
    house.task("summary", [SUMMARY], engine_ref=second.pk)
    house.work()
    AIEngine.objects.filter(pk=second.pk).update(paused_at=Now(), pause_reason="tests")
    house.emulator.play("refusal")
    call = house.call()
    house.sweep()
    assert [(row.state, row.reason) for row in house.executions(call)] == [("failed", "refused")]
    AIEngine.objects.filter(pk=second.pk).update(paused_at=None, pause_reason="")
    (record,) = house.finish(call)
    assert record.state == "completed"
    assert [(row.task_key, row.state) for row in house.executions(call)] == [
        ("mood", "failed"),
        ("summary", "completed"),
    ]
    assert house.asked() == 2
    assert RecordEvent.objects.get(record=record, step="completed").detail == "1 of 2 tasks answered"
    (record,) = again(house, call)
    assert [row.task_key for row in house.executions(call)] == ["mood", "summary", "mood"]


def test_a_value_that_a_person_edited_is_kept(house, people):  # noqa: F811
    house.task("summary", [SUMMARY])
    house.work(anew=True)
    call = house.call()
    house.finish(call)
    seen = house.values(call)["summary"].pk
    with enter(house.acme):
        edit_value(
            tenant=house.acme,
            key=("call", call.pk),
            field=house.fields["summary"],
            value="By hand",
            editor=people.tenant_admin,
            seen=seen,
        )
    again(house, call)
    assert house.values(call)["summary"].text == "By hand"


def test_a_wrong_key_pauses_the_engine_and_the_record_waits(house):  # noqa: F811
    house.both()
    house.work()
    call = house.call()
    house.emulator.control("POST", "/_emu/faults", {"match": {"method": "POST"}, "status": 401, "times": 1})
    house.sweep()
    house.engine.refresh_from_db()
    assert house.engine.paused_at is not None
    assert house.record(call).state == "in_progress"
    assert house.executions(call) == []


def test_a_long_conversation_is_read_in_parts_and_its_path_is_kept(house):  # noqa: F811
    settings = {**house.engine.settings, "context_window": 2048, "max_output_tokens": 256}
    type(house.engine).objects.filter(pk=house.engine.pk).update(settings=settings)
    house.both()
    house.work(tasks=[house.tasks["mood"].pk])
    call = house.call(SAID * 40)
    (record,) = house.finish(call)
    (row,) = house.executions(call)
    assert (record.state, row.path, row.state) == ("completed", "map_reduce", "completed")
    assert row.chunks > 2
    parts = list(SpendLine.objects.order_by("number").values_list("part", flat=True))
    # The answer quotes more than 256 tokens hold: it is cut, and asked for once more with twice as many.
    assert parts == ["map"] * row.chunks + ["reduce", "retry"]
    assert row.attempts == row.chunks + 2
    house.task("mood", [SENTIMENT], overflow="head_tail")
    again(house, call)
    assert house.executions(call)[-1].path == "head_tail"
    house.task("mood", [SENTIMENT], overflow="fail")
    (record,) = again(house, call)
    assert (record.state, record.reason) == ("failed", "too_long")


def test_a_conversation_of_millions_of_tokens_fails_at_once_and_costs_nothing(house):  # noqa: F811
    house.task("mood", [SENTIMENT])
    settings = {**house.engine.settings, "context_window": 2048, "max_output_tokens": 256}
    type(house.engine).objects.filter(pk=house.engine.pk).update(settings=settings)
    house.work()
    call = house.call([("Customer", "word " * 400)] * 400)
    (record,) = house.finish(call)
    assert (record.state, record.reason) == ("failed", "too_long")
    assert house.asked() == 0


def again(house, call):  # noqa: F811
    """Take the conversation up anew, as a person would."""
    from jobs.actions import retry_records

    retry_records(records=Record.objects.filter(record_id=call.pk), actor="test", audit_tenant=house.system)
    return house.finish(call)


def test_executions_hold_no_words_of_the_conversation(house):  # noqa: F811
    house.both()
    house.work()
    house.emulator.control("POST", "/_emu/behaviours", {"trick": "wrong_types", "times": 3})
    house.finish(house.call())
    told = str(list(Execution.objects.values())) + str(list(RecordEvent.objects.values()))
    assert "disappointed" not in told
    assert "refund" not in told
