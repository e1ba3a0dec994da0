"""Fixtures for everybody: the database with twin tenants, named people and signed-in clients.

The database is made once a worker; each test runs in a transaction that is rolled back.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class People:
    """The named people of the tests. All but the platform admin and the stranger belong to acme."""

    platform_admin: object
    tenant_admin: object
    supervisor: object
    agent: object
    other_agent: object
    stranger: object


@pytest.fixture(scope="session")
def django_db_setup(request, django_db_blocker) -> Iterator[None]:
    """Create this worker's database, migrate it and make the tenants and people, once."""
    worker = getattr(request.config, "workerinput", {}).get("workerid", "main")
    name = f"parlance_test_{worker}"
    default = connections["default"]
    admin_url = settings.DATABASES["default"] | {"NAME": "postgres"}
    with psycopg.connect(**_psycopg_arguments(admin_url), autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.execute(f'CREATE DATABASE "{name}"')
    default.settings_dict["NAME"] = name
    settings.DATABASES["default"]["NAME"] = name
    with django_db_blocker.unblock():
        call_command("migrate_all", verbosity=0)
        _make_world()
        connection.close()
    yield
    with django_db_blocker.unblock():
        connection.close()
        default.close_pool()


def _psycopg_arguments(database: dict) -> dict:
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    return {names[key]: database[key] for key in names if database.get(key)}


def _make_world() -> None:
    from accounts.services import create_user
    from tenants.provisioning import provision
    from tenants.services import create_tenant

    tenants = {}
    for slug, title, is_system in [("system", "System", True), ("acme", "Acme", False), ("globex", "Globex", False)]:
        tenants[slug] = create_tenant(slug=slug, name=title, actor="test", is_system=is_system)
        provision(tenants[slug].pk)
    for slug, username, role, group in [
        ("system", "root", "platform_admin", ""),
        ("acme", "ada", "tenant_admin", ""),
        ("acme", "sue", "supervisor", "Sales"),
        ("acme", "alan", "agent", "Sales"),
        ("acme", "olga", "agent", "Support"),
        ("globex", "stan", "tenant_admin", ""),
    ]:
        create_user(
            tenant=tenants[slug],
            username=username,
            password=PASSWORD,
            role=role,
            group=group,
            full_name=username.title(),
            actor="test",
        )


def _tenant(slug: str):
    from tenants.models import Tenant

    return Tenant.objects.get(slug=slug)


@pytest.fixture
def acme(db):
    """A ready tenant."""
    return _tenant("acme")


@pytest.fixture
def globex(db):
    """The twin of acme."""
    return _tenant("globex")


@pytest.fixture
def system(db):
    """The System tenant."""
    return _tenant("system")


@pytest.fixture
def people(db) -> People:
    """The named people."""
    from accounts.models import User

    def user(name: str) -> User:
        return User.objects.get(username=name)

    return People(user("root"), user("ada"), user("sue"), user("alan"), user("olga"), user("stan"))


@pytest.fixture
def inside() -> Callable[..., AbstractContextManager]:
    """The door: ``with inside(acme): …``."""
    from tenants.doors import enter

    return enter


@pytest.fixture
def client_for(db) -> Callable[..., Client]:
    """A client signed in as a user."""

    def make(user, **extra) -> Client:
        client = Client(**extra)
        client.force_login(user, backend="accounts.backends.TenantUserBackend")
        return client

    return make
