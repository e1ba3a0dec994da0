"""A task, an engine, a price of two currencies a million, and requests to charge."""

import itertools
import uuid
from datetime import date
from decimal import Decimal

import pytest

from aiassistant.engines.base import Usage
from aiassistant.library.models import AITask
from aiassistant.models import AIEngine
from aiassistant.pricing import Price
from aiassistant.rails.admitting import Wanted
from aiassistant.rails.charging import Attempt
from aiassistant.rails.models import Budget
from licensing.spending.models import Part

numbers = itertools.count(1)
# Prompt 2, cached 1, answer 10 a million: as many micro-units a token.
PRICE = Price(7, "*", date(2026, 1, 1), "EUR", Decimal(2), Decimal(1), Decimal(10), Decimal(1))


@pytest.fixture
def engine(db):
    return AIEngine.objects.create(name="Model", engine_type="openai")


@pytest.fixture
def task(db):
    return AITask.objects.create(key="rails_task", title="Rails")


@pytest.fixture
def other_task(db):
    return AITask.objects.create(key="rails_other", title="Other rails")


def attempt(task, engine, *, request="", number=1, part=Part.ASK, prompt=1000, completion=100, price=PRICE, **more):
    """1,000 tokens asked and 100 answered: 3,000 micro-units."""
    return Attempt(
        request=request or f"r{next(numbers)}",
        number=number,
        part=part,
        task=task.pk,
        task_version=more.pop("task_version", 1),
        engine=engine.pk,
        model=more.pop("model", "gpt-test"),
        record_type="call",
        record_id=more.pop("record_id", None) or uuid.uuid4(),
        usage=Usage(prompt=prompt, completion=completion, **more),
        price=price,
    )


def wanted(task, engine, *, key="", tokens=1100, cost=3000, currency="EUR", record_id=None, **more):
    """The wish that ``attempt`` would settle."""
    return Wanted(
        key=key or f"r{next(numbers)}",
        task=task.pk,
        engine=engine.pk,
        record_id=record_id or uuid.uuid4(),
        tokens=tokens,
        cost=cost,
        currency=currency,
        **more,
    )


def budget(name="Rail", **values):
    """A budget past the form."""
    return Budget.objects.create(name=name, **values)
