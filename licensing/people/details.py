"""One user: details, form, password, sessions and second factor."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import sessions
from accounts.confirming import RecentlyConfirmed
from accounts.factors import services as factors
from accounts.models import Role, User
from accounts.passwords import new_password, set_by_admin
from accounts.people import demand_other
from accounts.permissions import DefaultRole, Permission
from accounts.policy import viewer
from accounts.roles.selectors import is_platform_staff
from accounts.roles.services import refusal_to_manage
from core.errors import NotAllowed
from core.pages import Crumbs, FormPage, Page, Text
from licensing.models import Bundle
from licensing.people.forms import PasswordForm, PersonForm, TenantChoice, initial_of
from licensing.people.selectors import minutes_used, seats_of, user_for_pages
from licensing.people.tables import shown_minutes
from licensing.people.views import user_crumbs
from licensing.seats.effects import SeatsExceeded
from licensing.services import save_person
from tenants.models import Tenant


def place_url(person: User, bundle: Bundle) -> str:
    """Where the user stands among the holders of the licence; user names may hold any character."""
    query = {"bundle": bundle.value, "find": person.username}
    return reverse("licensing:seats", args=[person.tenant_id], query=query)


class AboutUser(Page):
    """Base of the pages about one user of a visible tenant (404 otherwise)."""

    person: User

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the user of the address."""
        super().setup(request, *args, **kwargs)
        self.person = user_for_pages(viewer(request), kwargs["pk"])
        self.cancel_url = reverse("licensing:user", args=[self.person.pk])

    def breadcrumbs(self) -> Crumbs:
        """Below the user."""
        return user_crumbs(self.person)


class UserDetails(AboutUser):
    """Facts, licences with rank and cut, minutes, and what can be done."""

    template_name = "licensing/user.html"

    def get_title(self) -> Text:
        """The full name, else the user name."""
        return str(self.person)

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return user_crumbs()

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page."""
        user, person = viewer(request), self.person
        explains = user.has(Permission.LICENCE_LIMITS_VIEW)
        seats = seats_of(person)
        rows = [
            {
                "label": bundle.label,
                "held": bundle in seats,
                "seat": seats.get(bundle),
                "url": place_url(person, bundle) if explains else "",
            }
            for bundle in Bundle
        ]
        used = minutes_used([person]).get(person.pk, 0)
        return self.show(
            self.context(
                member=person,
                licences=rows,
                minutes=shown_minutes(used),
                sessions=sessions.of(person).count(),
                api_sessions=sessions.of_realm(person),
                factors=list(factors.of(person)),
                several=is_platform_staff(user),
                links=self.links(user),
            )
        )

    def manageable(self, user: User) -> bool:
        """Whether this viewer may touch how the person signs in."""
        other = self.person.pk != user.pk
        return other and not refusal_to_manage(self.person.username, self.person.role, user)

    def links(self, user: User) -> dict[str, str]:
        """Addresses of what this viewer may do."""
        names = []
        if user.has(Permission.USERS_EDIT) or user.has(Permission.LICENCES_ASSIGN):
            names.append("user_edit")
        if user.has(Permission.USERS_EDIT):
            names += ["user_password"] if self.manageable(user) else []
        found = {name: reverse(f"licensing:{name}", args=[self.person.pk]) for name in names}
        if "user_password" in found:
            found["sessions"] = reverse("accounts:user_end_sessions", args=[self.person.pk])
            found["factors"] = reverse("accounts:user_reset_second_factor", args=[self.person.pk])
        if user.has(Permission.AUDIT_VIEW):
            found["audit"] = f"{reverse('audit:trail')}?target_type=user&target_id={self.person.pk}"
        return found


class PersonPage(FormPage):
    """Base of add and edit: the form, and the question before people are left without service."""

    form_class = PersonForm
    template_name = "licensing/user_form.html"
    tenant: Tenant
    person: User | None = None

    def form_arguments(self) -> dict[str, Any]:
        """Who edits whom, and the stored values."""
        initial = initial_of(self.person) if self.person is not None else self.first_values()
        return {"editor": viewer(self.request), "tenant": self.tenant, "user": self.person, "initial": initial}

    def first_values(self) -> dict[str, Any]:
        """A new user is enabled, and has the least of the built-in roles."""
        agent = Role.objects.filter(key=DefaultRole.AGENT).values_list("pk", flat=True).first()
        return {"is_active": True, "role": agent}

    def store(self, form: PersonForm, password: str = "") -> User:
        """Through the service."""
        licences = form.cleaned_data["licences"]
        return save_person(
            user=self.person,
            tenant=self.tenant,
            version=form.cleaned_data.get("version") or 0,
            values=form.values(),
            licences=licences,
            editor=viewer(self.request),
            password=password,
            tenant_groups=form.tenant_groups(),
            confirmed=self.request.POST.get("confirmed", ""),
        )

    def save(self, form: PersonForm) -> HttpResponseBase:
        """Store, or ask first. A refusal stands above the form, which keeps what was typed."""
        try:
            return self.stored(form)
        except NotAllowed as error:
            form.add_error(None, error.message)
            return self.show_form(form, status=403)
        except SeatsExceeded as error:
            # What was typed has to survive the question, the password too; it is shown to nobody else.
            if "password" in form.fields:
                form.fields["password"].widget.render_value = True  # type: ignore[attr-defined]
            question = {"effects": error.effects, "confirmed": error.fingerprint, "submit_label": _("Save anyway")}
            context = self.context(form=form, cancel_url=self.cancel_url, **self.more_context(form))
            return self.show({**context, **question})

    def stored(self, form: PersonForm) -> HttpResponseBase:
        """Store and say where to go."""
        raise NotImplementedError


class InTenant(FormPage):
    """Base of the pages that make users: platform staff see nothing but the choice of the tenant until they made it."""

    tenant: Tenant
    choice: TenantChoice | None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page in the tenant that ``?tenant=`` names (404 when it is not visible), else in the own one."""
        user = viewer(request)
        self.cancel_url = reverse("licensing:users")
        self.choice = TenantChoice(request.GET if "tenant" in request.GET else None, editor=user)
        if not is_platform_staff(user):
            self.choice, self.tenant = None, user.tenant
        elif not self.choice.is_bound:
            known = request.method in {"GET", "HEAD", "POST"}
            return self.choose() if known else self.http_method_not_allowed(request)
        elif not self.choice.is_valid():
            raise Http404
        else:
            self.tenant = self.choice.cleaned_data["tenant"]
        return super().dispatch(request, *args, **kwargs)

    def choose(self) -> HttpResponseBase:
        """Ask in which tenant; a form that was sent without one is refused."""
        posted = self.request.method == "POST"
        self.template_name = "licensing/tenant_choice.html"
        context = self.context(form=self.choice, cancel_url=self.cancel_url, refused=posted)
        return self.show(context, status=422 if posted else 200)

    def breadcrumbs(self) -> Crumbs:
        """Below the list."""
        return user_crumbs()


