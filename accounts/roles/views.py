"""Pages of roles (Administration > User Management > Roles)."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import Role, User
from accounts.permissions import ALL_CODES, AccessScope, Permission, label_of
from accounts.policy import viewer
from accounts.roles.filters import RoleFilter
from accounts.roles.forms import CloneForm, CompareForm, RoleForm, own_tenants
from accounts.roles.grid import BUTTONS, applied, compared, drawn
from accounts.roles.selectors import is_platform_staff, role_for_pages, roles_with_people, visible_people
from accounts.roles.services import clone_role, delete_role, refusal_to_edit, save_role, use_of
from accounts.roles.tables import RoleTable, RoleUserTable
from core.pages import ConfirmPage, Crumbs, FormPage, ListPage, Page, Text
from tenants.models import Tenant

TITLE = gettext_lazy("Roles")
ROOT: Crumbs = [(gettext_lazy("Administration"), None), (gettext_lazy("User Management"), None)]


def role_crumbs(role: Role | None = None) -> Crumbs:
    """The way to pages below the list, or below a role."""
    crumbs: Crumbs = [*ROOT, (TITLE, reverse("accounts:roles"))]
    return [*crumbs, (str(role), reverse("accounts:role", args=[role.pk]))] if role is not None else crumbs


def tenant_stood_in(user: User) -> Tenant:
    """The tenant viewed, else the own one."""
    return user.viewing or user.tenant


class RoleList(ListPage):
    """The built-in roles and the own ones with how many users have them."""

    title = TITLE
    table_class = RoleTable
    filterset_class = RoleFilter

    def breadcrumbs(self) -> Crumbs:
        """Administration > User Management."""
        return ROOT

    def get_queryset(self) -> QuerySet[Role]:
        """The visible ones."""
        return roles_with_people(viewer(self.request))

    def table_arguments(self) -> dict[str, Any]:
        """Row actions and links for those who may follow them."""
        user = viewer(self.request)
        return {
            "several": is_platform_staff(user),
            "may_edit": user.has(Permission.ROLES_EDIT),
            "people_links": user.has(Permission.USERS_VIEW),
        }

    def actions(self) -> list[dict[str, Any]]:
        """Compare and who has a right; add for those who may."""
        shown: list[dict[str, Any]] = [
            {"label": _("Compare"), "url": reverse("accounts:role_compare"), "icon": "list-details"},
            {"label": _("Who has a right"), "url": reverse("accounts:role_rights"), "icon": "users"},
        ]
        if viewer(self.request).has(Permission.ROLES_EDIT):
            shown.append({"label": _("Add"), "url": reverse("accounts:role_add"), "icon": "plus", "primary": True})
        return shown


class RightHolders(RoleList):
    """The roles that grant the right of the address, and how many users have it by them."""

    title = gettext_lazy("Who has a right")

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return role_crumbs()

    def get_queryset(self) -> QuerySet[Role]:
        """Nothing until a right is chosen."""
        roles = super().get_queryset()
        return roles if self.request.GET.get("code") else roles.none()

    def actions(self) -> list[dict[str, Any]]:
        """None."""
        return []

    def more_context(self) -> dict[str, Any]:
        """The sum over the roles."""
        code = self.request.GET.get("code", "")
        if code not in ALL_CODES:
            return {"intro": _("Choose a right to see the roles that grant it.")}
        number = sum(role.people for role in self.filterset(self.request.GET).qs)  # type: ignore[attr-defined]
        users = ngettext("%(n)s user has", "%(n)s users have", number) % {"n": f"{number:,}"}
        return {"intro": _("%(users)s the right “%(right)s”.") % {"users": users, "right": label_of(code)}}

    def empty(self) -> dict[str, Any]:
        """Before a right is chosen."""
        return {"icon": "key", "title": _("No right is chosen")}


class RoleUsers(ListPage):
    """Who has this role."""

    table_class = RoleUserTable

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the role."""
        super().setup(request, *args, **kwargs)
        self.role = role_for_pages(viewer(request), kwargs["pk"])

    def get_title(self) -> Text:
        """The question."""
        return _("Who has the role “%(name)s”") % {"name": self.role}

    def breadcrumbs(self) -> Crumbs:
        """Below the role."""
        return role_crumbs(self.role)

    def get_queryset(self) -> QuerySet[User]:
        """Of the users that the viewer sees."""
        return visible_people(viewer(self.request)).filter(role=self.role)

    def table_arguments(self) -> dict[str, Any]:
        """The tenant, for those who see several."""
        return {"several": is_platform_staff(viewer(self.request))}

    def empty(self) -> dict[str, Any]:
        """Nobody."""
        return {"icon": "users", "title": _("Nobody has this role")}


