"""Rows of the audit trail about tasks: names and numbers of versions, never prompts (the versions keep those)."""

from typing import Any

from accounts.models import User
from aiassistant.library.models import AITask
from audit.services import append
from tenants.models import Tenant


def record(
    task: AITask, editor: User, action: str, *, tenant: Tenant | None = None, details: Any = None, **more: Any
) -> None:
    """Append inside the caller's transaction: in the chain of the tenant it concerns, for the library in the editor's."""
    concerned = tenant or task.tenant or editor.tenant
    append(
        tenant_id=concerned.pk,
        actor=editor.actor,
        action=action,
        target_type="ai_task",
        target_id=str(task.pk),
        details={"name": task.title, "key": task.key, **(details or {})},
        **more,
    )
