"""Tokens, budgets, prices and the choice of an engine: pure functions."""

import random
import uuid
from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest

from aiassistant.choosing import EngineTable, Obstacle, Source
from aiassistant.engines.base import Message, Output, OutputType, Usage
from aiassistant.engines.budget import NoRoom, head_and_tail, pieces, room_for_source
from aiassistant.engines.extraction import NoObject, extract_object
from aiassistant.engines.schemas import SchemaRefused, full_schema, strict_schema
from aiassistant.engines.tokens import calibrate, calibrated, estimate, estimate_messages
from aiassistant.models import AIEngine, Visibility
from aiassistant.pricing import Price, cost_micros, price_at
from core.openai.refusals import duration_s
from emulators.openai.strictness import check

ACME, GLOBEX = uuid.uuid4(), uuid.uuid4()


@pytest.mark.parametrize(
    ("text", "tokens"), [("a" * 38, 10), ("я" * 24, 10), ("ש" * 19, 10), ("字" * 9, 10), ("12345", 5), ("", 0)]
)
def test_a_token_has_as_many_characters_as_its_script_says(text, tokens):
    assert round(estimate(text)) == tokens
    assert estimate_messages([Message("user", text)]) == tokens + 4


def test_the_calibration_follows_reports_stays_within_its_bounds_and_learns_nothing_from_nothing():
    factor = 1.0
    for _report in range(50):
        factor = calibrate(factor, reported=500, estimated=100)
    assert 1.9 < factor <= 2.0
    assert calibrate(factor, reported=0, estimated=100) == factor
    assert calibrated(1000, 1.0) == 1100
    assert calibrated(1000, 9.0) == 2200


def test_the_room_is_the_window_less_answer_instructions_and_eight_per_cent():
    assert room_for_source(window=10_000, max_output=1000, overhead=500) == 7700
    with pytest.raises(NoRoom):
        room_for_source(window=1000, max_output=900, overhead=50)


def turns_and_room(seed: int, least: int) -> tuple[list[int], int]:
    """Sizes of some turns, and a room that holds the largest."""
    dice = random.Random(seed)
    return [dice.randint(1, 50) for _turn in range(dice.randint(1, 60))], dice.randint(least, 300)


@pytest.mark.parametrize("seed", range(50))
def test_pieces_hold_every_turn_in_order_and_none_is_too_large(seed):
    sizes, room = turns_and_room(seed, 50)
    found = pieces(sizes, room)
    assert found[0].first == 0
    assert found[-1].last == len(sizes) - 1
    for before, after in pairwise(found):
        assert before.first < after.first <= before.last + 1
        assert after.last > before.last
    assert all(sum(sizes[piece.first : piece.last + 1]) <= room for piece in found)


def test_pieces_share_two_turns():
    assert [(piece.first, piece.last) for piece in pieces([10] * 10, 60)] == [(0, 5), (4, 9)]


@pytest.mark.parametrize("seed", range(50))
def test_head_and_tail_fit_and_do_not_overlap(seed):
    sizes, room = turns_and_room(seed, 60)
    head, tail = head_and_tail(sizes, room, mark=10)
    assert head + tail <= len(sizes)
    kept = sum(sizes[:head]) + sum(sizes[len(sizes) - tail :] if tail else [])
    assert kept + (10 if head + tail < len(sizes) else 0) <= room


def price(pattern="*", day=date(2026, 1, 1), amount="2.5", pk=1) -> Price:
    return Price(pk, pattern, day, "EUR", Decimal(amount), Decimal("0.25"), Decimal(10), Decimal("0.5"))


def test_a_million_tokens_cost_their_price_and_nothing_is_counted_twice():
    usage = Usage(prompt=1_000_000, cached=400_000, completion=100_000, reasoning=90_000)
    assert cost_micros(price(), usage) == 1_500_000 + 100_000 + 1_000_000
    assert cost_micros(price(), usage, batch=True) == 1_300_000
    assert cost_micros(None, usage) == 0


def test_the_price_of_a_day_is_the_newest_of_the_most_exact_pattern():
    rows = [price(), price(day=date(2026, 6, 1), pk=2), price("gpt-*", pk=3), price("gpt-5", date(2027, 1, 1), pk=4)]
    assert price_at(rows, model="gpt-5", day=date(2026, 7, 1)).pk == 3
    assert price_at(rows, model="gpt-5", day=date(2027, 1, 1)).pk == 4
    assert price_at(rows, model="other", day=date(2026, 5, 31)).pk == 1
    assert price_at(rows, model="other", day=date(2026, 6, 1)).pk == 2
    assert price_at(rows, model="other", day=date(2025, 12, 31)) is None


