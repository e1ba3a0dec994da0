"""Routes of the audit trail."""

from django.urls import path

from audit import views
from core.policy import requires

app_name = "audit"

look = requires("audit_trail.view")

urlpatterns = [
    path("system/audit-trail/", look(views.Trail.as_view()), name="trail"),
    path("system/audit-trail/<int:pk>/", look(views.EntryPage.as_view()), name="entry"),
    path("user-management/tenants/<uuid:pk>/audit/", look(views.TenantTrail.as_view()), name="tenant"),
]
