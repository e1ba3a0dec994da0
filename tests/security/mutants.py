"""Does the matrix notice a missing check? ``python -m tests.security.mutants`` takes each one out and looks.

For every route: its right is not asked for (any signed-in user passes), it is open to everybody, and "edit" is asked
for as "view". And the conditions inside selectors and door, one at a time. A mutant that no cell notices survives and
is named; the exit code is then 1. Run it on a green matrix; it is not part of the build.
"""

import importlib
import inspect
import logging
import os
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tests.services  # noqa: F401 - starts the throw-away database before the settings are read

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
DATABASE = "parlance_mutants"


@dataclass(frozen=True, slots=True)
class Inside:
    """A condition inside a function: ``old`` is replaced by ``new``; routes whose name begins so must notice."""

    module: str
    function: str
    old: str
    new: str
    routes: tuple[str, ...]


CALLS = ("conversations:", "why:")
TENANTS = ("tenants:", "usage:", "licensing:")
INSIDE = [
    Inside("conversations.selectors", "visible_calls", "calls.filter(confidential=False)", "calls", CALLS),
    Inside(
        "conversations.selectors",
        "visible_calls",
        "if not user.has(Permission.CALLS_VIEW_OTHERS) or user.scope == AccessScope.USER:",
        "if False:",
        CALLS,
    ),
    Inside(
        "conversations.selectors",
        "visible_calls",
        "if user.scope == AccessScope.MANAGED_GROUPS and user.viewing is None:",
        "if False:",
        CALLS,
    ),
    Inside("conversations.selectors", "call_for", "visible_calls(user)", "Call.objects.all()", CALLS),
    Inside("conversations.selectors", "may_play", "return may(", "return True or may(", CALLS),
    Inside("conversations.selectors", "may_download", "return may(", "return True or may(", CALLS),
    Inside("conversations.selectors", "may_read", "user.has(Permission.TRANSCRIPT_VIEW) and ", "", CALLS),
    Inside("conversations.selectors", "may_read", " and may_play(user, call)", "", CALLS),
    Inside("tenants.selectors", "visible_tenants", "if viewing is not None:", "if False:", (*TENANTS, "accounts:")),
    Inside("tenants.selectors", "visible_tenants", 'and scope == "system":', ":", (*TENANTS, "accounts:", "jobs:")),
    Inside("tenants.selectors", "visible_tenants", "present.filter(pk=user.tenant_id)", "present", TENANTS),
    Inside("tenants.selectors", "tenants_to_offer", "visible_tenants(user)", "Tenant.objects", ("jobs:", "queues:")),
    Inside("accounts.roles.selectors", "visible_roles", ".filter(own | built_in)", "", ("accounts:role",)),
    Inside("accounts.roles.selectors", "role_for_pages", "visible_roles(user)", "Role.objects", ("accounts:role",)),
    Inside(
        "accounts.roles.selectors",
        "visible_people",
        "Q(tenant__in=visible_tenants(user)) | Q(tenant=user.stands_in)",
        "",
        ("accounts:role_users", "accounts:roles"),
    ),
    Inside(
        "accounts.roles.services",
        "refusal_to_edit",
        "if role is not None and role.key:",
        'if role is not None and role.key:\n        return ""\n    if False:',
        ("accounts:role",),
    ),
    Inside("audit.views", "Trail.may_export", "user.has(EXPORT)", "True", ("audit:",)),
    Inside("jobs.selectors", "reached", "if user.scope == AccessScope.SYSTEM and", "if True or", ("jobs:",)),
    Inside("tenants.middleware", "TenantDoorMiddleware.process_view", "if view_now is None or", "if True or", TENANTS),
    Inside("accounts.models", "User.rights", "if self.viewing is not None else held", "if False else held", TENANTS),
]


def main() -> int:
    """Make the world, try every mutant, say which survive."""
    _database()
    from django.db import transaction

    from tests.security.matrix.world import build

    logging.disable(logging.CRITICAL)
    tried, survivors = 0, []
    with tempfile.TemporaryDirectory() as folder, transaction.atomic():
        world = build(Path(folder))
        for name, mutant, names in mutants():
            tried += 1
            with mutant():
                noticed = any(_notices(world, route) for route in names)
            if not noticed:
                survivors.append(name)
            print(f"{'killed  ' if noticed else 'SURVIVED'} {name}", flush=True)  # noqa: T201
        transaction.set_rollback(True)
    print(f"\n{tried - len(survivors)} of {tried} killed", *survivors, sep="\n  ")  # noqa: T201
    return 1 if survivors else 0


