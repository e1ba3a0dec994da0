"""Routes of speech engines, their figures and prices, and of the table of languages."""

from django.urls import path

from engines.urls import edit, engine_routes, faring_routes, look
from transcription import views
from transcription.configuring import views as configuring
from transcription.journal.pages import Journal
from transcription.languages import views as languages

app_name = "transcription"
urlpatterns = [
    *engine_routes(views),
    *faring_routes(configuring),
    path("engines/<int:pk>/calls/", look(Journal.as_view()), name="calls"),
    path("languages/", look(languages.LanguageList.as_view()), name="languages"),
    path("languages/bulk/", edit(languages.LanguageBulk.as_view()), name="languages_bulk"),
    path("languages/add/", edit(languages.LanguagePage.as_view()), name="language_add"),
    path("languages/<int:pk>/", edit(languages.LanguagePage.as_view()), name="language"),
]
