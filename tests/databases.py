"""A database of one's own: for tests whose rivals, threads or processes, must see what is committed."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import redis
from django.conf import settings
from django.db import connection

CONNECTIONS = 80
CONNECT_S = 60.0
numbers = itertools.count(1)


def _admin() -> psycopg.Connection:
    settings = connection.settings_dict
    names = {"USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    arguments = {names[key]: settings[key] for key in names if settings.get(key)}
    return psycopg.connect(dbname="postgres", autocommit=True, **arguments)


@pytest.fixture
def db(django_db_setup, django_db_blocker) -> Iterator[str]:
    """In place of pytest-django's: a copy of the worker's database without any transaction around the test.

    Import it into a test module, and its tests, and all fixtures that they use, commit. Yields the copy's address.
    """
    with _copied(django_db_blocker) as address:
        yield address


@pytest.fixture(scope="module")
def db_of_module(django_db_setup, django_db_blocker) -> Iterator[str]:
    """As ``db``, one copy for all tests of a module: import it there under that name. Each finds what others left."""
    with _copied(django_db_blocker) as address:
        yield address


@contextmanager
def _copied(django_db_blocker) -> Iterator[str]:
    original = connection.settings_dict["NAME"]
    # A name of its own each time: what a process remembers about a database, it remembers by its name.
    copy = f"{original}_copy_{next(numbers)}"
    with django_db_blocker.unblock():
        connection.close()
        connection.close_pool()
        with _admin() as admin:
            admin.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{original}"')
        connection.settings_dict["NAME"] = copy
        connection.pool.resize(1, CONNECTIONS)
        # All rivals come at once, and a busy machine needs its time to connect them.
        connection.pool.timeout = CONNECT_S
        try:
            yield _address(copy)
        finally:
            connection.close()
            connection.close_pool()
            connection.settings_dict["NAME"] = original
            with _admin() as admin:
                admin.execute(f'DROP DATABASE "{copy}" WITH (FORCE)')
            # The original goes on with numbers that the copy has used: what is known of circuits and slots names these.
            with redis.Redis.from_url(settings.CACHES["default"]["LOCATION"]) as valkey:
                valkey.flushdb()


def _address(database: str) -> str:
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{database}"))


def somebody_waits() -> bool:
    """Whether a session of this database waits for a lock at this moment; also when asked again in one transaction."""
    with connection.cursor() as cursor:
        # Within a transaction the first look would stand: a wait that begins later never showed.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' LIMIT 1"
        )
        return cursor.fetchone() is not None
