"""AI engines as a family of engines."""

from django.utils.translation import gettext_lazy as _

from aiassistant.registry import engine_types
from engines.families import Family

AI = Family(
    key="ai_engine",
    namespace="aiassistant",
    model_label="aiassistant.AIEngine",
    test_label="aiassistant.AIEngineTest",
    price_label="aiassistant.EnginePrice",
    price_key="ai_price",
    types=engine_types,
    common=("name", "engine_type", "enabled", "visibility", "tenant"),
    context=b"aiassistant.ai_engine",
    text_field="answer",
    text_label=_("ANSWER:"),
    steps={
        "settings": _("Loading engine settings"),
        "answer": _("Waiting for an answer"),
        "structured": _("Asking for structured answers"),
        "usage": _("Counting tokens"),
    },
)
