"""Routes of roles; they belong to the namespace of accounts."""

from django.urls import path

from accounts.permissions import Permission
from accounts.policy import requires
from accounts.roles import views

look = requires(Permission.ROLES_VIEW)
edit = requires(Permission.ROLES_EDIT)
people = requires(Permission.USERS_VIEW)

urlpatterns = [
    path("", look(views.RoleList.as_view()), name="roles"),
    path("add/", edit(views.RolePage.as_view()), name="role_add"),
    path("rights/", look(views.RightHolders.as_view()), name="role_rights"),
    path("compare/", look(views.RoleCompare.as_view()), name="role_compare"),
    path("<int:pk>/", look(views.RolePage.as_view()), name="role"),
    path("<int:pk>/users/", look(people(views.RoleUsers.as_view())), name="role_users"),
    path("<int:pk>/clone/", edit(views.RoleClone.as_view()), name="role_clone"),
    path("<int:pk>/delete/", edit(views.RoleDelete.as_view()), name="role_delete"),
]
