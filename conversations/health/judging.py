"""The health of a transcript: a score of 0–100 and flags, each with the figure that raised it. Pure functions, no Django.

What is judged is what ``normalise`` left, against the picture of the recording; no audio is decoded for it. The limits
are where a person who reads would begin to doubt; between good and doubtful each measure takes points off the score.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from conversations.health.language import other_language
from conversations.health.repeats import repeats_of
from conversations.health.sound import Sound, Times
from core.transcripts import Segment, TranscriptData

LOW_CONFIDENCE = "low_confidence"
REPETITION = "repetition"
OVER_SILENCE = "over_silence"
LOW_COVERAGE = "low_coverage"
OTHER_LANGUAGE = "other_language"
ONE_SIDED = "one_sided"
FEW_WORDS = "few_words"
FLAGS = (LOW_CONFIDENCE, REPETITION, OVER_SILENCE, LOW_COVERAGE, OTHER_LANGUAGE, ONE_SIDED, FEW_WORDS)

# Mean confidence: from here down points go, and below the second one it is a flag.
CONFIDENT, UNSURE = 0.85, 0.6
LEAST_WORDS = 5
# Share of the words that stand where nothing is heard.
SILENT_SHARE = 0.2
# Share of the loud time that has words: music and noise keep even good transcripts below 1.
COVERED, UNCOVERED = 0.7, 0.4
LEAST_LOUD_MS = 10_000
# A side that is loud for so long without one word; a peak or two are crackling.
LOUD_SIDE_MS, LOUD_SIDE_STEPS = 5_000, 3
# One speaker alone, where the engine tells speakers apart, in so long a call with so many words.
MONO_MS, MONO_WORDS = 60_000, 60
# Words for a minute of sound: people speak 100–180.
SLOW_PER_MINUTE = 30
LEAST_SOUND_MS = 30_000

# How many points the worst case of each takes.
POINTS = {
    LOW_CONFIDENCE: 40,
    REPETITION: 60,
    OVER_SILENCE: 60,
    LOW_COVERAGE: 50,
    OTHER_LANGUAGE: 40,
    ONE_SIDED: 30,
    FEW_WORDS: 50,
}

# Scripts that write no spaces: about two letters are a word.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is known of the recording besides its length: ``peaks`` (0–100, a list a channel), the ``language`` of the
    call (a BCP 47 tag, "" when unknown) and the spans (start, end in ms) of ``hold`` and waiting in the queue."""

    peaks: Sequence[Sequence[int]] = ()
    language: str = ""
    hold: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, slots=True)
class Health:
    """``score`` is 0–100; ``figures`` has the flags that were raised, each with its figure.

    Figures are percent, but: times in a row for ``repetition``, a language code for ``other_language``, seconds without
    a word for ``one_sided`` and words a minute for ``few_words``.
    """

    score: int
    figures: Mapping[str, int | str]


@dataclass(slots=True)
class _Judgement:
    lost: dict[str, float] = field(default_factory=dict)
    figures: dict[str, int | str] = field(default_factory=dict)

    def take(self, flag: str, how_bad: float, figure: int | str, *, raised: bool) -> None:
        """Points for how bad it is (0–1), and the flag when it is raised."""
        self.lost[flag] = POINTS[flag] * min(1.0, max(0.0, how_bad))
        if raised:
            self.figures[flag] = figure


@dataclass(frozen=True, slots=True)
class _Said:
    """Words as columns: when, in which channel, and how many words each span stands for."""

    starts: Times
    ends: Times
    channels: Times
    counts: Times

    @property
    def words(self) -> int:
        return int(self.counts.sum())


def judge(data: TranscriptData, recorded: Recorded) -> Health:
    """Judge a normalised transcript; ``data.duration_ms`` is our own measure. Never raises for what engines answer."""
    said, judgement = _said(data.segments), _Judgement()
    sound = Sound(recorded.peaks, data.duration_ms, recorded.hold)
    _confidence(data.segments, judgement)
    _repetition(data.segments, said.words, judgement)
    text = " ".join(segment.text for segment in data.segments)
    found = other_language(text, said.words, recorded.language)
    judgement.take(OTHER_LANGUAGE, float(found is not None), found or "", raised=found is not None)
    if sound.known:
        _over_silence(said, sound, judgement)
        _coverage(said, sound, judgement)
    _one_sided(data, said, sound, judgement)
    held = sum(max(0, end - start) for start, end in recorded.hold)
    sounding = sound.loud_ms() if sound.known else max(0, data.duration_ms - held)
    _pace(said.words, sounding, judgement)
    return Health(max(0, round(100 - sum(judgement.lost.values()))), judgement.figures)


