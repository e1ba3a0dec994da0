"""Decodes the tone words of ``speechserver.tones``; other sounds become evenly timed placeholder words."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechserver.recognisers.base import Progress, Samples, Segment, Word
from speechserver.tones import HIGH_HZ, LOW_HZ, MIN_PAUSE_MS, SLOT_MS, SYMBOLS, TONE_MS, WORD_MS, word_of

RATE = 8000
HOP_MS = 2
# A gap inside a word is 20 ms, between words at least 80; codecs smear edges by up to about 15 ms each.
JOIN_MS = 45
TURN_PAUSE_MS = 600
PLACEHOLDER = "sound"
PLACEHOLDER_MS = 400
MIN_SOUND_MS = 60
TONALITY = 0.6
# Level of full scale 1.0 below which there is silence.
FAINTEST = 0.003


class TonesRecogniser:
    """Fixture words by their tones, with start times good to about 10 ms; confidence is the share of tonal energy."""

    def __init__(self, model_path: Path | None) -> None:
        hop = RATE * HOP_MS // 1000
        self._hop = hop
        moment = np.arange(RATE * TONE_MS // 1000) / RATE
        self._basis = np.exp(-2j * np.pi * np.outer(np.array(LOW_HZ + HIGH_HZ), moment))

    def recognise(self, samples: Samples, *, language: str, progress: Progress) -> list[Segment]:
        """Segments of one channel of 8 kHz samples; the language does not matter."""
        sound = np.asarray(samples, dtype=np.float64) / 32768
        words = [word for start, end in self._groups(sound) for word in self._words(sound, start, end)]
        return _segments(words)

    def _groups(self, sound: NDArray[np.float64]) -> list[tuple[int, int]]:
        """Stretches of sound as (first, last+1) sample, gaps shorter than ``JOIN_MS`` closed."""
        count = len(sound) // self._hop
        if not count:
            return []
        level = np.sqrt(np.mean(sound[: count * self._hop].reshape(count, self._hop) ** 2, axis=1))
        audible = level[level > FAINTEST]
        # What codecs leak from the other channel is much fainter than speech and must not become words.
        floor = 0.25 * float(np.percentile(audible, 90)) if len(audible) else 1.0
        active = np.flatnonzero(level > max(floor, FAINTEST))
        if not len(active):
            return []
        breaks = np.flatnonzero(np.diff(active) * HOP_MS > JOIN_MS)
        starts = active[np.concatenate(([0], breaks + 1))]
        ends = active[np.concatenate((breaks, [len(active) - 1]))] + 1
        return [
            (int(a) * self._hop, int(b) * self._hop)
            for a, b in zip(starts, ends, strict=True)
            if (b - a) * HOP_MS >= MIN_SOUND_MS
        ]

    def _words(self, sound: NDArray[np.float64], start: int, end: int) -> list[Word]:
        length_ms = (end - start) * 1000 // RATE
        if abs(length_ms - WORD_MS) <= MIN_PAUSE_MS:
            best = max(
                (self._read(sound, start + shift * RATE // 1000) for shift in range(-24, 33, 4)), key=lambda x: x[0]
            )
            score, begin, code = best
            if score >= TONALITY:
                begin_ms = begin * 1000 // RATE
                return [Word(word_of(code), begin_ms, begin_ms + WORD_MS, round(min(score, 1.0), 3))]
        first, slots = start * 1000 // RATE, max(1, length_ms // PLACEHOLDER_MS)
        step = length_ms // slots
        return [Word(PLACEHOLDER, first + n * step, first + (n + 1) * step, 0.0) for n in range(slots)]

    def _read(self, sound: NDArray[np.float64], start: int) -> tuple[float, int, int]:
        """Read four symbols from ``start``: (share of the energy explained by them, start, code)."""
        tone, slot = RATE * TONE_MS // 1000, RATE * SLOT_MS // 1000
        span = slot * (SYMBOLS - 1) + tone
        if start < 0 or start + tone > len(sound):
            return 0.0, max(start, 0), 0
        piece = sound[start : start + span]
        if len(piece) < span:
            piece = np.pad(piece, (0, span - len(piece)))
        frames = np.stack([piece[n * slot : n * slot + tone] for n in range(SYMBOLS)])
        power = np.abs(frames @ self._basis.T) ** 2 * (2 / tone)
        low, high = power[:, :4].argmax(axis=1), power[:, 4:].argmax(axis=1)
        rows = np.arange(SYMBOLS)
        explained = float(np.sum(power[rows, low] + power[rows, 4 + high]))
        around = sound[max(0, start - tone // 2) : start + span + tone // 2]
        code = 0
        for symbol in low * 4 + high:
            code = code * 16 + int(symbol)
        return explained / max(float(np.sum(around**2)), 1e-9), start, code


def _segments(words: list[Word]) -> list[Segment]:
    segments: list[list[Word]] = []
    for word in words:
        if segments and word.start_ms - segments[-1][-1].end_ms < TURN_PAUSE_MS:
            segments[-1].append(word)
        else:
            segments.append([word])
    return [Segment(tuple(group)) for group in segments]
