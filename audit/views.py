"""The audit trail (Administration > System > Audit Trail), one entry, and the tab of a tenant."""

import json
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.exports import jsonl_response
from audit.filters import AuditFilter
from audit.models import AuditEntry
from audit.selectors import sees_several_chains, visible_entries, visible_tenants
from audit.tables import AuditTable
from audit.words import action_words, field_words, kind_words, names_of, yes_or_no
from core.pages import Crumbs, KeysetListPage, Page, Text

TITLE = gettext_lazy("Audit Trail")
ROOT: Crumbs = [(gettext_lazy("Administration"), None), (gettext_lazy("System"), None)]
EXPORT = "audit_trail.export"
FORMATS = {"csv", "jsonl"}


class Trail(KeysetListPage):
    """The entries that the viewer may see, newest first."""

    title: Text = TITLE
    template_name = "audit/trail.html"
    table_class = AuditTable
    filterset_class = AuditFilter

    def breadcrumbs(self) -> Crumbs:
        """Administration > System."""
        return ROOT

    def get_queryset(self) -> QuerySet[AuditEntry]:
        """By the viewer's scope."""
        return visible_entries(self.request.user)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page, or all that match as CSV or JSON lines, which is a right of its own."""
        wanted = request.GET.get("format")
        if wanted in FORMATS and not self.may_export():
            user: Any = request.user
            raise PermissionDenied(user.lacking(EXPORT))
        if wanted == "jsonl":
            filterset = self.filterset(request.GET)
            if filterset.is_valid():
                return jsonl_response(filterset.qs)
        return super().get(request, *args, **kwargs)

    def may_export(self) -> bool:
        """Exports need their own permission."""
        user: Any = self.request.user
        return user.has(EXPORT)

    def table_arguments(self) -> dict[str, Any]:
        """Names of tenants for those who see several chains."""
        user = self.request.user
        return {"tenants": dict(visible_tenants(user).values_list("pk", "name")) if sees_several_chains(user) else None}

    def more_context(self) -> dict[str, Any]:
        """Both exports, or none."""
        if not self.may_export():
            return {"csv_url": ""}
        query = self.request.GET.copy()
        query["format"] = "jsonl"
        return {"jsonl_url": f"?{query.urlencode()}"}

    def empty(self) -> dict[str, Any]:
        """A new installation."""
        return {
            "icon": "history",
            "title": _("Nothing has been recorded yet"),
            "text": _("Every change, sign-in, export and refused access appears here."),
        }


# The head and the tabs of a tenant's page belong to an app above this one, which is named as data.
TenantPage: type[Page] = import_string(settings.TENANT_PAGE)


class TenantTrail(TenantPage, Trail):  # type: ignore[misc, valid-type]
    """The tab of one tenant: its chain, and what was done to the tenant itself, as far as the viewer may see it."""

    tab = "audit:tenant"
    title = ""
    template_name = "audit/tenant_trail.html"

    def breadcrumbs(self) -> Crumbs:
        """Below the list of tenants."""
        return TenantPage.breadcrumbs(self)

    def empty(self) -> dict[str, Any]:
        """Platform staff see only what staff did here; the tenant's people see the rest."""
        if not sees_several_chains(self.request.user):
            return super().empty()
        return {
            "icon": "history",
            "title": _("Platform staff have done nothing in this tenant yet"),
            "text": _("What its own people do is seen by them, and by those who view as the tenant."),
        }

    def get_queryset(self) -> QuerySet[AuditEntry]:
        """Entries of its chain, and those of other chains that name it as their object."""
        pk = self.tenant_row.pk
        return super().get_queryset().filter(Q(tenant_id=pk) | Q(target_type="tenant", target_id=str(pk)))


class EntryPage(Page):
    """One entry: what changed, why, from where, and its place in the chain."""

    template_name = "audit/entry.html"

    def get_title(self) -> Text:
        """Action and object."""
        return action_words(self.entry.action)

    def breadcrumbs(self) -> Crumbs:
        """Below the trail."""
        return [*ROOT, (TITLE, reverse("audit:trail"))]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The entry, or 404 when there is none that the viewer may see."""
        self.entry = get_object_or_404(visible_entries(request.user), pk=kwargs["pk"])
        entry = self.entry
        tenant = visible_tenants(request.user).filter(pk=entry.tenant_id).first()
        parts = entry.details.get("parts", []) if isinstance(entry.details, dict) else []
        object_name = names_of([entry], {tenant.pk: tenant.name} if tenant is not None else None).get(entry.pk, "")
        details = {name: value for name, value in entry.details.items() if name != "parts"}
        return self.show(
            self.context(
                entry=entry,
                subtitle=f"{kind_words(entry.target_type)} {object_name or entry.target_id}",
                action_words=action_words(entry.action),
                kind_words=kind_words(entry.target_type),
                object_name=object_name,
                tenant_name=tenant.name if tenant is not None else str(entry.tenant_id),
                acted_from=entry.actor_tenant_id not in {None, entry.tenant_id},
                changes=rows_of(entry.before, entry.after),
                facts=facts_of(details),
                parts=[shown_part(part) for part in parts],
                request_url=trail_of(request_id=entry.request_id) if entry.request_id != "-" else "",
                object_url=trail_of(target_type=entry.target_type, target_id=entry.target_id),
                page_url=page_of(entry),
            )
        )


def trail_of(**filters: str) -> str:
    """The address of the trail with these filters."""
    return f"{reverse('audit:trail')}?{urlencode(filters)}"


def page_of(entry: AuditEntry) -> str:
    """The page of the object, for the kinds of ``AUDIT_PAGES``; it says itself who may see it."""
    route = settings.AUDIT_PAGES.get(entry.target_type)
    return reverse(route, args=[entry.target_id]) if route and entry.target_id else ""


def shown_part(part: dict[str, Any]) -> dict[str, Any]:
    """One part of an entry about several services, with its changes and facts in words."""
    changes = rows_of(part.get("before"), part.get("after"))
    words = {"action_words": action_words(part["action"]), "kind_words": kind_words(part.get("target_type", ""))}
    return {**part, **words, "changes": changes, "facts": facts_of(part.get("details"))}


def rows_of(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[tuple[str, str, str, str]]:
    """The table of what changed: field, its words, before, after."""
    old, new = before or {}, after or {}
    names = dict.fromkeys([*old, *new])
    return [(name, field_words(name), shown(old.get(name)), shown(new.get(name))) for name in names]


def facts_of(details: dict[str, Any] | None) -> list[tuple[str, str, str]]:
    """Further facts: name, its words, value. Parts of nested groups are shown as they are stored."""
    return [(name, field_words(name), shown(value)) for name, value in (details or {}).items()]


def shown(value: Any) -> str:
    """A value for people: text as it is, everything else as JSON; empty for nothing."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return yes_or_no(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
