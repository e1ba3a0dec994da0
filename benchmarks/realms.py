"""What a token costs: the token endpoint beside a view that does nothing, in one process and one run."""

import json
from collections.abc import Callable
from typing import Any

from benchmarks.registry import Figures, goal, scaled
from benchmarks.turns import in_turns
from tenants.models import Tenant

REQUESTS = 200
PHRASE = "a password of the benchmark 7"
FORM = "application/x-www-form-urlencoded"
BODY = f"grant_type=password&client_id=browser_client&username=ada&password={PHRASE.replace(' ', '+')}"
ADDRESS = "/realms/bench/protocol/openid-connect/token"
P95_MS = 500


def realms(scale: float) -> Figures:
    """Milliseconds a request through the whole stack of middleware: by password, refresh, userinfo, and a no-op view."""
    from django.conf import settings
    from django.test import Client

    settings.ALLOWED_HOSTS = ["testserver"]
    make_realm()
    client, number = Client(), scaled(REQUESTS, scale, 10)
    held: dict[str, Any] = {}

    def by_password() -> int:
        answer = client.post(ADDRESS, BODY, content_type=FORM)
        held.update(json.loads(answer.content))
        return answer.status_code

    def refreshed() -> int:
        form = f"grant_type=refresh_token&client_id=browser_client&refresh_token={held['refresh_token']}"
        answer = client.post(ADDRESS, form, content_type=FORM)
        held.update(json.loads(answer.content))
        return answer.status_code

    def userinfo() -> int:
        header = {"Authorization": f"Bearer {held['access_token']}"}
        return client.get(ADDRESS.replace("/token", "/userinfo"), headers=header).status_code

    def nothing() -> int:
        return client.get("/healthz").status_code

    calls: dict[str, Callable[[], int]] = {
        "token by password": by_password,
        "token by refresh": refreshed,
        "userinfo": userinfo,
        "view that does nothing": nothing,
    }
    figures = in_turns(calls, number)
    rows = [{"request": name, **values} for name, values in figures.items()]
    return {
        "goals": [goal("ms of a token by password, p95", figures["token by password"]["p95_ms"], at_most=P95_MS)],
        "requests_of_each": number,
        "requests": rows,
    }


def make_realm() -> Tenant:
    """A tenant that offers the API, with one user, whose password is checked at the cost of production."""
    from django.conf import settings

    from accounts.models import Role
    from accounts.realms.setup import offer
    from accounts.services import create_user
    from benchmarks.world import ACTOR, make_system
    from tenants.provisioning import provision
    from tenants.services import create_tenant

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    make_system()
    tenant = create_tenant(slug="bench", name="Bench", actor=ACTOR)
    provision(tenant.pk)
    tenant.refresh_from_db()
    role = Role.objects.get(key="integrator")
    create_user(tenant=tenant, username="ada", password=PHRASE, role=role, actor=ACTOR)
    offer(tenant=tenant, actor=ACTOR)
    return tenant
