"""Requests and tokens a minute of an engine: exact over all passes, counted before sending, corrected afterwards."""

import pytest

from aiassistant.models import EngineWindow
from aiassistant.pacing.windows import Limits, take, used_now
from jobs.models import Record
from tests.aiassistant.house import emulator, house, make_engine  # noqa: F401

pytestmark = pytest.mark.django_db


def answers(taken):
    return [one.delay_s is None for one in taken]


@pytest.fixture
def engine(system):
    return make_engine("offline", {}, {}, system)


def test_no_minute_sees_more_requests_than_the_limit_and_the_rest_is_told_when(engine):
    taken = take(engine.pk, Limits(requests=3), [1, 1, 1, 1, 1])
    assert answers(taken) == [True, True, True, False, False]
    assert 58 <= taken[3].delay_s <= 61
    assert answers(take(engine.pk, Limits(requests=3), [1])) == [False]
    assert used_now(engine.pk)[0] == 3


def test_tokens_are_counted_before_sending_and_corrected_by_what_was_used(engine):
    limits = Limits(tokens=1000)
    first, second = take(engine.pk, limits, [800, 800])
    assert answers([first, second]) == [True, False]
    assert second.delay_s > 50
    assert answers(take(engine.pk, limits, [800], {first.at: -700})) == [True]
    assert used_now(engine.pk) == (2, 900)


def test_a_prompt_of_more_tokens_than_the_limit_begins_when_the_minute_is_empty(engine):
    limits = Limits(tokens=1000)
    assert answers(take(engine.pk, limits, [5000])) == [True]
    assert answers(take(engine.pk, limits, [5000])) == [False]


def test_a_short_prompt_does_not_overtake_a_long_one(engine):
    limits = Limits(requests=10, tokens=1000)
    assert answers(take(engine.pk, limits, [600, 700, 10])) == [True, False, False]


def test_what_is_a_minute_old_does_not_count_any_more(engine, monkeypatch):
    take(engine.pk, Limits(requests=1), [1])
    row = EngineWindow.objects.get(pk=engine.pk)
    EngineWindow.objects.filter(pk=engine.pk).update(requests=[[at - 62, n] for at, n in row.requests])
    assert answers(take(engine.pk, Limits(requests=1), [1])) == [True]


def test_a_job_sends_no_more_than_the_engine_allows_and_the_rest_waits_without_an_error(house):  # noqa: F811
    house.both()
    house.engine.settings["requests_per_minute"] = 3
    house.engine.save()
    house.work()
    calls = [house.call() for _number in range(3)]
    house.sweep()
    assert house.asked() == 3
    records = [house.record(call) for call in calls]
    waiting = [record for record in records if record.state == "in_progress"]
    assert len(waiting) == 3
    assert {(record.wait, record.attempts, record.errors) for record in waiting} == {(Record.Wait.RATE, 0, 0)}
    assert all("3 requests a minute" in record.last_error for record in waiting)
    house.sweep()
    assert house.asked() == 3
    assert sum(len(house.executions(call)) for call in calls) == 3


def test_each_repair_counts_against_the_limit(house):  # noqa: F811
    house.task("mood", [{"name": "sentiment", "type": "integer", "nullable": True}])
    house.engine.settings["requests_per_minute"] = 2
    house.engine.save()
    house.work()
    house.emulator.play("not_json")
    house.finish(house.call())
    assert used_now(house.engine.pk)[0] == 2 == house.asked()
