"""A second platform administrator, and what the pages of tenants are asked by."""

import pytest
from django.urls import reverse

from accounts.services import create_user
from tests.conftest import PASSWORD


@pytest.fixture
def second_admin(system):
    """A colleague of the platform admin."""
    return create_user(tenant=system, username="rita", password=PASSWORD, role="platform_admin", actor="test")


@pytest.fixture
def root(client_for, people):
    """The platform admin's browser."""
    return client_for(people.platform_admin)


@pytest.fixture
def page():
    """The address of a page about a tenant: ``page("suspend", acme)``."""
    return lambda name, tenant: reverse(f"tenants:{name}", args=[tenant.pk])
