"""Speech engines as a family of engines."""

from django.utils.translation import gettext_lazy as _

from engines.families import Family
from transcription.registry import engine_types

SPEECH = Family(
    key="speech_engine",
    namespace="transcription",
    model_label="transcription.SpeechEngine",
    test_label="transcription.EngineTest",
    price_label="transcription.SpeechPrice",
    price_key="speech_price",
    types=engine_types,
    common=("name", "engine_type", "enabled", "visibility", "tenant"),
    context=b"transcription.speech_engine",
    text_field="transcription",
    text_label=_("TRANSCRIPTION:"),
    # The guide's words for the steps of a test (domain T10).
    steps={
        "settings": _("Loading engine settings"),
        "upload": _("Uploading file for transcription"),
        "wait": _("Waiting for completion"),
        "cleanup": _("Cleaning up"),
    },
)
