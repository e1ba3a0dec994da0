"""Passes at once at one hard budget: what they hold and spend together is never more than it."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

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
