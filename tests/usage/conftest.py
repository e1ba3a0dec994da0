"""The guide's example in the ledger: 95 licensed users of acme have used 201,418 of 475,000 minutes."""

import itertools
import uuid
from datetime import timedelta

import pytest

from accounts.models import Role, User
from licensing.ledger import Request, reserve, settle
from licensing.models import Bundle, Entitlement, Meter, UserLicence
from licensing.statements import entitlements_changed
from tests.usage.frozen_urls import AT

METER = Meter.TRANSCRIPTION_SECONDS
USERS, MINUTES, DAYS = 95, 201_418, 20
numbers = itertools.count(1)


def set_limits(tenant, **values) -> None:
    """Service limits in minutes, past the form."""
    Entitlement.objects.update_or_create(tenant=tenant, defaults=values)
    entitlements_changed(tenant.pk)


def ask(tenant, user, seconds, *, at=AT, engine="Native", language="en-US"):
    """Reserve one request; its outcome and key."""
    wanted = Request(next(numbers), 1, uuid.uuid4(), user.pk, seconds, engine, language)
    return reserve(tenant_id=tenant.pk, meter=METER, requests=[wanted], at=at)[wanted.key], wanted.key


def use(tenant, user, seconds, **how) -> None:
    """Reserve and settle."""
    _outcome, key = ask(tenant, user, seconds, **how)
    assert settle(tenant_id=tenant.pk, meter=METER, keys=[key]) == 1


@pytest.fixture
def licensed(people):
    """Alan and Olga of acme, and Stan of globex, hold Speech analytics."""
    users = (people.agent, people.other_agent, people.stranger)
    UserLicence.objects.bulk_create(UserLicence(user=user, bundle=Bundle.SPEECH_ANALYTICS) for user in users)
    for tenant_id in {user.tenant_id for user in users}:
        entitlements_changed(tenant_id)
    return people


@pytest.fixture
def guide(acme, people):
    """95 users with a licence, 5,000 minutes each, and 201,418 minutes charged on twenty days of November 2026."""
    role = Role.objects.get(key="agent")
    users = User.objects.bulk_create(
        User(tenant=acme, username=f"user{n:02}", username_key=f"user{n:02}", role=role, password="!")
        for n in range(USERS)
    )
    UserLicence.objects.bulk_create(UserLicence(user=user, bundle=Bundle.SPEECH_ANALYTICS) for user in users)
    set_limits(acme, user_month=5000)
    left = MINUTES * 60
    for day in range(DAYS):
        share = left // (DAYS - day)
        left -= share
        each = [share // USERS] * (USERS - 1)
        each.append(share - sum(each))
        requests = [
            Request(next(numbers), 1, uuid.uuid4(), user.pk, seconds, f"Engine {n % 2}", ("en-US", "he-IL", "")[n % 3])
            for n, (user, seconds) in enumerate(zip(users, each, strict=True))
        ]
        at = AT - timedelta(days=DAYS - 1 - day)
        reserve(tenant_id=acme.pk, meter=METER, requests=requests, at=at)
        settle(tenant_id=acme.pk, meter=METER, keys=[request.key for request in requests])
    return acme
