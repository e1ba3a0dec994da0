"""Transcripts in the format json-v2, made of what was heard."""

from collections.abc import Mapping
from typing import Any

from emulators.hearing import Recording
from speechserver.recognisers.base import Segment

# Languages that are written without spaces.
UNSPACED = ("cmn", "ja", "th", "yue")


def results(heard: Recording, config: Mapping[str, Any], language: str) -> list[dict[str, Any]]:
    """Words and full stops of all channels in order of time."""
    by_channel = config.get("diarization") == "channel"
    labels = config.get("channel_diarization_labels") or []
    found: list[dict[str, Any]] = []
    for number, segments in enumerate(heard.channels):
        more: dict[str, Any] = {}
        if by_channel:
            more["channel"] = labels[number] if number < len(labels) else f"channel_{number + 1}"
        for segment in segments:
            found += [item | more for item in _sentence(segment, config, language)]
    return sorted(found, key=lambda item: float(item["start_time"]))


def _sentence(segment: Segment, config: Mapping[str, Any], language: str) -> list[dict[str, Any]]:
    spoken: dict[str, Any] = {"language": language}
    if config.get("diarization") == "speaker":
        spoken["speaker"] = "S1"
    made: list[dict[str, Any]] = []
    for number, word in enumerate(segment.words):
        text = word.text if number else word.text.capitalize()
        made.append(
            {
                "type": "word",
                "start_time": word.start_ms / 1000,
                "end_time": word.end_ms / 1000,
                "alternatives": [{"content": text, "confidence": 0.97, **spoken}],
            }
        )
    overrides = config.get("punctuation_overrides") or {}
    if made and overrides.get("permitted_marks") != []:
        end = made[-1]["end_time"]
        stop = {"content": ".", "confidence": 1.0, **spoken}
        mark = {"type": "punctuation", "is_eos": True, "attaches_to": "previous", "alternatives": [stop]}
        made.append({**mark, "start_time": end, "end_time": end})
    return made


def again(items: list[dict[str, Any]], times: int, length_s: float) -> list[dict[str, Any]]:
    """As if the recording were played so many times in a row."""
    shifts = [number * length_s for number in range(times)]
    return [
        item | {"start_time": item["start_time"] + shift, "end_time": item["end_time"] + shift}
        for shift in shifts
        for item in items
    ]


def transcript(
    job: Mapping[str, Any], heard: Recording, config: Mapping[str, Any], language: str, repeats: int
) -> dict[str, Any]:
    """The whole answer; ``language`` is what its words are in."""
    length_s = heard.duration_ms / 1000
    facts = {name: job[name] for name in ("id", "created_at", "data_name")}
    return {
        "format": "2.9",
        "job": {**facts, "duration": length_s * repeats},
        "metadata": {
            "created_at": job["created_at"],
            "type": "transcription",
            "transcription_config": dict(config),
            "language_pack_info": {
                "word_delimiter": "" if language in UNSPACED else " ",
                "writing_direction": "right-to-left" if language in ("ar", "he", "fa", "ur") else "left-to-right",
            },
        },
        "results": again(results(heard, config, language), repeats, length_s),
    }
