"""Routes of custom fields."""

from django.urls import path

from accounts.permissions import Permission
from accounts.policy import requires
from customfields import views

app_name = "customfields"

look = requires(Permission.CUSTOM_FIELDS_VIEW)
edit = requires(Permission.CUSTOM_FIELDS_EDIT)

urlpatterns = [
    path("", look(views.FieldList.as_view()), name="fields"),
    path("bulk/", edit(views.FieldBulk.as_view()), name="bulk"),
    path("add/", edit(views.FieldPage.as_view()), name="add"),
    path("<int:pk>/", look(views.FieldPage.as_view()), name="field"),
    path("<int:pk>/delete/", edit(views.FieldDelete.as_view()), name="delete"),
]
