"""The doors: the only ways into a tenant's schema (architecture §3).

``enter`` is used by the web middleware, the task base, the command base and the pass runner. Nothing else of
django-tenants switches schemas. Facts behind the rules: security M1–M6.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Task
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from tenants.models import Tenant


class DoorError(Exception):
    """Base of everything that keeps a caller out of a tenant."""


class NobodyEntered(DoorError):
    """Tenant data were asked for while no tenant was entered."""


class WrongTenant(DoorError):
    """The code is inside another tenant than the one it names, or was given data of."""


class TenantUnavailable(DoorError):
    """The tenant is unknown, not provisioned yet, suspended or closed."""


@contextmanager
def enter(tenant: Tenant) -> Iterator[Tenant]:
    """Enter ``tenant`` for the length of the block; afterwards the connection is back in no tenant.

    Raises WrongTenant inside another tenant, TenantUnavailable when the tenant is not ready. Entering the tenant one
    is already in is harmless.
    """
    inside = _inside()
    if inside is not None:
        if inside.pk != tenant.pk:
            raise WrongTenant("Leave the tenant before entering another one.")
        yield tenant
        return
    if tenant.state != Tenant.State.READY:
        raise TenantUnavailable(f"The tenant is {tenant.state}.")
    connection.set_tenant(tenant)  # type: ignore[attr-defined]
    try:
        yield tenant
    finally:
        connection.set_schema_to_public()  # type: ignore[attr-defined]


def current_tenant() -> Tenant:
    """The tenant that was entered. Raises NobodyEntered when there is none."""
    tenant = _inside()
    if tenant is None:
        raise NobodyEntered("No tenant has been entered.")
    return tenant


def outside() -> bool:
    """True when the connection is in no tenant: the state before and after each request and task (T3)."""
    return _inside() is None


def _inside() -> Tenant | None:
    tenant = getattr(connection, "tenant", None)
    return tenant if isinstance(tenant, Tenant) else None


def find_ready(tenant_id: uuid.UUID | str) -> Tenant:
    """Load a ready tenant by id; raises TenantUnavailable for anything else (unknown, malformed, closed …)."""
    try:
        return Tenant.objects.get(pk=uuid.UUID(str(tenant_id)), state=Tenant.State.READY)
    except (Tenant.DoesNotExist, ValueError):
        raise TenantUnavailable("There is no ready tenant with this id.") from None


class TenantTask(Task):  # type: ignore[misc]
    """Task base: the keyword ``tenant_id`` names the tenant that the task runs in; without it the task refuses."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Enter the tenant, run, leave. Raises NobodyEntered without ``tenant_id``, TenantUnavailable if not ready."""
        tenant_id = kwargs.get("tenant_id")
        if not tenant_id:
            raise NobodyEntered("This task needs the keyword tenant_id.")
        with enter(find_ready(tenant_id)):
            return super().__call__(*args, **kwargs)


class TenantCommand(BaseCommand):
    """Command base: ``--tenant SHORTNAME`` names the tenant that ``handle_inside`` runs in."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--tenant``; subclasses add theirs and call super."""
        parser.add_argument("--tenant", required=True, help="short name of the tenant")

    def handle(self, *args: Any, **options: Any) -> str | None:
        """Enter the tenant and run ``handle_inside``."""
        tenant = Tenant.objects.filter(slug=options["tenant"].lower()).first()
        if tenant is None:
            raise CommandError(f"--tenant: there is no tenant with the short name “{options['tenant']}”.")
        try:
            with enter(tenant):
                return self.handle_inside(*args, **options)
        except TenantUnavailable as error:
            raise CommandError(f"--tenant: {error}") from error

    def handle_inside(self, *args: Any, **options: Any) -> str | None:
        """The work of the command, inside the tenant."""
        raise CommandError(f"{type(self).__module__} does not say what to do.")
