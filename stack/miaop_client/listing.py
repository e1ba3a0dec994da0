"""The list of tasks (E4) and its filter."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from stack.miaop_client.errors import REFUSED, WRONG_USAGE, ClientError
from stack.miaop_client.server import Server


def moment_ms(text: str | None) -> int | None:
    """Epoch milliseconds of an ISO 8601 time, UTC where it names no zone. Raises ClientError."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"{text} is no time: write it like 2026-11-22T09:30 or 2026-11-22"
        raise ClientError(message, exit_code=WRONG_USAGE) from error
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def filter_of(
    *, since: int | None, until: int | None, archived: bool, tenant: str = "", supervisor: str = ""
) -> dict[str, Any]:
    """The filter as the guide writes it; archived tasks are left out unless wanted, as it advises."""
    times = {name: value for name, value in (("$gte", since), ("$lt", until)) if value is not None}
    conditions: list[dict[str, Any]] = []
    if times:
        conditions.append({"extraData.taskUpdateTimeNumeric": times})
    if not archived:
        conditions.append({"extraData.archive": {"$ne": True}})
    if tenant:
        conditions.append({"extraData.tenant": tenant})
    if supervisor:
        conditions.append({"extraData.supervisor.email": supervisor})
    return {"$and": conditions} if conditions else {}


def listed(server: Server, text: str) -> list[dict[str, Any]]:
    """The tasks of a filter, newest first. Raises ClientError."""
    found = server.json("GET", "/api/tasks", params={"filter": text})
    if not isinstance(found, list) or not all(isinstance(task, dict) for task in found):
        raise ClientError("the list of tasks is no array of objects", exit_code=REFUSED)
    return found
