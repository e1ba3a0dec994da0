"""What a page says a task will cost, beside what the server bills: within ten per cent."""

import random
from decimal import Decimal

import pytest
from django.utils import timezone

from aiassistant.library.estimating import monthly
from aiassistant.library.selectors import tasks_for
from aiassistant.models import DefaultEngine, EnginePrice
from conversations.models import Call
from licensing.spending.models import SpendLine
from tenants.doors import enter
from tests.aiassistant.house import SAID, SENTIMENT, SUMMARY, emulator, house  # noqa: F401 - fixtures

pytestmark = pytest.mark.django_db
TRIED, LEFT = 6, 24


def test_the_estimate_after_a_few_conversations_is_within_ten_per_cent_of_the_bill_of_all(house):  # noqa: F811
    """A task is tried on some conversations, the page is read, and then all of them are processed."""
    price = {"input": Decimal(1), "cached_input": Decimal(1), "output": Decimal(4)}
    EnginePrice.objects.create(engine=house.engine, valid_from="2020-01-01", currency="EUR", **price)
    DefaultEngine.objects.create(tenant=None, engine=house.engine)
    house.task("mood", [SENTIMENT])
    house.task("summary", [SUMMARY])
    dice = random.Random(5)
    before = house.emulator.control("GET", "/_emu/bill")
    house.work()
    tried = [house.call(SAID * dice.randint(1, 12)) for _number in range(TRIED)]
    house.finish(*tried)
    rest = [house.call(SAID * dice.randint(1, 12)) for _number in range(LEFT)]
    with enter(house.acme):
        Call.objects.update(started_at=timezone.now())
    told = [monthly(house.acme, task) for task in tasks_for([house.acme])[house.acme.pk]]
    assert {each.conversations for each in told} == {TRIED + LEFT}

    house.finish(*rest)

    bill = house.emulator.control("GET", "/_emu/bill")
    spent = {name: bill[name] - before[name] for name in ("prompt_tokens", "completion_tokens", "cached_tokens")}
    tokens = spent["prompt_tokens"] + spent["completion_tokens"]
    money = spent["prompt_tokens"] + 4 * spent["completion_tokens"]
    assert sum(each.prompt + each.completion for each in told) == pytest.approx(tokens, rel=0.1)
    assert sum(each.cost_micros for each in told) == pytest.approx(money, rel=0.1)
    # The ledger is the bill, to the token.
    assert sum(line.prompt + line.completion for line in SpendLine.objects.all()) == tokens
