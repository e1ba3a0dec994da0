"""Running a Test Connection of a speech engine in a worker, with a bundled sample."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from engines import running
from transcription.engines.base import AudioSource
from transcription.family import SPEECH
from transcription.links import link_of_sample
from transcription.selectors import adapter_for

SAMPLE = Path(__file__).parent / "engines" / "sample.ogg"
SAMPLE_MS = 3000


def sample_audio() -> AudioSource:
    """The bundled sample: one short English sentence, one channel."""

    def read() -> Iterator[bytes]:
        yield SAMPLE.read_bytes()

    link = partial(link_of_sample, "sample.ogg")
    return AudioSource("sample.ogg", "audio/ogg", SAMPLE.stat().st_size, SAMPLE_MS, 1, read, link)


def run_test(test_id: str) -> None:
    """Run a claimed test to its end."""
    running.run_test(SPEECH, test_id, adapter_for=adapter_for, check=lambda adapter: adapter.check(sample_audio()))
