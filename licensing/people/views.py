"""The list of users and what is done with many of them at once."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import User
from accounts.people import set_role
from accounts.permissions import Permission
from accounts.policy import viewer
from accounts.roles.selectors import is_platform_staff
from core.counting import COUNT_LIMIT
from core.errors import Conflict, InvalidInput, NotAllowed
from core.ids import uuids
from core.pages import Crumbs, ListPage, with_query
from licensing.models import Bundle
from licensing.people.filters import UserFilter
from licensing.people.forms import BulkChoice
from licensing.people.selectors import users_for_pages
from licensing.people.tables import UserTable
from licensing.services import licence_effects, set_enabled, set_licence
from tenants.models import Tenant

TITLE = gettext_lazy("Users")
ROOT: Crumbs = [(gettext_lazy("Administration"), None), (gettext_lazy("User Management"), None)]
SAMPLE = 5
# Each action with the right that it needs.
ACTIONS: list[tuple[str, Any, str, str]] = [
    ("licence_add", gettext_lazy("Assign licence"), "plus", Permission.LICENCES_ASSIGN),
    ("licence_remove", gettext_lazy("Remove licence"), "circle-minus", Permission.LICENCES_ASSIGN),
    ("role", gettext_lazy("Set role"), "key", Permission.USERS_EDIT),
    ("enable", gettext_lazy("Enable"), "player-play", Permission.USERS_EDIT),
    ("disable", gettext_lazy("Disable"), "player-pause", Permission.USERS_EDIT),
]


def user_crumbs(user: User | None = None) -> Crumbs:
    """The way to pages below the list, or below a user."""
    crumbs: Crumbs = [*ROOT, (TITLE, reverse("licensing:users"))]
    return crumbs if user is None else [*crumbs, (user.username, reverse("licensing:user", args=[user.pk]))]


class UserList(ListPage):
    """The users of the tenants that the viewer sees, with licences, seats and minutes."""

    title = TITLE
    table_class = UserTable
    filterset_class = UserFilter

    def breadcrumbs(self) -> Crumbs:
        """Administration > User Management."""
        return ROOT

    def get_queryset(self) -> QuerySet[User]:
        """With their licences."""
        return users_for_pages(viewer(self.request))

    def offered(self) -> list[dict[str, Any]]:
        """The bulk actions that this viewer may use."""
        user = viewer(self.request)
        return [
            {"name": name, "label": label, "icon": icon, "danger": name == "disable"}
            for name, label, icon, right in ACTIONS
            if user.has(right)
        ]

    def table_arguments(self) -> dict[str, Any]:
        """The tenant for those who see several; check boxes for those who may change something."""
        return {"several": is_platform_staff(viewer(self.request)), "selectable": bool(self.offered())}

    def bulk_url(self) -> str:
        """The bulk page."""
        return reverse("licensing:users_bulk")

    def more_context(self) -> dict[str, Any]:
        """The offered bulk actions."""
        offered = self.offered()
        url = with_query(self.bulk_url(), self.request.GET) if offered else ""
        return {"bulk_actions": offered, "bulk_url": url}

    def actions(self) -> list[dict[str, Any]]:
        """Import and add, for those who may."""
        user = viewer(self.request)
        if not user.has(Permission.USERS_EDIT):
            return []
        tenant = {"tenant": self.request.GET["tenant"]} if self.request.GET.get("tenant") else {}
        return [
            {"label": _("Import"), "url": reverse("licensing:user_import", query=tenant), "icon": "upload"},
            {"label": _("Add"), "url": reverse("licensing:user_add", query=tenant), "icon": "plus", "primary": True},
        ]

    def chosen(self, posted: QueryDict) -> QuerySet[User]:
        """As every list; users have ids of another kind."""
        if posted.get("all_matching") == "1":
            return super().chosen(posted)
        return self.get_queryset().filter(pk__in=uuids(posted.getlist("selection")[:COUNT_LIMIT]))


class UserBulk(UserList):
    """A change of many users: choose what, see count, five of them and the consequence, confirm."""

    http_method_names = ["post"]
    template_name = "licensing/users_bulk.html"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Ask as long as something is open, then act and go back to the same filters."""
        posted = request.POST.copy()
        self.action = posted.get("action", "")
        self.demand_action()
        if not posted.getlist("selection"):
            posted["all_matching"] = "1"
        users = User.objects.filter(pk__in=self.chosen(posted).order_by().values("pk"))
        self.rows = User.objects.filter(pk__in=list(users.values_list("pk", flat=True)))
        form = self.choice_form(posted)
        if not form.is_valid() or posted.get("confirmed") != "1":
            return self.ask(form, posted)
        try:
            messages.success(request, self.perform(form.cleaned_data))
        except Conflict as error:
            messages.error(request, error.message)
        return HttpResponseRedirect(with_query(reverse("licensing:users"), request.GET))

    def demand_action(self) -> None:
        """Raises InvalidInput for an unknown action, NotAllowed for one that needs another right."""
        rights = {name: right for name, _label, _icon, right in ACTIONS}
        if self.action not in rights:
            raise InvalidInput("action", _("There is no such action."))
        if not viewer(self.request).has(rights[self.action]):
            raise NotAllowed(viewer(self.request).lacking(rights[self.action]))

    def choice_form(self, posted: QueryDict) -> BulkChoice:
        """Which licence or role; unbound until something was chosen."""
        tenants = list(Tenant.objects.filter(pk__in=self.rows.values("tenant")).order_by("name"))
        data = posted if {"licence", "role"} & posted.keys() or self.action in {"enable", "disable"} else None
        return BulkChoice(data, action=self.action, editor=viewer(self.request), tenants=tenants)

    def ask(self, form: BulkChoice, posted: QueryDict) -> HttpResponseBase:
        """The question: count, sample, choice, and with the choice its consequence."""
        label = next(label for name, label, _icon, _right in ACTIONS if name == self.action)
        count = self.rows.count()
        number = ngettext("%(n)s user", "%(n)s users", count) % {"n": f"{count:,}"}
        names = ("action", "all_matching", "selection")
        hidden: list[tuple[str, Any]] = [(name, value) for name in names for value in posted.getlist(name)]
        chosen = form.is_valid()
        if chosen:
            hidden += [(name, posted[name]) for name in form.fields]
            hidden.append(("confirmed", "1"))
        return self.show(
            self.context(
                title=f"{label}: {number}",
                number=number,
                everything=posted.get("all_matching") == "1",
                sample=self.rows.order_by("username_key", "pk")[:SAMPLE],
                more=max(count - SAMPLE, 0),
                form=form,
                chosen=chosen,
                hidden=hidden,
                label=label,
                danger=self.action == "disable",
                cancel_url=with_query(reverse("licensing:users"), self.request.GET),
                **(self.consequence(form.cleaned_data) if chosen else {}),
            ),
            status=422 if form.is_bound and not chosen else 200,
        )

    def consequence(self, choice: dict[str, Any]) -> dict[str, Any]:
        """What it does, and in which tenants people are left without a seat."""
        if self.action in {"enable", "disable"}:
            text = {
                "enable": _("They can sign in again, and count for seats again."),
                "disable": _("They are signed out and cannot sign in. Seats that they had go to the next ones."),
            }[self.action]
            return {"consequence": text}
        if self.action == "role":
            text = _("They get the role “%(role)s” and lose their present one.") % {"role": choice["role"]}
            return {"consequence": text}
        bundle, held = Bundle(choice["licence"]), self.action == "licence_add"
        found = licence_effects(self.rows, bundle, held=held)
        names = dict(Tenant.objects.filter(pk__in=[pk for pk, _effect in found]).values_list("pk", "name"))
        text = _("They get the licence “%(licence)s”.") if held else _("They lose the licence “%(licence)s”.")
        effects = [(names[pk], effect) for pk, effect in found if effect.harmful]
        return {"consequence": text % {"licence": bundle.label}, "effects": effects}

    def perform(self, choice: dict[str, Any]) -> str:
        """Through the services; one audit row a tenant."""
        editor = viewer(self.request)
        if self.action in {"enable", "disable"}:
            changed = set_enabled(users=self.rows, enabled=self.action == "enable", editor=editor)
        elif self.action == "role":
            changed = set_role(users=self.rows, role=choice["role"], editor=editor)
        else:
            bundle, held = Bundle(choice["licence"]), self.action == "licence_add"
            changed = set_licence(users=self.rows, bundle=bundle, held=held, editor=editor)
        return ngettext("%(n)s user changed.", "%(n)s users changed.", changed) % {"n": f"{changed:,}"}
