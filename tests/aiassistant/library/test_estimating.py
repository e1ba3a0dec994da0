"""What a task would cost a month."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from aiassistant.library.estimating import answer_asked, ask, monthly, overhead, question_of
from aiassistant.library.models import TaskLabel
from aiassistant.library.selectors import definition_for
from aiassistant.models import AIEngine, DefaultEngine, EnginePrice
from conversations.models import Call
from tenants.doors import enter
from tests.aiassistant.library.making import stored_task
from tests.conversations.calls import stored_call, transcribed

pytestmark = pytest.mark.django_db


def definition(task):
    return definition_for(task, TaskLabel.objects.get(task=task).points_to)


@pytest.fixture
def calls(acme):
    """Three recent calls of 40 words, one without a transcript, one of last year."""
    with enter(acme):
        made = [stored_call(acme, f"call-{number}") for number in range(5)]
        for call in [*made[:3], made[4]]:
            transcribed(acme, call, "please send the invoice again " * 8)
        now = timezone.now()
        Call.objects.filter(pk__in=[call.pk for call in made]).update(started_at=now, duration_ms=60_000)
        Call.objects.filter(pk=made[4].pk).update(started_at=now - timedelta(days=365))
    return made


def test_only_conversations_of_the_last_month_that_pass_filters_and_rails_count(acme, people, calls):
    task = stored_task(people.platform_admin)
    told = monthly(acme, definition(task))
    assert (told.found, told.judged, told.matched, told.conversations) == (4, 4, 3, 3)
    long = stored_task(people.platform_admin, "long", limits={"min_words": 1000})
    assert monthly(acme, definition(long)).matched == 0
    clause = {"field": "call.duration", "op": "between", "value": [0, 59]}
    short = stored_task(people.platform_admin, "short", filters=[clause])
    assert monthly(acme, definition(short)).matched == 0


def test_tokens_are_priced_by_the_row_of_the_engine_that_would_answer(acme, people, calls):
    task = definition(stored_task(people.platform_admin))
    told = monthly(acme, task)
    assert (told.engine, told.cost_micros) == ("", None)
    engine = AIEngine.objects.create(name="Cloud", engine_type="openai", settings={"model": "m-1"})
    DefaultEngine.objects.create(tenant=None, engine=engine)
    assert monthly(acme, task).cost_micros is None
    price = {"input": Decimal(2), "cached_input": Decimal(1), "output": Decimal(8)}
    EnginePrice.objects.create(engine=engine, valid_from="2020-01-01", currency="EUR", **price)
    told = monthly(acme, task)
    assert (told.engine, told.model, told.currency) == ("Cloud", "m-1", "EUR")
    assert told.cost_micros == told.prompt * 2 + told.completion * 8
    assert told.prompt > 3 * overhead(task)


def test_the_built_in_engine_costs_nothing(acme, people, calls):
    ruled = [{"name": "answer", "type": "boolean", "rule": {"skill": "phrases", "phrases": ["invoice"]}}]
    engine = AIEngine.objects.create(name="Built-in", engine_type="offline", settings={})
    task = stored_task(people.platform_admin, engine_ref=engine.pk, outputs=ruled)
    told = monthly(acme, definition(task))
    assert (told.conversations, told.prompt, told.cost_micros) == (3, 0, 0)


def test_a_question_is_left_for_a_worker_once_and_answered_there(acme, people, calls):
    question = question_of(acme, stored_task(people.platform_admin))
    assert ask(question) == (None, True)
    assert ask(question) == (None, False)
    answer_asked(question.key())
    answer, _unasked = ask(question)
    assert answer.matched == 3


def test_a_draft_has_nothing_to_estimate(acme, people):
    assert question_of(acme, stored_task(people.platform_admin, publish=False)) is None
