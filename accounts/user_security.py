"""What an administrator does to the sign-in of somebody else: reset his second factor, end his sessions."""

from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import sessions
from accounts.confirming import RecentlyConfirmed
from accounts.factors import services as factor_services
from accounts.models import User
from accounts.people import demand_other
from accounts.policy import viewer
from core.pages import ConfirmPage, Crumbs, Text
from tenants.selectors import visible_tenants


class UserAction(RecentlyConfirmed, ConfirmPage):
    """On somebody else of a tenant that the viewer sees (404 otherwise), who holds no right that the viewer lacks (403).

    Oneself is refused: the profile has the same, with its own rules about the last factor.
    """

    danger = True

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Load the person."""
        super().setup(request, *args, **kwargs)
        me = viewer(request)
        self.person = get_object_or_404(User, pk=kwargs["pk"], tenant__in=visible_tenants(me))
        demand_other(self.person, me)
        self.cancel_url = _users_url()

    def breadcrumbs(self) -> Crumbs:
        """Below the users."""
        return [(gettext_lazy("Administration"), None), (gettext_lazy("Users"), _users_url())]


class ResetSecondFactor(UserAction):
    """For somebody who lost his second factor."""

    title = gettext_lazy("Reset the second factor?")
    confirm_label = gettext_lazy("Reset")

    def message(self) -> Text:
        """The consequence."""
        return _(
            "All second factors and recovery codes of %(user)s are removed; the password stays. "
            "Make sure that it is really this person who asks."
        ) % {"user": self.person.username}

    def act(self) -> Text:
        """Through the service."""
        factor_services.reset(user=self.person, actor=viewer(self.request).actor)
        return _("The second factor of %(user)s was reset.") % {"user": self.person.username}


class EndSessions(UserAction):
    """Sign somebody out everywhere."""

    title = gettext_lazy("End all sessions?")
    confirm_label = gettext_lazy("End sessions")

    def message(self) -> Text:
        """The consequence."""
        text = _(
            "%(user)s is signed out on all devices at once, and his tokens of the offline-task API are worth nothing."
        )
        return text % {"user": self.person.username}

    def act(self) -> Text:
        """Through the service."""
        count = sessions.revoke_all(user=self.person, actor=viewer(self.request).actor)
        return _("Sessions of %(user)s that have ended: %(count)s.") % {"user": self.person.username, "count": count}


class EndRealmSession(UserAction):
    """End one of somebody's sessions of the offline-task API."""

    title = gettext_lazy("End this session?")
    confirm_label = gettext_lazy("End")

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """One of this person alone."""
        super().setup(request, *args, **kwargs)
        self.session = get_object_or_404(sessions.of_realm(self.person).select_related("user"), pk=kwargs["session_pk"])

    def message(self) -> Text:
        """The consequence."""
        return _("The tokens of %(user)s that belong to it are worth nothing any more.") % {
            "user": self.person.username
        }

    def act(self) -> Text:
        """Through the service."""
        sessions.revoke_realm(session=self.session, actor=viewer(self.request).actor)
        return _("The session has ended.")


def _users_url() -> str:
    # The list of users stands in a higher app, which is named as data only.
    try:
        return reverse("licensing:users")
    except NoReverseMatch:
        return "/"
