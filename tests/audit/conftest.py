"""What several tests of the audit trail use: a chain to grow, and a hand that can tamper."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from django.db import connection, transaction

from audit.services import append
from audit.verification import verify_chains


def say(tenant, action="step", **changes) -> None:
    """One entry."""
    said = {"actor": "ada@acme", "target_type": "thing", "target_id": "1", **changes}
    with transaction.atomic():
        append(tenant_id=tenant.pk, action=action, **said)


def grow(tenant, number: int) -> None:
    """Entries of every shape."""
    for step in range(number):
        say(
            tenant,
            action=f"step.{step}",
            details={"n": step, "share": step / 7, "names": ["é", "日本"], "more": {"b": None, "a": True}},
            before={"limit": step} if step % 2 else None,
            after={"limit": step + 1} if step % 2 else None,
            reason="because" if step % 3 else "",
        )


def first_break(tenant_id: uuid.UUID) -> int | None:
    """The position of the first entry of the chain that does not fit, or None when all is well."""
    findings = verify_chains(tenant_id=tenant_id).findings
    return findings[0].position if findings else None


@pytest.fixture
def tampering(db) -> Callable[[], AbstractContextManager]:
    """``with tampering(): …`` – a superuser who switches the walls off; what was done is rolled back at the end."""

    @contextmanager
    def hand() -> Iterator[None]:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL session_replication_role = replica")
            yield
            transaction.set_rollback(True)

    return hand


@pytest.fixture
def checkpoint_file(tmp_path, settings) -> Path:
    """A checkpoint file of the test's own."""
    path = tmp_path / "checkpoints.jsonl"
    settings.AUDIT_CHECKPOINT_FILE = str(path)
    return path
