"""Licensed users of acme, and requests to the ledger."""

import itertools
import uuid

import pytest

from accounts.models import User
from licensing.ledger import Request
from licensing.models import Bundle, Entitlement, Meter, SeatLimit
from licensing.services import grant, set_licence
from licensing.statements import entitlements_changed

METER = Meter.TRANSCRIPTION_SECONDS
METERED = Bundle.SPEECH_ANALYTICS
numbers = itertools.count(1)


@pytest.fixture
def licensed(people):
    """Alan and Olga of acme hold Speech analytics."""
    for user in (people.agent, people.other_agent):
        grant(user=user, bundle=Bundle.SPEECH_ANALYTICS, actor="test")
    return people


def revoke(user, *, editor) -> None:
    """Take Speech analytics from the user."""
    assert set_licence(users=User.objects.filter(pk=user.pk), bundle=METERED, held=False, editor=editor) == 1


def request(user, seconds: int = 60, *, record: int = 0, generation: int = 1) -> Request:
    """A request for a call of ``user``."""
    return Request(record or next(numbers), generation, uuid.uuid4(), user.pk, seconds, "Native", "en-US")


def set_limits(tenant, **values) -> None:
    """Service limits in minutes, past the form."""
    Entitlement.objects.update_or_create(tenant=tenant, defaults=values)
    entitlements_changed(tenant.pk)


def set_seats(tenant, seats: int) -> None:
    """Seats of Speech analytics."""
    SeatLimit.objects.update_or_create(tenant=tenant, bundle=Bundle.SPEECH_ANALYTICS, defaults={"seats": seats})
    entitlements_changed(tenant.pk)