class RolePage(FormPage):
    """Add, look at and edit: name, access scope and the grid of rights."""

    form_class = RoleForm
    template_name = "accounts/roles/role.html"
    cancel_url = reverse_lazy("accounts:roles")  # type: ignore[assignment]

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the role of the address."""
        super().setup(request, *args, **kwargs)
        user, pk = viewer(request), kwargs.get("pk")
        self.role = role_for_pages(user, pk) if pk is not None else None
        self.platform = self.role.platform if self.role is not None else is_platform_staff(user)
        self.frozen = ""
        if not user.has(Permission.ROLES_EDIT):
            self.frozen = _("You may look at roles, not change them.")
        elif self.role is not None:
            self.frozen = refusal_to_edit(self.role, self.role.tenant, user)

    def get_title(self) -> Text:
        """The name, or that it is new."""
        return str(self.role) if self.role is not None else _("Add Role")

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return role_crumbs()

    def form_arguments(self) -> dict[str, Any]:
        """The stored values; a new role begins with the narrowest scope."""
        role = self.role
        initial: dict[str, Any] = {"scope": AccessScope.USER, "tenant": tenant_stood_in(viewer(self.request))}
        if role is not None:
            initial = {"name": str(role), "scope": role.reach, "version": role.version, "granted": role.permissions}
        return {"editor": viewer(self.request), "role": role, "frozen": bool(self.frozen), "initial": initial}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Save; or, by one of the buttons of the grid, show the form with other boxes ticked and store nothing."""
        if self.frozen:
            raise PermissionDenied(self.frozen)
        if "apply" not in request.POST:
            return super().post(request, *args, **kwargs)
        ticked = applied(
            request.POST["apply"], self.ticked(request.POST), platform=self.platform, held=viewer(request).rights
        )
        arguments = self.form_arguments()
        typed = {name: request.POST[name] for name in ("name", "scope", "tenant", "version") if name in request.POST}
        arguments["initial"] = {**arguments["initial"], **typed, "granted": ticked}
        return self.show_form(RoleForm(**arguments))

    def ticked(self, posted: Any) -> frozenset[str]:
        """The posted boxes, with the stored ones of rights that the editor lacks: a disabled box is not posted."""
        stored = self.role.permissions if self.role is not None else frozenset()
        return (frozenset(posted.getlist("granted")) & ALL_CODES) | (stored - viewer(self.request).rights)

    def save(self, form: RoleForm) -> HttpResponseBase:
        """Through the service."""
        user, values = viewer(self.request), form.cleaned_data
        tenant = self.role.tenant if self.role is not None else values.get("tenant") or tenant_stood_in(user)
        assert tenant is not None
        saved = save_role(
            role=self.role,
            tenant=tenant,
            name=values["name"],
            scope=values["scope"],
            codes=self.ticked(self.request.POST),
            editor=user,
            version=values.get("version") or 0,
        )
        messages.success(self.request, _("The role “%(name)s” was saved.") % {"name": saved.name})
        return redirect("accounts:role", saved.pk)

    def more_context(self, form: RoleForm) -> dict[str, Any]:
        """The grid, and what one can do with the role."""
        user = viewer(self.request)
        ticked = self.ticked(self.request.POST) if form.is_bound else frozenset(form.initial.get("granted", ()))
        groups = drawn(ticked, platform=self.platform, held=user.rights, frozen=bool(self.frozen))
        lacking = any(box["lacking"] for group in groups for row in group["rows"] for box in row["boxes"])
        context = {"groups": groups, "frozen": self.frozen, "lacking": lacking, "buttons": self.buttons()}
        return context if self.role is None else {**context, "role": self.role, **self.links(user, self.role)}

    def buttons(self) -> list[tuple[str, str, Text]]:
        """Those for the whole grid: value, effect, label."""
        return [(f"all:{what}", what, label) for what, label in BUTTONS]

    def links(self, user: User, role: Role) -> dict[str, str]:
        """Who has it, compare, clone and delete, as far as the viewer may."""
        compare = f"{reverse('accounts:role_compare')}?a={role.pk}"
        urls = {"compare_url": compare}
        if user.has(Permission.USERS_VIEW):
            urls["users_url"] = reverse("accounts:role_users", args=[role.pk])
        if user.has(Permission.ROLES_EDIT):
            urls["clone_url"] = reverse("accounts:role_clone", args=[role.pk])
            if not self.frozen:
                urls["delete_url"] = reverse("accounts:role_delete", args=[role.pk])
        return urls


