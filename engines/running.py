"""Running a Test Connection in a worker, step by step, so that the page can follow."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from typing import Any

from core.engines import Step
from core.outcomes import EngineError
from engines.families import Family
from engines.selectors import EngineUnusable
from engines.services import claim_test, finish_test, record_steps

logger = logging.getLogger(__name__)
Steps = Callable[[Any], AsyncIterator[Step]]


def run_test(
    family: Family,
    test_id: str,
    *,
    adapter_for: Callable[[Any], Any],
    check: Steps,
    passed: Callable[[Any, Any], None] | None = None,
) -> None:
    """Run a claimed test to its end; every failure becomes a failed step with its class and the provider's words.

    ``check`` gives the steps of an adapter; ``passed`` is called with the engine and its adapter after the last one.
    """
    test = claim_test(family, test_id)
    if test is None:
        return
    steps: list[dict[str, Any]] = []
    try:
        adapter = adapter_for(test.engine)
        with asyncio.Runner() as loop:
            _run_steps(loop, adapter, check, test, steps)
        if passed is not None:
            passed(test.engine, adapter)
    except EngineError as error:
        _fail(test, steps, f"{error.error_class}: {error.message}")
    except EngineUnusable as error:
        _fail(test, steps, str(error))
    except Exception as error:
        logger.exception("Engine test failed unexpectedly")
        _fail(test, steps, f"Unexpected {type(error).__name__}")
    else:
        finish_test(test=test, passed=True)


def _run_steps(loop: asyncio.Runner, adapter: Any, check: Steps, test: Any, steps: list[dict[str, Any]]) -> None:
    """Between two steps the loop stands still, so that the progress can be written."""
    loop.run(adapter.open())
    progress = check(adapter)
    text = ""
    try:
        while (step := loop.run(_next(progress))) is not None:
            _merge(steps, step)
            text = step.text or text
            record_steps(test=test, steps=steps, progress=step.progress, text=text)
    finally:
        loop.run(adapter.close())


async def _next(progress: Any) -> Step | None:
    return await anext(progress, None)


def _merge(steps: list[dict[str, Any]], step: Step) -> None:
    values = {name: value for name, value in asdict(step).items() if name not in {"text", "progress"}}
    if steps and steps[-1]["key"] == step.key:
        steps[-1] = values
    else:
        steps.append(values)


def _fail(test: Any, steps: list[dict[str, Any]], detail: str) -> None:
    if steps and steps[-1]["status"] == "running":
        steps[-1] = {**steps[-1], "status": "failed", "detail": detail}
    else:
        steps.append({"key": "settings", "status": "failed", "detail": detail, "elapsed_ms": 0})
    record_steps(test=test, steps=steps, progress=test.progress, text="")
    finish_test(test=test, passed=False)
