"""``/audio/transcriptions``: the rules of each model, and answers that come from the audio itself (providers §3.1)."""

import asyncio
import itertools
from typing import Any

from aiohttp import web

from emulators.hearing import AudioError, Recording, hear, sentence
from emulators.openai.refusals import Refused, unknown_model
from emulators.openai.settings import Settings
from speechserver.recognisers.base import Segment

LARGEST_BYTES = 25 * 1024 * 1024
EXTENSIONS = {"flac", "mp3", "mp4", "mpeg", "mpga", "m4a", "ogg", "wav", "webm"}
# Models without times, and how long their audio may be.
LONGEST_MS = 1_500_000
DIARIZES_FROM_MS = 30_000
WHISPER_FORMATS = {"json", "text", "srt", "vtt", "verbose_json"}
NAMES = {"en": "english", "he": "hebrew", "de": "german", "fr": "french", "es": "spanish", "ar": "arabic"}


async def transcribe(request: web.Request, settings: Settings) -> web.Response:
    """One transcription."""
    try:
        form = await request.post()
    except web.HTTPRequestEntityTooLarge:
        raise _too_large() from None
    file = form.get("file")
    if not isinstance(file, web.FileField):
        raise Refused(400, "you must provide a file", param="file")
    model = str(form.get("model", ""))
    if model not in settings.audio_models:
        raise unknown_model(settings.flavour, model)
    answers = str(form.get("response_format", "json"))
    granularities = [str(value) for value in form.getall("timestamp_granularities[]", [])]
    _judge(model, answers, granularities, str(form.get("language", "")), settings)
    content = file.file.read()
    if len(content) > LARGEST_BYTES:
        raise _too_large()
    if file.filename.rpartition(".")[2].lower() not in EXTENSIONS:
        raise Refused(400, "Unrecognized file format.", param="file")
    try:
        heard = await asyncio.to_thread(hear, content, mix=True)
    except AudioError:
        text = "The audio file could not be decoded or its format is not supported."
        raise Refused(400, text, param="file") from None
    diarizes = model.endswith("-diarize")
    if model.startswith("gpt-") and heard.duration_ms > LONGEST_MS:
        raise Refused(400, "audio duration is longer than 1500 seconds which is the maximum for this model")
    if diarizes and heard.duration_ms > DIARIZES_FROM_MS and "chunking_strategy" not in form:
        raise Refused(400, "chunking_strategy is required for diarization models", param="chunking_strategy")
    request["entry"].update(
        model=model,
        file=file.filename,
        bytes=len(content),
        audioMs=heard.duration_ms,
        text=heard.text,
        responseFormat=answers,
        language=form.get("language"),
        prompt=form.get("prompt"),
    )
    await asyncio.sleep(settings.delay_ms / 1000)
    return _answer(heard, answers, granularities, str(form.get("language") or settings.spoken), settings)


def _judge(model: str, answers: str, granularities: list[str], language: str, settings: Settings) -> None:
    if model.endswith("-diarize"):
        known = {"json", "text", "diarized_json"}
    elif model.startswith("gpt-"):
        known = {"json", "text"}
    else:
        known = WHISPER_FORMATS - ({"verbose_json"} if settings.lacks_verbose_json else set())
    if answers not in known:
        text = f"response_format '{answers}' is not compatible with model '{model}'."
        raise Refused(400, text, code="unsupported_value", param="response_format")
    if granularities and answers != "verbose_json":
        text = "timestamp_granularities can only be given with verbose_json"
        raise Refused(400, text, param="timestamp_granularities")
    if "word" in granularities and settings.lacks_word_times:
        raise Refused(400, "timestamp_granularities: word is not supported", param="timestamp_granularities")
    if language and language not in NAMES:
        raise Refused(400, f"Invalid language '{language}'.", code="invalid_value", param="language")


def _answer(
    heard: Recording, answers: str, granularities: list[str], language: str, settings: Settings
) -> web.Response:
    segments = list(itertools.chain(*heard.channels))
    text = " ".join(sentence(segment) for segment in segments)
    if answers == "text":
        return web.Response(text=text + "\n")
    if answers in {"srt", "vtt"}:
        return web.Response(text="WEBVTT\n" if answers == "vtt" else "")
    seconds = heard.duration_ms / 1000
    if answers == "json":
        tokens = max(heard.duration_ms // 100, 1)
        usage = {"type": "tokens", "input_tokens": tokens, "output_tokens": len(text) // 4, "total_tokens": tokens}
        return web.json_response({"text": text, "usage": usage})
    body: dict[str, Any] = {
        "task": "transcribe",
        "duration": str(seconds) if settings.flavour == "vllm" else seconds,
        "text": text,
        "usage": {"type": "duration", "seconds": -(-heard.duration_ms // 1000)},
    }
    if answers == "diarized_json":
        body["segments"] = [_diarized(number, segment) for number, segment in enumerate(segments)]
        return web.json_response(body)
    body["language"] = NAMES[language]
    body["segments"] = [_segment(number, segment, settings) for number, segment in enumerate(segments)]
    if "word" in granularities and settings.flavour != "vllm":
        body["words"] = [
            {"word": word.text, "start": word.start_ms / 1000, "end": word.end_ms / 1000}
            for segment in segments
            for word in segment.words
        ]
    return web.json_response(body)


def _segment(number: int, segment: Segment, settings: Settings) -> dict[str, Any]:
    return {
        "id": number,
        "seek": 0,
        "start": segment.words[0].start_ms / 1000,
        "end": segment.words[-1].end_ms / 1000,
        "text": " " + sentence(segment),
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": -1.0 if settings.flavour == "vllm" else -0.1,
        "compression_ratio": 1.0,
        "no_speech_prob": 0.01,
    }


def _diarized(number: int, segment: Segment) -> dict[str, Any]:
    return {
        "type": "transcript.text.segment",
        "id": f"seg_{number}",
        "start": segment.words[0].start_ms / 1000,
        "end": segment.words[-1].end_ms / 1000,
        "text": sentence(segment),
        "speaker": "AB"[number % 2],
    }


def _too_large() -> Refused:
    return Refused(413, "Maximum content size limit (26214400) exceeded", kind="server_error")
