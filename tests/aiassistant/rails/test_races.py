"""Passes at once at one hard budget: what they hold and spend together is never more than it."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from aiassistant.pacing.windows import Limits, take
from aiassistant.rails.admitting import Admitted, admit
from aiassistant.rails.charging import charge
from licensing.spending.models import SpendHold, SpendLine
from tests.aiassistant.rails.conftest import attempt, budget, wanted
from tests.databases import db  # noqa: F401 - rivals see only what is committed

# Their connections fill the server: one race at a time.
pytestmark = pytest.mark.xdist_group("races")


def test_sixteen_passes_at_once_never_hold_or_spend_more_than_the_budget(acme, task, engine):
    budget("Race", tenant=acme, hard=50 * 1100)
    together = Barrier(16)

    def rival(number):
        try:
            together.wait(30)
            for turn in range(5):
                wishes = [wanted(task, engine, key=f"{number}.{turn}.{place}") for place in range(2)]
                found = admit(acme.pk, wishes)
                mine = [wish for wish in wishes if found[wish.key] == Admitted()]
                charge(acme.pk, [attempt(task, engine, request=wish.key) for wish in mine if turn % 2])
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        for future in [pool.submit(rival, number) for number in range(16)]:
            future.result(60)
    assert SpendLine.objects.filter(tenant=acme).count() + SpendHold.objects.filter(tenant=acme).count() == 50


def test_eight_passes_at_once_never_send_an_engine_more_than_its_limit_a_minute(engine):
    together = Barrier(8)

    def rival():
        try:
            together.wait(30)
            return [one.delay_s is None for _turn in range(5) for one in take(engine.pk, Limits(requests=7), [1, 1])]
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        given = [one for future in [pool.submit(rival) for _number in range(8)] for one in future.result(60)]
    assert (sum(given), len(given)) == (7, 80)
