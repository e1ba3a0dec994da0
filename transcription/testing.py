"""Running a Test Connection in a worker, step by step, so that the page can follow."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.outcomes import EngineError
from transcription.engines.base import AudioSource, SpeechEngine, Step
from transcription.models import EngineTest
from transcription.selectors import EngineUnusable, adapter_for
from transcription.services import claim_test, finish_test, record_steps

SAMPLE = Path(__file__).parent / "engines" / "sample.ogg"
SAMPLE_MS = 3000
logger = logging.getLogger(__name__)


def sample_audio() -> AudioSource:
    """The bundled sample: one short English sentence, one channel."""

    def read() -> Iterator[bytes]:
        yield SAMPLE.read_bytes()

    return AudioSource("sample.ogg", "audio/ogg", SAMPLE.stat().st_size, SAMPLE_MS, 1, read)


def run_test(test_id: str) -> None:
    """Run a claimed test to its end; every failure becomes a failed step with its class and the provider's words."""
    test = claim_test(test_id)
    if test is None:
        return
    steps: list[dict[str, Any]] = []
    try:
        adapter = adapter_for(test.engine)
        with asyncio.Runner() as loop:
            _run_steps(loop, adapter, test, steps)
    except EngineError as error:
        _fail(test, steps, f"{error.error_class}: {error.message}")
    except EngineUnusable as error:
        _fail(test, steps, str(error))
    except Exception as error:
        logger.exception("Engine test failed unexpectedly")
        _fail(test, steps, f"Unexpected {type(error).__name__}")
    else:
        finish_test(test=test, passed=True)


def _run_steps(loop: asyncio.Runner, adapter: SpeechEngine, test: EngineTest, steps: list[dict[str, Any]]) -> None:
    """Between two steps the loop stands still, so that the progress can be written."""
    loop.run(adapter.open())
    progress = adapter.check(sample_audio())
    transcription = ""
    try:
        while (step := loop.run(_next(progress))) is not None:
            _merge(steps, step)
            transcription = step.transcription or transcription
            record_steps(test=test, steps=steps, progress=step.progress, transcription=transcription)
    finally:
        loop.run(adapter.close())


async def _next(progress: Any) -> Step | None:
    return await anext(progress, None)


def _merge(steps: list[dict[str, Any]], step: Step) -> None:
    values = {name: value for name, value in asdict(step).items() if name not in {"transcription", "progress"}}
    if steps and steps[-1]["key"] == step.key:
        steps[-1] = values
    else:
        steps.append(values)


def _fail(test: EngineTest, steps: list[dict[str, Any]], detail: str) -> None:
    if steps and steps[-1]["status"] == "running":
        steps[-1] = {**steps[-1], "status": "failed", "detail": detail}
    else:
        steps.append({"key": "settings", "status": "failed", "detail": detail, "elapsed_ms": 0})
    record_steps(test=test, steps=steps, progress=test.progress, transcription="")
    finish_test(test=test, passed=False)
