"""Two installations on one machine, each with its own database, web process and worker: the whole story."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from stack.ports import first_free
from tests.databases import _admin
from tests.machine import reachable
from tests.polling import until

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Side:
    """One installation; ``number`` is that of its broker's database."""

    name: str
    number: int
    database: str
    port: int
    logs: Path
    children: dict[str, subprocess.Popen] = field(default_factory=dict)

    @property
    def database_url(self) -> str:
        return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{self.database}"))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def spawn(self, *names: str) -> None:
        """Start web or worker; the worker has the beat inside."""
        broker = re.sub(r"virtual_host=\d+", f"virtual_host={self.number}", os.environ["REDIS_URL"])
        env = {**os.environ, "DATABASE_URL": self.database_url, "DJANGO_SETTINGS_MODULE": "config.settings.test"}
        env["REDIS_URL"] = broker
        env["PARLANCE_BASE_URL"] = f"http://{self.name}.example/"
        beat = str(self.logs / f"{self.name}-beat")
        lines = {
            "web": ["gunicorn", "config.wsgi:application", "-k", "sync", "--bind", f"127.0.0.1:{self.port}"],
            "worker": ["celery", "-A", "config", "worker", "--pool", "solo", "-B", "-s", beat, "--without-mingle"],
        }
        for name in names:
            with (self.logs / f"{self.name}-{name}.log").open("ab") as log:
                line = [sys.executable, "-m", *lines[name]]
                self.children[name] = subprocess.Popen(
                    line, cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True
                )

    def kill(self, name: str) -> None:
        """``kill -9`` of the process with its children."""
        child = self.children.pop(name)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait(10)

    def ask(self, statement: str, *values: object) -> list[tuple]:
        """Rows, on a connection of its own."""
        with psycopg.connect(self.database_url, autocommit=True) as own:
            return own.execute(statement, values).fetchall()

    @contextmanager
    def browser(self) -> Iterator[Client]:
        """The platform admin's, against the pages and the database of this side."""
        from accounts.models import User

        switch(self.database)
        client = Client()
        client.force_login(User.objects.get(username="root"), backend="accounts.backends.TenantUserBackend")
        yield client


def switch(database: str) -> None:
    """Lead the connection of this process elsewhere."""
    connection.close()
    connection.close_pool()
    connection.settings_dict["NAME"] = database


@pytest.fixture
def sides(django_db_setup, django_db_blocker, tmp_path) -> Iterator[tuple[Side, Side]]:
    """Alpha and Beta, running, strangers to each other."""
    original = connection.settings_dict["NAME"]
    made: list[Side] = []
    with django_db_blocker.unblock():
        connection.close()
        connection.close_pool()
        try:
            with _admin() as admin:
                port = 18200
                for number, name in enumerate(["alpha", "beta"], start=5):
                    database = f"{original}_{name}"
                    admin.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
                    admin.execute(f'CREATE DATABASE "{database}" TEMPLATE "{original}"')
                    port = first_free(port)
                    made.append(Side(name, number, database, port, tmp_path))
                    port += 1
            for side in made:
                side.spawn("web", "worker")
            for side in made:
                until(lambda side=side: reachable(f"{side.address}/healthz"), seconds=60)
            yield made[0], made[1]
        finally:
            for side in made:
                for name in list(side.children):
                    side.kill(name)
            switch(original)
            with _admin() as admin:
                for side in made:
                    admin.execute(f'DROP DATABASE IF EXISTS "{side.database}" WITH (FORCE)')


def post(client: Client, route: str, values: dict | None = None, *arguments: object) -> str:
    """Post to a page and follow it; the refusal of a form fails the test."""
    page = client.post(reverse(route, args=arguments), values or {}, follow=True)
    text = page.content.decode()
    assert page.status_code == 200, text[-3000:]
    return text


def introduce(side: Side, other: Side, key: str) -> None:
    with side.browser() as root:
        post(root, "tenants:allowed_address_add", {"cidr": "127.0.0.1/32", "port": other.port})
        values = {"own_name": side.name.title(), "address": other.address, "public_key": key, "version": 0}
        post(root, "pairing:edit", values)


