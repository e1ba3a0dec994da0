"""Fixture speech: words as groups of four two-tone symbols, so that a transcript truly depends on the audio.

A word is 4 symbols of 60 ms tone and 20 ms gap; each symbol is one of 16 pairs of a low and a high frequency
(697-1633 Hz), which gives 65 536 words. Between two words lie at least 80 ms of silence. The code survives telephone
codecs. ``w`` and four hex digits is a word of its own; the words of ``WORDS`` have fixed codes.
"""

import io
import wave
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LOW_HZ = (697.0, 770.0, 852.0, 941.0)
HIGH_HZ = (1209.0, 1336.0, 1477.0, 1633.0)
TONE_MS = 60
GAP_MS = 20
SLOT_MS = TONE_MS + GAP_MS
SYMBOLS = 4
WORD_MS = SYMBOLS * SLOT_MS - GAP_MS
MIN_PAUSE_MS = 80
LEAD_OUT_MS = 300

# Order is part of the code: only ever append.
_WORD_TEXT = """
    hello thank you for calling how may i help my name is bill was too high and the account number please one two three
    four five six seven eight nine zero yes no okay sorry invoice payment order delivery late refund cancel contract
    internet phone not working technician tomorrow today week month customer service good morning afternoon bye great
    problem solved manager complaint happy angry price address email password card credit bank date time we will send
    a new to your of it can be there this that with on in at have are do need want would like check minute moment
    transfer hold line agent support
    שלום בוקר טוב מדברת נועה תודה להתראות
"""
WORDS = tuple(_WORD_TEXT.split())
_CODES = {word: code for code, word in enumerate(WORDS)}


def code_of(word: str) -> int:
    """The code of a word. Raises ``ValueError`` for a word that is neither in ``WORDS`` nor ``w`` + 4 hex digits."""
    word = word.lower()
    if word in _CODES:
        return _CODES[word]
    if len(word) == 1 + SYMBOLS and word[0] == "w":
        return int(word[1:], 16)
    raise ValueError(f"no tone word: {word!r}")


def word_of(code: int) -> str:
    """The word of a code; what ``code_of`` understands."""
    return WORDS[code] if code < len(WORDS) else f"w{code:04x}"


def symbols_of(code: int) -> tuple[int, ...]:
    """The four symbols (0-15) of a code, first sounded first."""
    return tuple((code >> shift) & 15 for shift in (12, 8, 4, 0))


def tone_word(word: str, sample_rate: int) -> NDArray[np.float64]:
    """The sound of one word, full scale 1.0, without the pause after it."""
    tone, slot = sample_rate * TONE_MS // 1000, sample_rate * SLOT_MS // 1000
    sound = np.zeros(slot * (SYMBOLS - 1) + tone)
    moment = np.arange(tone) / sample_rate
    ramp = np.minimum(1.0, np.minimum(moment, moment[::-1]) / 0.003)
    for position, symbol in enumerate(symbols_of(code_of(word))):
        low, high = LOW_HZ[symbol >> 2], HIGH_HZ[symbol & 3]
        pair = np.sin(2 * np.pi * low * moment) + np.sin(2 * np.pi * high * moment)
        sound[position * slot : position * slot + tone] = 0.5 * ramp * pair
    return sound


def tone_wav(
    channels: Sequence[Sequence[tuple[int, str]]],
    sample_rate: int = 8000,
    *,
    duration_ms: int | None = None,
    level: float = 0.5,
) -> bytes:
    """A 16-bit WAV file of one or more channels, each a list of (start in ms, word).

    Raises ``ValueError`` for an unknown word and for words nearer than ``WORD_MS + MIN_PAUSE_MS`` to each other.
    ``duration_ms`` sets the length of the file (default: the last word's end and 300 ms).
    """
    last = max((start + WORD_MS for words in channels for start, _ in words), default=0)
    length = last + LEAD_OUT_MS if duration_ms is None else duration_ms
    if length < last:
        raise ValueError("duration_ms is shorter than the words")
    audio = np.zeros((length * sample_rate // 1000, len(channels)))
    for number, words in enumerate(channels):
        free = 0
        for start, word in sorted(words):
            if start < free:
                raise ValueError(f"word {word!r} at {start} ms is too near to the one before it")
            sound = tone_word(word, sample_rate)
            begin = start * sample_rate // 1000
            audio[begin : begin + len(sound), number] += level * sound
            free = start + WORD_MS + MIN_PAUSE_MS
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(len(channels))
        wav.setsampwidth(2)
        wav.setframerate(sample_rate)
        wav.writeframes((audio * 32767).astype("<i2").tobytes())
    return file.getvalue()


def spoken(text: str, start_ms: int = 0, *, step_ms: int = 450) -> list[tuple[int, str]]:
    """The words of a text one after the other, every ``step_ms``, ready for ``tone_wav``."""
    return [(start_ms + number * step_ms, word) for number, word in enumerate(text.split())]
