"""Fast transcription: the definition judged, and the answer from what is heard (providers §2.3)."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emulators.azure.problems import Refused
from emulators.hearing import AudioError, Recording, hear, sentence
from speechserver.recognisers.base import Segment

LOCALES = ["ar-IL", "de-DE", "en-GB", "en-US", "es-ES", "fr-FR", "he-IL", "hi-IN", "it-IT", "ja-JP", "nl-NL", "pt-PT"]
LARGEST_BYTES = 250 * 1024 * 1024
LONGEST_MS = 120 * 60_000
Profanity = Literal["None", "Removed", "Tags", "Masked"]


class Diarization(BaseModel):
    """Speakers of one channel."""

    model_config = ConfigDict(extra="forbid")
    enabled: bool = True
    maxSpeakers: Annotated[int, Field(ge=2, le=35)] = 2


class Definition(BaseModel):
    """What may be asked."""

    model_config = ConfigDict(extra="forbid")
    locales: list[str] = []
    models: dict[str, str] = {}
    profanityFilterMode: Profanity = "Masked"
    diarization: Diarization | None = None
    channels: Annotated[list[int], Field(max_length=2)] = []


def definition_of(text: str) -> Definition:
    """The definition of a request. Raises Refused."""
    try:
        asked = Definition.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused("InvalidArgument", f"The definition is invalid: {where}: {first['msg']}") from None
    if unknown := [locale for locale in asked.locales if locale not in LOCALES]:
        message = f"The specified locale is not supported: {unknown[0]}."
        raise Refused("InvalidArgument", message, "InvalidLocale")
    if asked.diarization and asked.diarization.enabled and asked.channels:
        message = "Diarization is not supported when channels are transcribed separately."
        raise Refused("InvalidArgument", message, "InvalidChannels")
    return asked


def transcribed(asked: Definition, content: bytes) -> tuple[Recording, dict[str, Any]]:
    """What is heard, and the answer; blocks. Raises Refused."""
    if len(content) > LARGEST_BYTES:
        raise Refused("InvalidArgument", "The audio is larger than 250 MB.", "InvalidAudioSize")
    try:
        heard = hear(content, mix=not asked.channels)
    except AudioError:
        message = "The audio stream could not be decoded with the provided configuration."
        raise Refused("UnsupportedMediaType", message, "InvalidAudioFormat") from None
    if heard.duration_ms > LONGEST_MS:
        raise Refused("InvalidArgument", "The audio is longer than 120 minutes.", "AudioLengthLimitExceeded")
    if any(channel >= len(heard.channels) for channel in asked.channels):
        raise Refused("InvalidArgument", "A channel is not in the audio.", "InvalidChannels")
    return heard, _answer(asked, heard)


def _answer(asked: Definition, heard: Recording) -> dict[str, Any]:
    speakers = asked.diarization is not None and asked.diarization.enabled
    phrases, combined = [], []
    for number in asked.channels or [0]:
        channel = {"channel": number} if asked.channels else {}
        segments = heard.channels[number]
        combined.append({**channel, "text": " ".join(map(sentence, segments))})
        for place, segment in enumerate(segments):
            speaker = {"speaker": place % 2 + 1} if speakers else {}
            phrases.append({**channel, **speaker, **_phrase(segment, asked)})
    return {"durationMilliseconds": heard.duration_ms, "combinedPhrases": combined, "phrases": phrases}


def _phrase(segment: Segment, asked: Definition) -> dict[str, Any]:
    text, start, end = sentence(segment), segment.words[0].start_ms, segment.words[-1].end_ms
    words = [
        {"text": shown, "offsetMilliseconds": word.start_ms, "durationMilliseconds": word.end_ms - word.start_ms}
        for word, shown in zip(segment.words, text.split(" "), strict=True)
    ]
    return {
        "offsetMilliseconds": start,
        "durationMilliseconds": end - start,
        "text": text,
        "words": words,
        "locale": asked.locales[0] if asked.locales else "en-US",
        "confidence": 0.93,
    }
