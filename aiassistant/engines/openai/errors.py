"""What a refusal means for a prompt."""

from aiassistant.engines.base import ContextOverflow
from core.openai import refusals
from core.openai.refusals import Refusal
from core.outcomes import EngineError


def error_of(refusal: Refusal) -> EngineError:
    """As for all requests, but what is too long for the model is an overflow."""
    if refusal.overflows:
        return ContextOverflow(refusal.text, window=refusal.window)
    return refusals.error_of(refusal)
