"""Routes of users, seats, limits and the list of tenants with its figures (Administration > User Management)."""

from django.urls import path

from accounts.permissions import Permission
from accounts.policy import requires
from licensing.limits_pages import views as limits
from licensing.people import details, views
from licensing.people.imports import views as imports
from licensing.seats import tenants as tenant_list
from licensing.seats import views as seats

app_name = "licensing"

USERS = "user-management/users/"
TENANTS = "user-management/tenants/"
TENANT = f"{TENANTS}<uuid:pk>/"
look = requires(Permission.USERS_VIEW)
edit = requires(Permission.USERS_EDIT)
# Who may only assign licences changes nothing else: the form and the service see to that.
change = requires(Permission.USERS_EDIT, Permission.LICENCES_ASSIGN)

urlpatterns = [
    path(USERS, look(views.UserList.as_view()), name="users"),
    path(f"{USERS}bulk/", change(views.UserBulk.as_view()), name="users_bulk"),
    path(f"{USERS}add/", edit(details.UserAdd.as_view()), name="user_add"),
    path(f"{USERS}import/", edit(imports.UserImport.as_view()), name="user_import"),
    path(f"{USERS}<uuid:pk>/", look(details.UserDetails.as_view()), name="user"),
    path(f"{USERS}<uuid:pk>/edit/", change(details.UserEdit.as_view()), name="user_edit"),
    path(f"{USERS}<uuid:pk>/password/", edit(details.UserPassword.as_view()), name="user_password"),
    path(
        f"{TENANT}service-limits/",
        requires(Permission.SERVICE_LIMITS_VIEW)(limits.ServiceLimits.as_view()),
        name="service_limits",
    ),
    path(
        f"{TENANT}service-limits/preview/",
        requires(Permission.SERVICE_LIMITS_VIEW)(limits.ServiceLimitsPreview.as_view()),
        name="service_limits_preview",
    ),
    path(
        f"{TENANT}license-limits/",
        requires(Permission.LICENCE_LIMITS_VIEW)(seats.LicenceLimits.as_view()),
        name="licence_limits",
    ),
    path(f"{TENANT}seats/", requires(Permission.LICENCE_LIMITS_VIEW)(seats.Seats.as_view()), name="seats"),
    path(TENANTS, requires(Permission.TENANTS_VIEW)(tenant_list.TenantList.as_view()), name="tenants"),
    path(f"{TENANTS}bulk/", requires(Permission.TENANTS_EDIT)(tenant_list.TenantBulk.as_view()), name="tenants_bulk"),
]
