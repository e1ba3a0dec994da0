"""Routes of speech engines."""

from django.urls import path

from accounts.permissions import Permission
from accounts.policy import requires
from transcription import views
from transcription.bulk_views import EngineBulk

app_name = "transcription"

look = requires(Permission.ENGINES_VIEW)
edit = requires(Permission.ENGINES_EDIT)

urlpatterns = [
    path("engines/", look(views.EngineList.as_view()), name="engines"),
    path("engines/bulk/", edit(EngineBulk.as_view()), name="bulk"),
    path("engines/add/", edit(views.EnginePage.as_view()), name="add"),
    path("engines/<int:pk>/", edit(views.EnginePage.as_view()), name="engine"),
    path("engines/<int:pk>/delete/", edit(views.EngineDelete.as_view()), name="delete"),
    path("engines/<int:pk>/resume/", edit(views.EngineResume.as_view()), name="resume"),
    path("engines/<int:pk>/try/", edit(views.EngineTry.as_view()), name="try"),
    path("engines/<int:pk>/trust/", edit(views.EngineTrust.as_view()), name="trust"),
    path("engines/<int:pk>/test/", edit(views.EngineTestStart.as_view()), name="test_start"),
    path("engines/<int:pk>/tests/<uuid:test_pk>/", edit(views.EngineTestPage.as_view()), name="test"),
]
