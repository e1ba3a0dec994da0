"""Routes of AI engines."""

from django.urls import path

from aiassistant import views
from aiassistant.configuring import views as configuring
from engines.urls import edit, engine_routes, look

app_name = "aiassistant"
urlpatterns = [
    *engine_routes(views),
    path("engines/<int:pk>/overview/", look(configuring.EngineOverview.as_view()), name="overview"),
    path("engines/<int:pk>/abilities/", edit(configuring.AbilitiesPage.as_view()), name="abilities"),
    path("engines/<int:pk>/prices/", look(configuring.PriceList.as_view()), name="prices"),
    path("engines/<int:pk>/prices/add/", edit(configuring.PriceAdd.as_view()), name="price_add"),
    path(
        "engines/<int:pk>/prices/<int:price_pk>/delete/", edit(configuring.PriceDelete.as_view()), name="price_delete"
    ),
    path("engines/defaults/", look(configuring.DefaultList.as_view()), name="defaults"),
    path("engines/defaults/add/", edit(configuring.DefaultPage.as_view()), name="default_add"),
    path("engines/defaults/<int:pk>/", edit(configuring.DefaultPage.as_view()), name="default"),
    path("engines/defaults/<int:pk>/clear/", edit(configuring.DefaultClear.as_view()), name="default_clear"),
]
