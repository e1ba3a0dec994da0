"""A result as text, SRT or WebVTT, and the sentence rules of ``punctuate``."""

from typing import Any

_SENTENCE_MARKS = '.,!?;:…。，！？；：¿¡"“”„«»()[]'
_ENDS = (".", "!", "?", "…")


def polish(words: list[str], *, punctuate: bool, punctuated: bool) -> list[str]:
    """The words of one segment as they are shown; the number of words never changes.

    ``punctuate`` true: sentence case, "I", a full stop at the end. False: lower case and no sentence punctuation.
    ``punctuated`` says that the recogniser already wrote punctuation, which is then kept.
    """
    if not punctuate:
        return [word.strip(_SENTENCE_MARKS).lower() or word for word in words]
    if punctuated or not words:
        return list(words)
    shown = [_first_person(word) for word in words]
    shown[0] = shown[0][:1].upper() + shown[0][1:]
    if not shown[-1].endswith(_ENDS):
        shown[-1] += "."
    return shown


def _first_person(word: str) -> str:
    if word == "i" or word.startswith("i'"):
        return "I" + word[1:]
    return word


def as_text(result: dict[str, Any]) -> str:
    """One line a segment; with several channels each line begins with its speaker."""
    several = result["channels"] > 1
    lines = [f"{s['speaker']}: {s['text']}" if several else s["text"] for s in result["segments"]]
    return "".join(line + "\n" for line in lines)


def as_srt(result: dict[str, Any]) -> str:
    """SubRip subtitles, one cue a segment."""
    several = result["channels"] > 1
    cues = []
    for number, segment in enumerate(result["segments"], 1):
        text = f"{segment['speaker']}: {segment['text']}" if several else segment["text"]
        cues.append(f"{number}\n{_clock(segment['startMs'], ',')} --> {_clock(segment['endMs'], ',')}\n{text}\n\n")
    return "".join(cues)


def as_vtt(result: dict[str, Any]) -> str:
    """WebVTT with a voice tag per segment; text is escaped."""
    cues = ["WEBVTT\n\n"]
    for segment in result["segments"]:
        text = segment["text"].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        cues.append(
            f"{_clock(segment['startMs'], '.')} --> {_clock(segment['endMs'], '.')}\n<v {segment['speaker']}>{text}\n\n"
        )
    return "".join(cues)


def _clock(ms: int, mark: str) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{mark}{ms:03d}"
