"""Pages that open only to somebody whose sign-in, or whose password asked again, is recent."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from accounts import sessions
from core.pages import Page


def to_confirm(request: HttpRequest, target: str = "") -> HttpResponseBase:
    """Lead to the page that asks the password again and goes on to ``target``, by default this page."""
    return redirect(f"{reverse('accounts:confirm')}?{urlencode({'next': target or request.path})}")


class RecentlyConfirmed(Page):
    """A page that changes how somebody signs in; to be named before FormPage and the like.

    Whom the page is refused to at all must have been refused in ``setup`` already.
    """

    def after_confirming(self) -> str:
        """Where to go from the question."""
        return self.request.path

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Lead to the page that asks the password again."""
        if request.method in {"GET", "HEAD", "POST"} and not sessions.confirmed_recently(request):
            return to_confirm(request, self.after_confirming())
        return super().dispatch(request, *args, **kwargs)
