"""The second name of the menu."""

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from tenants.pages import LIST


@require_safe
def tenants_alias(request: HttpRequest) -> HttpResponseBase:
    """Tenant Management > Tenants leads to the one list (domain C32)."""
    return redirect(LIST)
