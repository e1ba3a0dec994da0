"""``kill -9`` of a worker of an AI job at every named point: no execution twice, none lost, no value twice, nothing held."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from conversations.execution_models import ExecutionText
from conversations.field_models import FieldValue
from jobs.models import JobDefinition
from licensing.spending.models import SpendHold, SpendLine
from tenants.doors import enter
from tests.aiassistant.house import House, emulator, house  # noqa: F401
from tests.databases import db  # noqa: F401 - the child sees only what is committed

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120), pytest.mark.xdist_group("asked once")]
CHILD = Path(__file__).with_name("ai_child.py")
ROOT = CHILD.parents[2]
LEASE_S = 2
POINTS = ["admitted", "intent", "asked", "values written", "charged", "stored", "end saved"]


def die_at(job: JobDefinition, address: str, point: str, when: str) -> None:
    """Let a worker run into its trap."""
    env = {**os.environ, "DATABASE_URL": address, "DJANGO_SETTINGS_MODULE": "config.settings.test"}
    env["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, str(CHILD), point, when, str(job.pk)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]


@pytest.mark.parametrize("when", ["before", "after"])
def test_every_task_is_executed_once_wherever_the_worker_dies(house: House, db, when):  # noqa: F811
    """All points on one database, one conversation after the other: each a death of its own."""
    house.both()
    job = house.work()
    JobDefinition.objects.filter(pk=job.pk).update(lease_seconds=LEASE_S)
    for point in POINTS:
        call = house.call()
        die_at(job, db, point, when)
        (record,) = house.finish(call)
        assert record.state == "completed", point
        assert Counter(row.task_key for row in house.executions(call)) == {"mood": 1, "summary": 1}, point
        assert SpendLine.objects.filter(record_id=call.pk).count() == 2, point
        with enter(house.acme):
            assert FieldValue.objects.filter(record_id=call.pk).count() == 2, point
            assert ExecutionText.objects.filter(record_id=call.pk).count() == 2, point
    assert not SpendHold.objects.exists()
