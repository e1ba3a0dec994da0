"""What tasks and versions cost, how long they take and how often they fail."""

import uuid
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from aiassistant.executing.models import Execution
from aiassistant.library.figures import figures_of_tasks, figures_of_versions
from aiassistant.library.models import AITaskVersion
from aiassistant.models import AIEngine
from aiassistant.rails.charging import charge
from aiassistant.rails.models import DailyOutcome
from tests.aiassistant.library.making import stored_task
from tests.aiassistant.rails.conftest import attempt

pytestmark = pytest.mark.django_db


@pytest.fixture
def task(people):
    return stored_task(people.platform_admin)


def ended(task, tenant, *, latency=100, cost=400, days=0, **more):
    """An execution of the first version."""
    at = timezone.now() - timedelta(days=days)
    values = {"state": "completed", "currency": "EUR", "cost_micros": cost, "latency_ms": latency, **more}
    return Execution.objects.create(
        tenant=tenant,
        record_type="call",
        record_id=uuid.uuid4(),
        task_key=task.key,
        task_label="Mood v1",
        task_version=AITaskVersion.objects.get(task=task).pk,
        started_at=at,
        ended_at=at,
        **values,
    )


def test_a_version_has_the_figures_of_thirty_days_without_the_playground(task, acme, people):
    for number in range(1, 21):
        ended(task, acme, latency=number * 10)
    ended(task, acme, state="failed", latency=9000, cost=800)
    ended(task, acme, days=31, latency=9000)
    ended(task, acme, playground=True, latency=9000, state="failed")
    version = AITaskVersion.objects.get(task=task).pk
    found = figures_of_versions(people.platform_admin, [version, version + 1])
    assert set(found) == {version}
    one = found[version]
    assert (one.executions, one.failed, one.p95_ms, one.cost) == (21, 1, 190, {"EUR": 8800})
    assert (one.each, one.failing) == ("0.000419 EUR", "4.8 %")


def test_figures_are_those_of_the_tenants_that_the_viewer_sees(task, acme, globex, people):
    ended(task, acme)
    ended(task, globex)
    version = AITaskVersion.objects.get(task=task).pk
    assert figures_of_versions(people.platform_admin, [version])[version].executions == 2
    assert figures_of_versions(people.tenant_admin, [version])[version].executions == 1


def test_the_list_shows_what_a_call_costs_and_how_many_fail(task, acme, people, client_for):
    engine = AIEngine.objects.create(name="Model", engine_type="openai")
    charge(acme.pk, [attempt(task, engine), attempt(task, engine)])
    figures = {"engine": engine.pk, "invalid": 0, "skipped": 0, "outputs": 4, "missing": 1}
    today = timezone.localdate()
    DailyOutcome.objects.create(tenant=acme, day=today, task_key=task.key, completed=3, failed=1, **figures)
    found = figures_of_tasks(people.tenant_admin, [task])[task.pk]
    assert (found.executions, found.each, found.failing) == (2, "0.003 EUR", "25.0 %")
    shown = client_for(people.tenant_admin).get(reverse("aitasks:tasks")).content.decode()
    assert "0.003 EUR" in shown
    assert "25.0 %" in shown


def test_the_versions_show_their_figures(task, acme, people, client_for):
    ended(task, acme, latency=1234)
    shown = client_for(people.platform_admin).get(reverse("aitasks:versions", args=[task.pk])).content.decode()
    assert "1,234 ms" in shown
    assert "0.0004 EUR" in shown
