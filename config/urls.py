"""All routes. Paths repeat the menu (screens §4); every route declares its policy (accounts.policy)."""

from django.urls import include, path

urlpatterns = [
    path("", include("core.urls")),
    path("", include("accounts.urls")),
    path("", include("accounts.realms.urls")),
    path("", include("miaop.urls")),
    path("offline-tasks/", include("miaop.pages.urls")),
    path("", include("usage.urls")),
    path("", include("conversations.urls")),
    path("calls/", include("jobs.call_urls")),
    path("administration/", include("licensing.urls")),
    path("administration/", include("tenants.urls")),
    path("administration/", include("audit.urls")),
    path("administration/customization/custom-fields/", include("customfields.urls")),
    path("x/stt-audio/", include("transcription.link_urls")),
    path("administration/jobs/", include("queues.urls")),
    path("administration/system/alerts/", include("alerts.urls")),
    path("administration/system/pairing-server/", include("queues.replication.urls")),
    path("pairing/v1/", include("queues.replication.wire_urls")),
    path("administration/jobs/", include("jobs.queue_urls")),
    path("administration/jobs/", include("jobs.workers.urls")),
    path("administration/speech-analytics/transcription/", include("transcription.urls")),
    path("administration/", include("aiassistant.library.urls")),
    path("administration/speech-analytics/ai-assistant/", include("aiassistant.urls")),
    path("administration/speech-analytics/ai-assistant/", include("aiassistant.rails.urls")),
    path("administration/speech-analytics/", include("jobs.urls")),
]

handler400 = "core.views.bad_request"
handler403 = "core.views.permission_denied"
handler404 = "core.views.page_not_found"
handler500 = "core.views.server_error"
