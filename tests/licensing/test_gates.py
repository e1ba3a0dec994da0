"""The gates judge in the binding order, and each refusal shows beside its success."""

import pytest

from core.outcomes import Reason
from licensing.gates import Facts, Limit, Seat, judge

FULL = Limit(Reason.LIMIT_ORG_MONTH, allowed=600, taken=541)


def test_everything_passes_when_every_rule_is_met():
    reason, trace = judge(Facts(True, Seat(50, 50), [Limit(Reason.LIMIT_ORG_MONTH, 600, 540)], 60))
    assert reason is None
    assert [result.gate for result in trace] == ["tenant", "licence", "seat", "limit_org_month"]
    assert all(result.passed for result in trace)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (Facts(False, None, [FULL], 60), Reason.TENANT_DISABLED),
        (Facts(True, None, [FULL], 60), Reason.NO_LICENSE),
        (Facts(True, Seat(51, 50), [FULL], 60), Reason.SEAT_EXCEEDED),
        (Facts(True, Seat(50, 50), [FULL], 60), Reason.LIMIT_ORG_MONTH),
    ],
)
def test_the_first_gate_that_refuses_names_the_reason_and_ends_the_trace(facts, reason):
    refused, trace = judge(facts)
    assert refused == reason
    assert [result.passed for result in trace] == [True] * (len(trace) - 1) + [False]


def test_a_seat_without_a_limit_is_always_accepted():
    assert judge(Facts(True, Seat(1_000_000, None)))[0] is None
