"""The route of signed addresses of recordings."""

from django.urls import path

from transcription.link_views import linked_audio

app_name = "audio_links"
urlpatterns = [path("<str:token>/<str:name>", linked_audio, name="audio")]