def engine(pk, visibility=Visibility.GLOBAL, **values):
    return AIEngine(pk=pk, name=f"Engine {pk}", visibility=visibility, **values)


def test_the_first_that_is_named_answers_task_job_tenant_system():
    engines = {pk: engine(pk) for pk in (1, 2, 3, 4)}
    table = EngineTable(engines, {}, {ACME: 3, None: 4})
    chosen = [
        table.choose(ACME, task=1, job=2),
        table.choose(ACME, job=2),
        table.choose(ACME),
        table.choose(GLOBEX),
    ]
    assert [(choice.engine.pk, choice.source) for choice in chosen] == [
        (1, Source.TASK),
        (2, Source.JOB),
        (3, Source.TENANT),
        (4, Source.SYSTEM),
    ]
    assert EngineTable({}, {}, {}).choose(ACME).obstacle == Obstacle.MISSING


def test_an_engine_that_a_tenant_may_not_use_is_an_obstacle_and_not_passed_over():
    engines = {
        1: engine(1, Visibility.ONE_TENANT, tenant_id=ACME),
        2: engine(2, Visibility.TENANTS),
        3: engine(3, enabled=False),
    }
    table = EngineTable(engines, {2: frozenset({ACME})}, {None: 3})
    assert table.choose(ACME, task=1).obstacle is None
    assert table.choose(GLOBEX, task=1).obstacle == Obstacle.NOT_ALLOWED
    assert table.choose(ACME, job=2).obstacle is None
    assert table.choose(GLOBEX, job=2).obstacle == Obstacle.NOT_ALLOWED
    assert table.choose(GLOBEX).obstacle == Obstacle.DISABLED


OUTPUTS = [
    Output("csat", OutputType.INTEGER, "How pleased.", minimum=0, maximum=5, explanation=True, evidence=True),
    Output("outcome", OutputType.CHOICE, choices=("sold", "lost"), nullable=True),
    Output("tags", OutputType.MULTI_CHOICE, choices=("a", "b")),
    Output("due", OutputType.DATE, nullable=True),
]


def test_schemas_of_outputs_are_in_the_strict_subset_and_reasons_come_before_values():
    schema = strict_schema(OUTPUTS)
    check(schema)
    assert list(schema["properties"])[:3] == ["csat_explanation", "csat_evidence", "csat"]
    assert full_schema(OUTPUTS)["properties"]["csat"]["maximum"] == 5


@pytest.mark.parametrize(
    ("outputs", "named"),
    [
        ([], ""),
        ([Output("Total", OutputType.TEXT)], "Total"),
        ([Output("a", OutputType.TEXT), Output("a", OutputType.TEXT)], "a"),
        ([Output("kind", OutputType.CHOICE)], "kind"),
        ([Output("kind", OutputType.CHOICE, choices=("a", "a"))], "kind"),
        ([Output(f"a{number}", OutputType.TEXT) for number in range(101)], ""),
    ],
)
def test_outputs_without_a_strict_schema_are_refused_by_name(outputs, named):
    with pytest.raises(SchemaRefused) as refused:
        strict_schema(outputs)
    assert refused.value.output == named


@pytest.mark.parametrize(
    "text",
    ['{"a": 1}', '\ufeff```json\n{"a": 1}\n```', '<think>{"b": 2}</think> so: {"a": 1} done', 'x</think>{"a":1}'],
)
def test_the_object_is_found_among_fences_and_thoughts(text):
    assert extract_object(text) == {"a": 1}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "none",
        '{"a": 1',
        '{"a": NaN}',
        '{"a": 1e999}',
        '{"a": 1, "a": 2}',
        '{"a":' * 9000,
        '{"a": "\\ud800"}',
        '{"a": "' + "x" * 300_000 + '"}',
    ],
)
def test_what_is_no_usable_object_is_refused_without_quoting_it(text):
    with pytest.raises(NoObject) as refused:
        extract_object(text)
    assert "xxx" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("120ms", 0.12), ("6m0s", 360), ("1s", 1), ("1h2m3s", 3723), ("7", 7), ("soon", None), (None, None)],
)
def test_durations_of_rate_headers(text, seconds):
    assert duration_s(text) == seconds