def key_of(side: Side) -> str:
    from queues.replication.identity import installation

    with side.browser():
        return installation().key_text


def queue(name: str, **values: object) -> dict[str, object]:
    usual = {"enabled": "on", "scope": "one_tenant", "record_type": "call", "events": ["call.created"]}
    return {"name": name, **usual, "replicate": "on", **values}


@pytest.mark.faults
@pytest.mark.timeout(300)
def test_settings_travel_conflicts_are_kept_and_killed_processes_lose_nothing(sides):
    from queues.models import ProcessingQueue
    from tenants.models import Tenant

    alpha, beta = sides
    keys = {side.name: key_of(side) for side in sides}
    assert keys["alpha"] != keys["beta"]
    introduce(alpha, beta, keys["beta"])
    with alpha.browser() as root:
        assert "is not paired with this one" in post(root, "pairing:test")
        post(root, "pairing:confirm", {"version": 1, "same": "on"})
    introduce(beta, alpha, keys["alpha"])
    with beta.browser() as root:
        post(root, "pairing:confirm", {"version": 1, "same": "on"})
    with alpha.browser() as root:
        page = post(root, "pairing:test")
        assert "its signature is right" in page
        assert "Beta" in page
        acme = Tenant.objects.get(slug="acme")
        page = post(root, "queues:add", queue("Night", tenant=acme.pk))
        night = ProcessingQueue.objects.get(name="Night")

    def at_beta(name: str) -> list[tuple]:
        return beta.ask(
            "SELECT q.id, q.events, t.slug, c.state FROM queues_processingqueue q "
            "LEFT JOIN tenants_tenant t ON t.id = q.tenant_id LEFT JOIN queues_queuecopy c ON c.queue_id = q.id "
            "WHERE q.name = %s",
            name,
        )

    until(lambda: at_beta("Night"), seconds=60)
    ((copy, events, slug, state),) = at_beta("Night")
    assert (events, slug, state) == (["call.created"], "acme", "attached")
    with beta.browser() as root:
        assert "from “Alpha”" in root.get(reverse("queues:queue", args=[copy])).content.decode()
        post(root, "queues:add", {**queue("Day", scope="global"), "replicate": ""})

    # The receiver is dead: the change waits, and goes when it is back.
    beta.kill("web")
    with alpha.browser() as root:
        values = queue("Night", tenant=acme.pk, events=["call.updated"], version=1)
        post(root, "queues:edit", values, night.pk)
    failing = "SELECT 1 FROM queues_pairing WHERE last_error = 'unreachable'"
    until(lambda: alpha.ask(failing), seconds=60)
    assert at_beta("Night")[0][1] == ["call.created"]
    # So is the sender, and it comes back as another process.
    alpha.kill("worker")
    beta.spawn("web")
    alpha.spawn("worker")
    until(lambda: at_beta("Night")[0][1] == ["call.updated"], seconds=90)

    # A queue of the same name is there already: both stay, and a person decides.
    with alpha.browser() as root:
        post(root, "queues:add", queue("Day", scope="global", events=["call.deleted"]))
    until(lambda: beta.ask("SELECT 1 FROM queues_replicationconflict WHERE state = 'open'"), seconds=60)
    assert at_beta("Day")[0][1:] == (["call.created"], None, None)
    until(lambda: alpha.ask("SELECT 1 FROM queues_outgoing WHERE outcome = 'conflict'"), seconds=60)
    with beta.browser() as root:
        ((conflict,),) = beta.ask("SELECT id FROM queues_replicationconflict WHERE state = 'open'")
        post(root, "pairing:rename", {"name": "Day of Alpha"}, conflict)
    assert at_beta("Day of Alpha")[0][1:] == (["call.deleted"], None, "attached")

    with alpha.browser() as root:
        post(root, "queues:delete", {"confirm_name": "Night"}, night.pk)
    until(lambda: not at_beta("Night"), seconds=60)
    assert at_beta("Day")
