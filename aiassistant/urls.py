"""Routes of AI engines."""

from django.urls import path

from aiassistant import views
from aiassistant.configuring import views as configuring
from engines.urls import edit, engine_routes, faring_routes, look

app_name = "aiassistant"
urlpatterns = [
    *engine_routes(views),
    *faring_routes(configuring),
    path("engines/<int:pk>/abilities/", edit(configuring.AbilitiesPage.as_view()), name="abilities"),
    path("engines/defaults/", look(configuring.DefaultList.as_view()), name="defaults"),
    path("engines/defaults/add/", edit(configuring.DefaultPage.as_view()), name="default_add"),
    path("engines/defaults/<int:pk>/", edit(configuring.DefaultPage.as_view()), name="default"),
    path("engines/defaults/<int:pk>/clear/", edit(configuring.DefaultClear.as_view()), name="default_clear"),
]