def _database() -> None:
    import django

    django.setup()
    import psycopg
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connections
    from django.test.utils import setup_test_environment

    from tests.conftest import _make_world, _psycopg_arguments

    default = connections["default"]
    with psycopg.connect(
        **_psycopg_arguments(settings.DATABASES["default"] | {"NAME": "postgres"}), autocommit=True
    ) as db:
        db.execute(f'DROP DATABASE IF EXISTS "{DATABASE}" WITH (FORCE)')
        db.execute(f'CREATE DATABASE "{DATABASE}"')
    default.settings_dict["NAME"] = settings.DATABASES["default"]["NAME"] = DATABASE
    setup_test_environment()
    call_command("migrate_all", verbosity=0)
    _make_world()


def _notices(world: Any, route: str) -> bool:
    """Whether a cell of the route is not as its row says. A mutant that crashes the route is noticed, too."""
    from tests.security.matrix.cells import RouteCheck
    from tests.security.matrix.policy import ROUTES

    try:
        return bool(RouteCheck(world, route, ROUTES[route]).run(until_first=True))
    except Exception:
        return True


def mutants() -> Iterator[tuple[str, Callable[[], Any], list[str]]]:
    """Each mutant: its name, a context in which it lives, and the routes that must notice it."""
    from tests.security.matrix.cells import routes
    from tests.security.matrix.policy import ROUTES

    for name, route in routes():
        rows = [row for row in ROUTES if row.partition("?")[0] == name]
        for what, view in _weaker(route.callback):
            yield f"{name}: {what}", _with_callback(route, view), rows
    for inside in INSIDE:
        names = [row for row in ROUTES if row.startswith(inside.routes)]
        yield f"{inside.module}.{inside.function}: {inside.old}", _with_code(inside), names


def _weaker(view: Any) -> Iterator[tuple[str, Any]]:
    """The view without each of its checks in turn, open to everybody, and asking for "view" instead of "edit"."""
    from accounts.permissions import ALL_CODES
    from core.policy import PUBLIC

    layers, inner = [], view
    while getattr(inner, "policy", PUBLIC) != PUBLIC and hasattr(inner, "__wrapped__"):
        # A decorator around the check carries a copy of its mark.
        if inner.__code__.co_name == "guarded":
            layers.append(inner.policy)
        inner = inner.__wrapped__
    if not layers:
        return
    yield "open to everybody", inner
    for dropped, codes in enumerate(layers):
        if codes:
            yield f"{codes} not asked for", _wrapped(inner, [*layers[:dropped], (), *layers[dropped + 1 :]])
        milder = tuple(code.replace(".edit", ".view") for code in codes)
        if milder != codes and set(milder) <= ALL_CODES:
            yield f"{milder} asked for instead", _wrapped(inner, [*layers[:dropped], milder, *layers[dropped + 1 :]])


def _wrapped(inner: Any, layers: list[tuple[str, ...]]) -> Any:
    from core.policy import requires

    for codes in reversed(layers):
        inner = requires(*codes)(inner)
    return inner


def _with_callback(route: Any, view: Any) -> Callable[[], Any]:
    @contextmanager
    def living() -> Iterator[None]:
        original, route.callback = route.callback, view
        try:
            yield
        finally:
            route.callback = original

    return living


def _with_code(inside: Inside) -> Callable[[], Any]:
    """The function itself gets other code, so that all who imported it have the mutant."""

    @contextmanager
    def living() -> Iterator[None]:
        found: Any = importlib.import_module(inside.module)
        module = found
        for part in inside.function.split("."):
            found = inspect.getattr_static(found, part)
        function = found.fget if isinstance(found, property) else found
        source = textwrap.dedent(inspect.getsource(function)).removeprefix("@property\n")
        assert inside.old in source, f"{inside.function} has changed: {inside.old}"
        names = dict(vars(module))
        exec(compile(source.replace(inside.old, inside.new), inside.module, "exec"), names)
        original, function.__code__ = function.__code__, names[function.__name__].__code__
        try:
            yield
        finally:
            function.__code__ = original

    return living


if __name__ == "__main__":
    sys.exit(main())
