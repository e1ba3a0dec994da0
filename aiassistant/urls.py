"""Routes of AI engines."""

from aiassistant import views
from engines.urls import engine_routes

app_name = "aiassistant"
urlpatterns = engine_routes(views)
