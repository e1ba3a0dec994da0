"""Routes of speech engines."""

from engines.urls import engine_routes
from transcription import views

app_name = "transcription"
urlpatterns = engine_routes(views)
