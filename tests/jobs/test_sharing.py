"""Sharing the slots of an engine: pure rules, the gate, and the claims of several holders."""

import asyncio
from dataclasses import replace

import pytest

from jobs.models import JobDefinition, Priority
from jobs.policy.models import EngineSlots
from jobs.policy.sharing import TURN_S, SlotClaim, allowed, shares
from jobs.policy.slots import Gate, Slots

ALWAYS = float("inf")


def claim(holder, wanted, weight=1.0, held=0, job=None):
    return SlotClaim(holder, job, weight, wanted, held, ALWAYS)


@pytest.mark.parametrize(
    ("claims", "capacity", "given"),
    [
        ([claim("a", 8)], 8, {"a": 8}),
        ([claim("a", 3)], 8, {"a": 3}),
        ([claim("a", 8), claim("b", 8)], 8, {"a": 4, "b": 4}),
        ([claim("a", 2), claim("b", 8)], 8, {"a": 2, "b": 6}),
        ([claim("a", 8, weight=3), claim("b", 8)], 8, {"a": 6, "b": 2}),
        ([claim("a", 1, weight=9), claim("b", 8, weight=3), claim("c", 8)], 9, {"a": 1, "b": 6, "c": 2}),
        ([claim("a", 0), claim("b", 8)], 4, {"a": 0, "b": 4}),
        ([claim("a", 5)], 0, {"a": 0}),
    ],
)
def test_slots_are_shared_by_weight_and_what_one_leaves_goes_to_the_others(claims, capacity, given):
    assert shares(claims, capacity, 0.0) == given


@pytest.mark.parametrize("weights", [[1, 1, 1], [9, 3, 1], [1, 0.1, 3]])
def test_what_cannot_be_divided_goes_round_never_beyond_the_capacity_and_nobody_is_left_out(weights):
    claims = [claim(str(number), 9, weight=weight) for number, weight in enumerate(weights)]
    rounds = [shares(claims, 2, turn * TURN_S) for turn in range(1000)]
    assert {sum(given.values()) for given in rounds} == {2}
    for number, weight in enumerate(weights):
        mean = sum(given[str(number)] for given in rounds) / len(rounds)
        assert abs(mean - 2 * weight / sum(weights)) < 0.02


def test_what_others_still_hold_is_never_given_twice():
    mine, other = claim("a", 8), claim("b", 8, held=8)
    assert allowed(mine, [other], capacity=8, of_job=None, now=0.0) == 0
    assert allowed(mine, [replace(other, held=4)], capacity=8, of_job=None, now=0.0) == 4


def test_all_passes_of_a_job_together_stay_within_the_concurrency_of_the_job():
    mine, other = claim("a", 8, job=1), claim("b", 0, held=3, job=1)
    assert allowed(mine, [other], capacity=8, of_job=4, now=0.0) == 1
    assert allowed(replace(mine, job=2), [other], capacity=8, of_job=4, now=0.0) == 4


def test_a_gate_lets_in_as_many_as_its_limit_and_follows_a_change():
    async def scene():
        gate, inside, most = Gate(), 0, 0
        go_on = asyncio.Event()

        async def visit():
            nonlocal inside, most
            await gate.enter()
            inside += 1
            most = max(most, inside)
            await go_on.wait()
            inside -= 1
            gate.leave()

        visits = [asyncio.create_task(visit()) for _n in range(6)]
        await asyncio.sleep(0)
        assert inside == 0
        gate.resize(2, ALWAYS)
        await asyncio.sleep(0)
        assert inside == 2
        gate.resize(1, ALWAYS)
        await asyncio.sleep(0)
        assert inside == 2
        visits[5].cancel()
        gate.resize(3, ALWAYS)
        go_on.set()
        await asyncio.gather(*visits, return_exceptions=True)
        assert (inside, most, gate.running) == (0, 3, 0)

    asyncio.run(scene())


def test_a_gate_whose_time_is_over_lets_nobody_in_until_it_is_renewed():
    async def scene():
        gate, entered = Gate(), asyncio.Event()
        gate.resize(5, 0.0)

        async def visit():
            await gate.enter()
            entered.set()

        visitor = asyncio.create_task(visit())
        await asyncio.sleep(0)
        assert not entered.is_set()
        gate.resize(5, ALWAYS)
        await visitor
        assert entered.is_set()

    asyncio.run(scene())


@pytest.mark.parametrize(("weight", "order"), [(1.0, "aababababaaaaaaaaaaa"), (2.0, "aabbabbaaaaaaaaaaaaa")])
def test_who_waits_at_a_gate_is_let_in_by_turns_of_his_tenant_and_by_its_weight(weight, order):
    async def scene():
        gate, entered = Gate(), []
        gate.resize(1, ALWAYS)

        async def visit(tenant):
            await gate.enter(tenant, weight if tenant == "b" else 1.0)
            entered.append(tenant)
            await asyncio.sleep(0)
            gate.leave()

        # The flood of "a" stands there first.
        await asyncio.gather(*(visit("a") for _n in range(16)), *(visit("b") for _n in range(4)))
        return "".join(entered)

    assert asyncio.run(scene()) == order


@pytest.fixture
def holders(db):
    """Two passes on one engine that allows eight calls at once."""
    return [Slots("transcription:1", 8, lease_s=30) for _n in range(2)]


def test_the_second_holder_gets_its_share_as_soon_as_the_first_lets_go(holders):
    first, second = holders
    assert first.renew(8) == 8
    first.gate.running = 8
    assert second.renew(8) == 0
    assert first.renew(8) == 4
    assert second.renew(8) == 0
    first.gate.running = 4
    assert first.renew(8) == 4
    assert second.renew(8) == 4
    first.gate.running = 0
    first.leave()
    assert second.renew(8) == 8


def test_slots_of_a_dead_holder_come_back_when_its_claim_runs_out(holders):
    dead, other = holders
    dead.lease_s = -1
    dead.renew(8)
    assert other.renew(8) == 8


def test_whoever_was_overtaken_looks_again_and_gives_nothing_twice(holders, monkeypatch):
    first, second = holders
    store = Slots._store

    def overtaken(self, row, claims):
        monkeypatch.setattr(Slots, "_store", store)
        assert second.renew(8) == 8
        return store(self, row, claims)

    monkeypatch.setattr(Slots, "_store", overtaken)
    assert first.renew(8) == 0
    assert sum(held for *_claim, held, _until in EngineSlots.objects.get().claims) == 8


def test_priority_decides_about_the_share_and_backfill_has_little(db):
    def of(name, **values):
        job = JobDefinition(pk=len(name), name=name, **values)
        return Slots.of_pass(job, "transcription:1", 8).weight

    low, usual, high = (of("j", priority=priority) for priority in Priority)
    assert (usual / low, high / usual) == (3, 3)
    assert of("j", data_source="token", priority=Priority.HIGH) < low


def test_slots_are_asked_for_in_blocks_so_that_small_changes_ask_nobody(holders, django_assert_num_queries):
    first = Slots("transcription:1", 80, lease_s=30)
    first.keep(11)
    assert first.asked == 20
    with django_assert_num_queries(0):
        first.keep(20)
        first.keep(3)
    first.keep(21)
    assert first.asked == 30
