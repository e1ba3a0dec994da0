"""The routes that every family of engines has."""

from typing import Any

from django.urls import URLPattern, path

from accounts.permissions import Permission
from accounts.policy import requires

look = requires(Permission.ENGINES_VIEW)
edit = requires(Permission.ENGINES_EDIT)


def faring_routes(views: Any) -> list[URLPattern]:
    """How one engine fares, and its prices; ``views`` is the module of a family's pages about that."""
    return [
        path("engines/<int:pk>/overview/", look(views.EngineOverview.as_view()), name="overview"),
        path("engines/<int:pk>/prices/", look(views.PriceList.as_view()), name="prices"),
        path("engines/<int:pk>/prices/add/", edit(views.PriceAdd.as_view()), name="price_add"),
        path("engines/<int:pk>/prices/<int:price_pk>/delete/", edit(views.PriceDelete.as_view()), name="price_delete"),
    ]


def engine_routes(views: Any) -> list[URLPattern]:
    """List, bulk actions, form, questions and tests; ``views`` is the module of a family's pages."""
    return [
        path("engines/", look(views.EngineList.as_view()), name="engines"),
        path("engines/bulk/", edit(views.EngineBulk.as_view()), name="bulk"),
        path("engines/add/", edit(views.EnginePage.as_view()), name="add"),
        path("engines/<int:pk>/", edit(views.EnginePage.as_view()), name="engine"),
        path("engines/<int:pk>/delete/", edit(views.EngineDelete.as_view()), name="delete"),
        path("engines/<int:pk>/resume/", edit(views.EngineResume.as_view()), name="resume"),
        path("engines/<int:pk>/try/", edit(views.EngineTry.as_view()), name="try"),
        path("engines/<int:pk>/trust/", edit(views.EngineTrust.as_view()), name="trust"),
        path("engines/<int:pk>/test/", edit(views.EngineTestStart.as_view()), name="test_start"),
        path("engines/<int:pk>/tests/<uuid:test_pk>/", edit(views.EngineTestPage.as_view()), name="test"),
    ]
