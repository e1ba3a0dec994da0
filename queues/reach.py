"""Who may change a queue or a job as a whole: staff of some tenant groups only those that serve nobody else."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.policy import viewer
from core.errors import InvalidInput
from tenants.models import Tenant, TenantGroup
from tenants.selectors import groups_open_to, visible_tenants

Served = TypeVar("Served", bound=Model)
View = Callable[..., HttpResponseBase]
OF_SOME = ("one_tenant", "tenant_groups")


def within_reach(rows: QuerySet[Served], user: User) -> QuerySet[Served]:
    """Those queues or jobs whose whole scope lies within the reach of ``user``.

    A tenant group counts only if the user manages it: who else comes into it later is decided by others.
    """
    if user.everywhere:
        return rows
    scope = scope_field(rows.model)
    foreign = TenantGroup.objects.exclude(pk__in=groups_open_to(user).order_by().values("pk"))
    beyond = rows.model._default_manager.filter(tenant_groups__in=foreign).values("pk")
    one = Q(**{scope: "one_tenant"}, tenant__in=visible_tenants(user))
    groups = Q(**{scope: "tenant_groups"}, tenant_groups__isnull=False) & ~Q(pk__in=beyond)
    return rows.filter(pk__in=rows.model._default_manager.filter(one | groups).values("pk"))


def scope_field(model: type[Model]) -> str:
    """How the model calls its scope."""
    return "access_scope" if any(field.name == "access_scope" for field in model._meta.fields) else "scope"


def is_within(row: Model, user: User) -> bool:
    """Whether the user may change this queue or job as a whole."""
    return user.everywhere or within_reach(type(row)._default_manager.filter(pk=row.pk), user).exists()


def beyond_text(row: object) -> str:
    """Why not, and what is left."""
    text = _(
        "“%(name)s” serves tenants beyond the groups that you manage. You may look at the rows of your own tenants in it; "
        "changing it as a whole needs a role with the access scope “System”."
    )
    return text % {"name": row}


def on_own(model: type[Model]) -> Callable[[View], View]:
    """Policy of routes that change the queue or job ``pk`` of their address: 403 with the reason when it is wider.

    What is not there, and verbs that the page does not take, are left to the page.
    """

    def decorate(view: View) -> View:
        page: Any = getattr(view, "view_class", None)

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            verb = "get" if request.method == "HEAD" else str(request.method).lower()
            if verb in page.http_method_names and hasattr(page, verb) and not viewer(request).everywhere:
                row = model._default_manager.filter(pk=kwargs["pk"]).first()
                if row is not None and not is_within(row, viewer(request)):
                    raise PermissionDenied(beyond_text(row))
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def demand_scope(
    *, field: str, scope: str, tenant: Tenant | None, groups: Sequence[TenantGroup], editor: User | None
) -> None:
    """Raise InvalidInput naming ``field`` when ``editor`` may not make something of this scope; None is the product."""
    if editor is None or editor.everywhere:
        return
    if scope not in OF_SOME:
        text = _("You manage certain tenants: choose one of them, or one of their groups.")
        raise InvalidInput(field, text)
    tenants = visible_tenants(editor)
    if scope == "one_tenant" and tenant is not None and not tenants.filter(pk=tenant.pk).exists():
        raise InvalidInput("tenant", _("You do not manage this tenant."))
    managed = set(groups_open_to(editor).values_list("pk", flat=True))
    if scope == "tenant_groups" and not {group.pk for group in groups} <= managed:
        raise InvalidInput("tenant_groups", _("You do not manage all of these groups."))


def demand_queues(*, field: str, chosen: Sequence[Model], stored: Sequence[Model], editor: User | None) -> None:
    """Raise InvalidInput naming ``field`` when ``editor`` connects a job to a queue that serves others too."""
    if editor is None or editor.everywhere:
        return
    for queue in chosen:
        if queue not in stored and not is_within(queue, editor):
            raise InvalidInput(field, beyond_text(queue))