def _said(segments: Sequence[Segment]) -> _Said:
    rows: list[tuple[int, int, int, int]] = []
    for segment in segments:
        if segment.words:
            rows += [(word.start_ms, word.end_ms, segment.channel, _count(word.text)) for word in segment.words]
        else:
            count = sum(_count(word) for word in segment.text.split())
            rows.append((segment.start_ms, segment.end_ms, segment.channel, count))
    columns = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return _Said(*columns.T)


def _count(text: str) -> int:
    return 1 if text.isascii() else max(1, len(_UNSPACED.findall(text)) // 2)


def _confidence(segments: Sequence[Segment], judgement: _Judgement) -> None:
    known = [word.confidence for segment in segments for word in segment.words if word.confidence is not None]
    if len(known) < LEAST_WORDS:
        return
    mean = sum(known) / len(known)
    judgement.take(
        LOW_CONFIDENCE, (CONFIDENT - mean) / (CONFIDENT - UNSURE / 2), round(mean * 100), raised=mean < UNSURE
    )


def _repetition(segments: Sequence[Segment], words: int, judgement: _Judgement) -> None:
    repeats = repeats_of(segments)
    # Even a short loop in a long call makes one doubt the rest.
    share = 0.25 + 1.5 * repeats.words / words if repeats.times else 0.0
    judgement.take(REPETITION, share, repeats.times, raised=repeats.times > 0)


def _over_silence(said: _Said, sound: Sound, judgement: _Judgement) -> None:
    if not said.words:
        return
    used = {int(channel) for channel in said.channels}
    silent = np.zeros(len(said.starts), dtype=np.bool_)
    # Words in one channel only may be those of both, mixed.
    if sound.channels > 1 and len(used) > 1:
        for channel in used:
            there = said.channels == channel
            silent[there] = sound.silent(said.starts[there], said.ends[there], min(channel, sound.channels - 1))
    else:
        silent = sound.silent(said.starts, said.ends)
    lost = int(said.counts[silent].sum())
    share = lost / said.words
    raised = lost >= LEAST_WORDS and share >= SILENT_SHARE
    judgement.take(OVER_SILENCE, share if lost >= LEAST_WORDS else 0.0, round(share * 100), raised=raised)


def _coverage(said: _Said, sound: Sound, judgement: _Judgement) -> None:
    if sound.loud_ms() < LEAST_LOUD_MS:
        return
    share = sound.covered(said.starts, said.ends)
    judgement.take(LOW_COVERAGE, (COVERED - share) / COVERED, round(share * 100), raised=share < UNCOVERED)


def _one_sided(data: TranscriptData, said: _Said, sound: Sound, judgement: _Judgement) -> None:
    used = {int(channel) for channel in said.channels}
    speakers = {segment.speaker for segment in data.segments if segment.speaker}
    if len(used) != 1 or len(speakers) > 1:
        return
    if sound.channels > 1:
        mute_ms = sound.loud_ms(1 - min(used))
        raised = mute_ms >= max(LOUD_SIDE_MS, LOUD_SIDE_STEPS * sound.step_ms)
        judgement.take(ONE_SIDED, float(raised), round(mute_ms / 1000), raised=raised)
    elif sound.channels == 1 and len(speakers) == 1:
        raised = data.duration_ms >= MONO_MS and said.words >= MONO_WORDS
        judgement.take(ONE_SIDED, raised / 2, round(data.duration_ms / 1000), raised=raised)


def _pace(words: int, sounding_ms: float, judgement: _Judgement) -> None:
    if sounding_ms < LEAST_SOUND_MS:
        return
    pace = words * 60_000 / sounding_ms
    judgement.take(FEW_WORDS, 1 - pace / SLOW_PER_MINUTE, round(pace), raised=pace < SLOW_PER_MINUTE)
