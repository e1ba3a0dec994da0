"""The product's routes, with the clock of the usage pages stopped at the guide's day: ten days before the reset."""

from datetime import UTC, datetime

from django.urls import path

from accounts.permissions import Permission
from accounts.policy import requires
from config.urls import urlpatterns as real
from usage.urls import TENANT, USAGE
from usage.views.statements import StatementPage
from usage.views.usage import TenantUsage, UsageList

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
look = requires(Permission.USAGE_VIEW)

urlpatterns = [
    path(USAGE, look(UsageList.as_view(at=AT))),
    path(TENANT, look(TenantUsage.as_view(at=AT))),
    path(f"{TENANT}statements/<str:period>/", look(StatementPage.as_view(at=AT))),
    *real,
]
