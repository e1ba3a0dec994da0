"""Routes of AI tasks."""

from django.urls import path

from accounts.permissions import Permission
from accounts.policy import requires
from aiassistant.library import tenant_views, views
from aiassistant.playground import views as playground

app_name = "aitasks"

look = requires(Permission.AI_TASKS_VIEW)
edit = requires(Permission.AI_TASKS_EDIT)
TASKS = "speech-analytics/ai-assistant/tasks/"
TENANT = "user-management/tenants/<uuid:pk>/ai-tasks/"

urlpatterns = [
    path(TASKS, look(views.TaskList.as_view()), name="tasks"),
    path(f"{TASKS}bulk/", edit(views.TaskBulk.as_view()), name="bulk"),
    path(f"{TASKS}add/", edit(views.TaskPage.as_view()), name="add"),
    path(f"{TASKS}<int:pk>/", look(views.TaskPage.as_view()), name="task"),
    path(f"{TASKS}<int:pk>/versions/", look(views.VersionList.as_view()), name="versions"),
    path(f"{TASKS}<int:pk>/compare/", look(views.Compare.as_view()), name="compare"),
    path(f"{TASKS}<int:pk>/versions/<int:number>/restore/", edit(views.Restore.as_view()), name="restore"),
    path(f"{TASKS}<int:pk>/label/", edit(views.Label.as_view()), name="label"),
    path(f"{TASKS}<int:pk>/try/", edit(playground.TryEdits.as_view()), name="try"),
    path(f"{TASKS}<int:pk>/playground/", edit(playground.Playground.as_view()), name="playground"),
    path(f"{TASKS}<int:pk>/playground/<uuid:run>/", look(playground.RunPage.as_view()), name="playground_run"),
    path(
        f"{TASKS}<int:pk>/playground/<uuid:run>/cancel/",
        edit(playground.CancelRun.as_view()),
        name="playground_cancel",
    ),
    path(TENANT, look(tenant_views.TenantTasks.as_view()), name="tenant"),
    path(f"{TENANT}bulk/", edit(tenant_views.TenantTaskBulk.as_view()), name="tenant_bulk"),
    path(f"{TENANT}policy/", edit(tenant_views.Policy.as_view()), name="policy"),
    path(f"{TENANT}<int:task>/estimate/", look(tenant_views.Estimate.as_view()), name="estimate"),
    path(f"{TENANT}<int:task>/compare/", look(tenant_views.OverrideCompare.as_view()), name="override_compare"),
    path(f"{TENANT}<int:task>/override/", edit(tenant_views.Override.as_view()), name="override"),
    path(f"{TENANT}<int:task>/drop/", edit(tenant_views.OverrideDrop.as_view()), name="override_drop"),
]