class UserAdd(InTenant, PersonPage):
    """A new user; platform staff choose the tenant first."""

    title = gettext_lazy("Add User")

    def more_context(self, form: Any) -> dict[str, Any]:
        """Which tenant it is, for those who chose it."""
        return {"of_tenant": self.tenant if self.choice else None}

    def stored(self, form: PersonForm) -> HttpResponseBase:
        """Show a password that was made here once, on this answer and nowhere else."""
        made = "" if form.cleaned_data["password"] else new_password()
        user = self.store(form, form.cleaned_data["password"] or made)
        if not made:
            messages.success(self.request, _("The user “%(name)s” was saved.") % {"name": user.username})
            return redirect("licensing:user", user.pk)
        return show_password(self, user, made)


class UserEdit(AboutUser, PersonPage):  # type: ignore[misc]
    """Change a user."""

    person: User

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """The tenant is the user's."""
        super().setup(request, *args, **kwargs)
        self.tenant = self.person.tenant

    def get_title(self) -> Text:
        """Whom."""
        return _("Edit “%(name)s”") % {"name": self.person.username}

    def stored(self, form: PersonForm) -> HttpResponseBase:
        """Back to the details."""
        user = self.store(form)
        messages.success(self.request, _("The user “%(name)s” was saved.") % {"name": user.username})
        return redirect("licensing:user", user.pk)


class UserPassword(RecentlyConfirmed, AboutUser, FormPage):  # type: ignore[misc]
    """Give somebody else a new password, which he has to change."""

    title = gettext_lazy("Set a new password")
    form_class = PasswordForm

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Nobody's own: that is changed in the profile."""
        super().setup(request, *args, **kwargs)
        demand_other(self.person, viewer(request))

    def more_context(self, form: Any) -> dict[str, Any]:
        """The consequence."""
        text = _("All sessions of “%(name)s” end. The second factor stays. The password must be changed at sign-in.")
        return {"warning": text % {"name": self.person.username}}

    def save(self, form: PasswordForm) -> HttpResponseBase:
        """Through the service."""
        given = form.cleaned_data["password"]
        made = given or new_password()
        set_by_admin(user=self.person, password=made, actor=viewer(self.request).actor)
        if given:
            messages.success(self.request, _("The password was set."))
            return redirect("licensing:user", self.person.pk)
        return show_password(self, self.person, made)


def show_password(page: Page, user: User, password: str) -> HttpResponseBase:
    """The answer that shows a password once; it is stored nowhere but as its hash."""
    page.template_name = "licensing/user_password.html"
    return page.show(Page.context(page, member=user, password=password))
