"""The other installation, paired."""

import pytest

from tests.queues.replication.other import Other


@pytest.fixture
def other(db) -> Other:
    """Paired with us, its fingerprint confirmed."""
    made = Other()
    made.pair()
    return made


@pytest.fixture
def root(client_for, people):
    """The platform admin's browser."""
    return client_for(people.platform_admin)


@pytest.fixture
def by(people, system):
    """Who acts, for services."""
    return {"actor": people.platform_admin.actor, "audit_tenant": system}
