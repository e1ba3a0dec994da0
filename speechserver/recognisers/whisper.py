"""Optional recogniser: faster-whisper with a model directory of the operator; nothing is ever downloaded."""

from pathlib import Path

import numpy as np
from faster_whisper import WhisperModel  # type: ignore[import-not-found,unused-ignore]

from speechserver.recognisers.base import Progress, Samples, Segment, Word

RATE = 16000


class WhisperRecogniser:
    """A local Whisper model on the CPU; confidence is the model's word probability."""

    def __init__(self, model_path: Path | None) -> None:
        self._model = WhisperModel(str(model_path), device="cpu", compute_type="int8", local_files_only=True)

    def recognise(self, samples: Samples, *, language: str, progress: Progress) -> list[Segment]:
        """Segments of one channel of 16 kHz samples."""
        audio = np.asarray(samples, dtype=np.float32) / 32768
        segments, _ = self._model.transcribe(
            audio, language=language.split("-")[0], word_timestamps=True, vad_filter=True
        )
        found = []
        for segment in segments:
            words = tuple(
                Word(word.word.strip(), round(word.start * 1000), round(word.end * 1000), round(word.probability, 3))
                for word in segment.words or ()
                if word.word.strip()
            )
            if words:
                found.append(Segment(words))
            progress(min(1.0, segment.end * RATE / max(1, len(samples))))
        return found
