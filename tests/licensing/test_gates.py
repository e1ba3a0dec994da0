"""The gates: their order is binding (domain §4.3)."""

import itertools

import pytest

from core.outcomes import Reason
from licensing.gates import Entitlement, judge
from licensing.models import Bundle, UserLicence
from licensing.selectors import licensed_users
from licensing.services import grant, revoke


def test_every_combination_answers_with_the_first_gate_that_refuses():
    for enabled, licensed, seat, limit in itertools.product(
        (True, False), (True, False), (True, False, None), (None, Reason.LIMIT_ORG_MONTH)
    ):
        expected = (
            Reason.TENANT_DISABLED
            if not enabled
            else Reason.NO_LICENSE
            if not licensed
            else Reason.SEAT_EXCEEDED
            if seat is False
            else limit
        )
        assert judge(Entitlement(enabled, licensed, seat, limit)) == expected


@pytest.mark.django_db
def test_granting_twice_is_once_and_another_bundle_does_not_count(people):
    grant(user=people.agent, bundle=Bundle.SPEECH_ANALYTICS, actor="test")
    grant(user=people.agent, bundle=Bundle.SPEECH_ANALYTICS, actor="test")
    grant(user=people.other_agent, bundle=Bundle.CALL_RECORDING, actor="test")
    both = [people.agent.pk, people.other_agent.pk]
    assert licensed_users(both, Bundle.SPEECH_ANALYTICS) == {people.agent.pk}
    assert UserLicence.objects.count() == 2
    revoke(user=people.agent, bundle=Bundle.SPEECH_ANALYTICS, actor="test")
    assert licensed_users(both, Bundle.SPEECH_ANALYTICS) == set()
