"""What is asked of the service: the configuration of a recognition in each version (providers §1.2)."""

from collections.abc import Mapping, Sequence
from typing import Any

from transcription.engines.base import Request
from transcription.engines.google.options import GoogleOptions


def languages_of(options: GoogleOptions, request: Request) -> list[str]:
    """The language and its alternatives, those of the job before those of the engine: the service picks one of them."""
    if request.candidates:
        return list(request.candidates)
    return [request.language, *(tag for tag in options.languages if tag != request.language)]


def config_of(speech: Any, options: GoogleOptions, *, languages: Sequence[str], channels: int, diarized: bool) -> Any:
    """The configuration; ``speech`` is the SDK's module of the version. FLAC says its own encoding and rate."""
    if options.api_version == "v2":
        return _v2(speech, options, languages, channels, diarized)
    config: dict[str, Any] = {
        "language_code": languages[0],
        "model": options.model,
        "use_enhanced": options.use_enhanced,
        "enable_automatic_punctuation": options.punctuate,
        "enable_word_time_offsets": True,
        "audio_channel_count": channels,
        "enable_separate_recognition_per_channel": channels > 1,
    }
    if options.api_version == "v1p1beta1":
        config |= {"enable_word_confidence": True, "alternative_language_codes": languages[1:]}
    if diarized:
        config["diarization_config"] = speech.SpeakerDiarizationConfig(
            enable_speaker_diarization=True, min_speaker_count=2, max_speaker_count=6
        )
    return speech.RecognitionConfig(**config)


def _v2(speech: Any, options: GoogleOptions, languages: Sequence[str], channels: int, diarized: bool) -> Any:
    features: dict[str, Any] = {
        "enable_word_time_offsets": True,
        "enable_word_confidence": True,
        "enable_automatic_punctuation": options.punctuate,
    }
    if channels > 1:
        kind = speech.RecognitionFeatures.MultiChannelMode
        features["multi_channel_mode"] = kind.SEPARATE_RECOGNITION_PER_CHANNEL
    if diarized:
        features["diarization_config"] = speech.SpeakerDiarizationConfig(min_speaker_count=2, max_speaker_count=6)
    return speech.RecognitionConfig(
        auto_decoding_config=speech.AutoDetectDecodingConfig(),
        language_codes=languages,
        model=options.model,
        features=speech.RecognitionFeatures(**features),
    )


def recogniser_of(options: GoogleOptions, key: Mapping[str, Any]) -> str:
    """The full name of the recogniser (v2)."""
    return f"projects/{key['project_id']}/locations/{options.location}/recognizers/{options.recognizer}"
