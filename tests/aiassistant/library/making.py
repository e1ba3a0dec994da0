"""Tasks for the tests."""

from typing import Any

from aiassistant.library.models import AITask
from aiassistant.library.services import save_task
from tests.customfields.making import SCORE, made

SYSTEM = "You judge conversations for {{tenant.name}}."
USER = "Judge:\n{{transcript}}"


def head(key: str = "mood", **more: Any) -> dict[str, Any]:
    """What a task is called."""
    return {"key": key, "title": key.title(), "description": "", "position": 1, "enabled": True, **more}


def content(outputs: Any = None, **more: Any) -> dict[str, Any]:
    """What a task asks."""
    return {
        "applies_to": "any",
        "system_template": SYSTEM,
        "user_template": USER,
        "outputs": [{"name": "answer", "type": "text"}] if outputs is None else outputs,
        "params": {},
        "limits": {},
        "filters": [],
        "overflow": "map_reduce",
        "overwrite": "if_not_edited",
        "engine_ref": None,
        "model": "",
        **more,
    }


def stored_task(editor: Any, key: str = "mood", *, tenant: Any = None, publish: bool = True, **more: Any) -> AITask:
    """A task with one version, in production."""
    return save_task(
        task=None,
        tenant=tenant,
        head=head(key),
        content=content(**more),
        why="",
        publish=publish,
        version=0,
        editor=editor,
    )


def change(task: AITask, editor: Any, *, publish: bool = True, why: str = "", **more: Any) -> AITask:
    """A further version."""
    return save_task(
        task=task,
        tenant=None,
        head=head(task.key, title=task.title),
        content=content(**more),
        why=why,
        publish=publish,
        version=task.version,
        editor=editor,
    )


def score_field(**more: Any) -> Any:
    """A score from −100 to 100."""
    return made("mood_score", "score", settings=SCORE, **more)
