"""Routes of conversations."""

from django.urls import path, re_path

from accounts.policy import requires
from conversations import uploads, views
from conversations.bulk import views as bulk
from conversations.bulk.deeds import RIGHTS
from conversations.fields import views as fields

app_name = "conversations"

_UUID = r"(?P<pk>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"

_VALUE = "conversations/<str:record_type>/<uuid:pk>/fields/<int:field>/"
_look_at_fields = requires(*fields.VIEW_FIELDS)
_edit_fields = requires(*fields.EDIT_FIELDS)

urlpatterns = [
    path(_VALUE, _edit_fields(fields.ValuePage.as_view()), name="field"),
    path(f"{_VALUE}unpin/", _edit_fields(fields.ValueUnpin.as_view()), name="field_unpin"),
    path(f"{_VALUE}history/", _look_at_fields(fields.ValueHistory.as_view()), name="field_history"),
    path("calls/", requires(*views.VIEW_CALLS)(views.CallList.as_view()), name="calls"),
    path("calls/bulk/", requires(*RIGHTS)(bulk.CallBulk.as_view()), name="calls_bulk"),
    path("calls/bulk/<uuid:pk>/", requires(*RIGHTS)(bulk.CallBulkPage.as_view()), name="call_bulk"),
    path("calls/upload/", uploads.upload, name="upload"),
    path("calls/<uuid:pk>/", views.call, name="call"),
    path("calls/<uuid:pk>/audio", views.call_audio, name="call_audio"),
    path("calls/<uuid:pk>/peaks.json", views.call_peaks, name="call_peaks"),
    path("calls/<uuid:pk>/words.json", views.call_words, name="call_words"),
    re_path(
        rf"^calls/{_UUID}/transcript\.(?P<extension>txt|srt|vtt|json)\Z", views.call_transcript, name="call_transcript"
    ),
    re_path(rf"^calls/{_UUID}/thread\.(?P<extension>txt|json)\Z", views.call_thread, name="call_thread"),
]