class RoleClone(FormPage):
    """A copy under another name."""

    form_class = CloneForm

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the role."""
        super().setup(request, *args, **kwargs)
        self.role = role_for_pages(viewer(request), kwargs["pk"])
        self.cancel_url = reverse("accounts:role", args=[self.role.pk])

    def get_title(self) -> Text:
        """Which one is copied."""
        return _("Clone the role “%(name)s”") % {"name": self.role}

    def breadcrumbs(self) -> Crumbs:
        """Below the role."""
        return role_crumbs(self.role)

    def form_arguments(self) -> dict[str, Any]:
        """A name to begin with, and the tenant that suits the role."""
        user = viewer(self.request)
        initial: dict[str, Any] = {"name": (_("Copy of %(name)s") % {"name": self.role})[:80]}
        if is_platform_staff(user):
            initial["tenant"] = self.role.tenant or own_tenants(user).filter(is_system=self.role.platform).first()
        return {"editor": user, "initial": initial}

    def save(self, form: CloneForm) -> HttpResponseBase:
        """Through the service."""
        user, values = viewer(self.request), form.cleaned_data
        tenant = values.get("tenant") or tenant_stood_in(user)
        made = clone_role(role=self.role, tenant=tenant, name=values["name"], editor=user)
        messages.success(self.request, _("The role “%(name)s” was made.") % {"name": made.name})
        return redirect("accounts:role", made.pk)


class RoleDelete(ConfirmPage):
    """Delete an own role that nobody has."""

    template_name = "accounts/roles/delete.html"
    title = gettext_lazy("Delete this role?")
    confirm_label = gettext_lazy("Delete")
    cancel_url = reverse_lazy("accounts:roles")  # type: ignore[assignment]

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the role."""
        super().setup(request, *args, **kwargs)
        user = viewer(request)
        self.role = role_for_pages(user, kwargs["pk"])
        refusal = refusal_to_edit(self.role, self.role.tenant, user)
        if refusal:
            raise PermissionDenied(refusal)

    def breadcrumbs(self) -> Crumbs:
        """Below the role."""
        return role_crumbs(self.role)

    def context(self, **extra: Any) -> dict[str, Any]:
        """Why it cannot go, and the way to those who have the role: they need another one first."""
        extra["refusal"] = use_of(self.role)
        if viewer(self.request).has(Permission.USERS_VIEW) and User.objects.filter(role=self.role).exists():
            extra["users_url"] = reverse("accounts:role_users", args=[self.role.pk])
        return super().context(**extra)

    def message(self) -> Text:
        """Name."""
        return _("The role “%(name)s” is deleted. Nobody has it.") % {"name": self.role.name}

    def act(self) -> Text:
        """Through the service; Conflict while users have it."""
        name = self.role.name
        delete_role(role=self.role, editor=viewer(self.request))
        return _("The role “%(name)s” was deleted.") % {"name": name}


class RoleCompare(Page):
    """Which rights one of two roles has and the other one has not."""

    title = gettext_lazy("Compare roles")
    template_name = "accounts/roles/compare.html"

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return role_crumbs()

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The choice of two, and the difference when both are chosen."""
        both = bool(request.GET.get("a") and request.GET.get("b"))
        form = CompareForm(request.GET if both else None, viewer=viewer(request), initial=request.GET.dict())
        context: dict[str, Any] = {"form": form}
        if both and form.is_valid():
            left, right = form.cleaned_data["a"], form.cleaned_data["b"]
            context |= {
                "left": left,
                "right": right,
                "scopes": [AccessScope(role.reach).label for role in (left, right)],
                "rows": compared(left.permissions, right.permissions),
                "same": len(left.permissions & right.permissions),
            }
        return self.show(self.context(**context), status=400 if form.errors else 200)
