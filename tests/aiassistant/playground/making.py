"""Tries for the tests."""

from typing import Any

from aiassistant.library.checking import CONTENT
from aiassistant.library.selectors import production_of
from aiassistant.playground.models import PlaygroundRun
from aiassistant.playground.services import start_run
from aiassistant.playground.trying import run_trial


def asked_of(task: Any, **changes: Any) -> dict[str, Any]:
    """What the version in production asks, with changes."""
    running = production_of(task)
    return {name: getattr(running, name) for name in CONTENT} | changes


def started(task: Any, tenant: Any, editor: Any, *, newest: int | None = 5, wanted: Any = (), **changes: Any) -> Any:
    """A run that waits."""
    return start_run(
        task=task,
        tenant=tenant,
        content=asked_of(task, **changes),
        number=None,
        newest=newest,
        wanted=wanted,
        editor=editor,
    )


def worked(run: PlaygroundRun) -> PlaygroundRun:
    """The run after a worker had it."""
    run_trial(str(run.pk))
    return PlaygroundRun.objects.get(pk=run.pk)
