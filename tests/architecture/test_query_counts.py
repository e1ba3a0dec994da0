"""Queries per page against a checked-in baseline: raising a number needs a reason in review.

``PARLANCE_WRITE_BASELINE=1`` writes what was measured. A page that needs fewer fails too, so that what was won stays.
"""

import json
import os
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from aiassistant.library.models import AITask
from aiassistant.library.seeding import load_library
from aiassistant.models import AIEngine
from tenants.doors import enter
from tests.accounts.signing_in import confirmed
from tests.conversations.threads import stored_thread
from tests.jobs.conftest import pipeline, speech, speech_server  # noqa: F401
from tests.miaop.conftest import stored_task

BASELINE = Path(__file__).with_name("query_counts.json")
LIMIT_LIST, LIMIT_DETAIL = 15, 20
TRANSCRIPTION = "/administration/speech-analytics/transcription"
TASKS = "/administration/speech-analytics/ai-assistant/tasks/"


@pytest.mark.django_db
def test_no_page_asks_the_database_more_often_than_its_baseline(pipeline, client_for, people):  # noqa: F811
    calls = [pipeline.call() for _number in range(3)]
    pipeline.finish(*calls)
    with enter(people.agent.tenant):
        thread = stored_thread(people.agent.tenant, username="alan").pk
    offline = stored_task(people.agent.tenant, "t", states=("completed", "failed", "none")).pk
    job, record = pipeline.job.pk, pipeline.record_of(calls[0]).pk
    admin, tenant_admin = client_for(people.platform_admin), client_for(people.tenant_admin)
    ai_engine = AIEngine.objects.create(name="Model", engine_type="offline")
    load_library()
    task, tenant = AITask.objects.get(key="csat"), people.tenant_admin.tenant_id
    pages = {
        "home of the platform admin": (admin, "/"),
        "home of a tenant": (tenant_admin, "/"),
        "dashboard": (tenant_admin, "/dashboard/"),
        "calls": (tenant_admin, "/calls/"),
        "calls, searched": (tenant_admin, "/calls/?q=hello"),
        "call": (tenant_admin, f"/calls/{calls[0].pk}/"),
        "thread": (tenant_admin, f"/calls/{thread}/"),
        "offline tasks": (tenant_admin, "/offline-tasks/"),
        "offline task": (tenant_admin, f"/offline-tasks/{offline}/"),
        "offline task, form": (tenant_admin, "/offline-tasks/submit/"),
        "languages": (admin, f"{TRANSCRIPTION}/languages/"),
        "upload": (tenant_admin, "/calls/upload/"),
        "queues": (admin, "/administration/jobs/processing-queues/"),
        "queue": (admin, f"/administration/jobs/processing-queues/{pipeline.queue.pk}/"),
        "queue, form": (admin, f"/administration/jobs/processing-queues/{pipeline.queue.pk}/edit/"),
        "dead letters": (admin, f"/administration/jobs/processing-queues/{pipeline.queue.pk}/dead-letters/"),
        "engines": (admin, f"{TRANSCRIPTION}/engines/"),
        "engine": (admin, f"{TRANSCRIPTION}/engines/{pipeline.engine.pk}/"),
        "engine overview": (admin, f"{TRANSCRIPTION}/engines/{pipeline.engine.pk}/overview/"),
        "engine calls": (admin, f"{TRANSCRIPTION}/engines/{pipeline.engine.pk}/calls/"),
        "engine prices": (admin, f"{TRANSCRIPTION}/engines/{pipeline.engine.pk}/prices/"),
        "AI engines": (admin, "/administration/speech-analytics/ai-assistant/engines/"),
        "AI engine": (admin, f"/administration/speech-analytics/ai-assistant/engines/{ai_engine.pk}/"),
        "AI engine overview": (
            admin,
            f"/administration/speech-analytics/ai-assistant/engines/{ai_engine.pk}/overview/",
        ),
        "AI prices": (admin, f"/administration/speech-analytics/ai-assistant/engines/{ai_engine.pk}/prices/"),
        "AI default engines": (admin, "/administration/speech-analytics/ai-assistant/engines/defaults/"),
        "AI usage and cost": (admin, "/administration/speech-analytics/ai-assistant/usage/"),
        "AI usage and cost of a tenant": (tenant_admin, "/administration/speech-analytics/ai-assistant/usage/"),
        "AI executions": (admin, "/administration/speech-analytics/ai-assistant/executions/"),
        "AI budgets": (tenant_admin, "/administration/speech-analytics/ai-assistant/budgets/"),
        "AI tasks": (admin, TASKS),
        "AI task": (admin, f"{TASKS}{task.pk}/"),
        "AI task, versions": (admin, f"{TASKS}{task.pk}/versions/"),
        "AI task, playground": (admin, f"{TASKS}{task.pk}/playground/"),
        "AI tasks of a tenant": (tenant_admin, f"/administration/user-management/tenants/{tenant}/ai-tasks/"),
        "offline-task API of a tenant": (
            confirmed(tenant_admin),
            f"/administration/user-management/tenants/{tenant}/offline-tasks/",
        ),
        "jobs": (admin, f"{TRANSCRIPTION}/jobs/"),
        "job": (admin, f"{TRANSCRIPTION}/jobs/{job}/edit/"),
        "latest run": (admin, f"{TRANSCRIPTION}/jobs/{job}/latest-run/"),
        "all runs": (admin, f"{TRANSCRIPTION}/jobs/{job}/runs/"),
        "records": (admin, f"{TRANSCRIPTION}/jobs/{job}/records/"),
        "records by error": (admin, f"{TRANSCRIPTION}/jobs/{job}/records/errors/"),
        "record": (admin, f"{TRANSCRIPTION}/jobs/{job}/records/{record}/"),
        "logs": (admin, f"{TRANSCRIPTION}/jobs/{job}/logs/"),
        "troubleshooting": (admin, f"{TRANSCRIPTION}/jobs/{job}/troubleshooting/"),
        "alerts": (admin, "/administration/system/alerts/"),
        "history of alerts": (admin, "/administration/system/alerts/history/"),
        "pairing server": (admin, "/administration/system/pairing-server/"),
        "conflicts of queues": (admin, "/administration/system/pairing-server/conflicts/"),
        "allowed addresses": (admin, "/administration/system/allowed-addresses/"),
        "custom fields": (tenant_admin, "/administration/customization/custom-fields/"),
        "tenants": (admin, "/administration/user-management/tenants/"),
        "usage of all tenants": (admin, f"{TRANSCRIPTION}/usage/"),
        "usage of a tenant": (tenant_admin, f"{TRANSCRIPTION}/usage/"),
    }
    measured = {}
    for name, (client, path) in pages.items():
        with CaptureQueriesContext(connection) as queries:
            assert client.get(path).status_code == 200, name
        measured[name] = len(queries)
    if os.environ.get("PARLANCE_WRITE_BASELINE"):
        BASELINE.write_text(json.dumps(measured, indent=2) + "\n")
    baseline = json.loads(BASELINE.read_text())
    assert {name: count for name, count in measured.items() if count > baseline.get(name, 0)} == {}
    fewer = {name: count for name, count in measured.items() if count < baseline[name]}
    assert fewer == {}, "lower the baseline"
    details = {
        "call",
        "thread",
        "offline task",
        "record",
        "latest run",
        "engine",
        "engine overview",
        "AI engine",
        "job",
        "queue",
        "queue, form",
    }
    # Home and the walk through a job ask every part of the house once.
    details |= {"home of the platform admin", "troubleshooting", "AI usage and cost"}
    assert {n: c for n, c in measured.items() if c > (LIMIT_DETAIL if n in details else LIMIT_LIST)} == {}


@pytest.mark.django_db
def test_exports_hold_text_and_no_markup(pipeline, client_for, people):  # noqa: F811
    calls = [pipeline.call(), pipeline.call(username="olga")]
    pipeline.finish(*calls)
    admin, tenant_admin = client_for(people.platform_admin), client_for(people.tenant_admin)
    job = f"{TRANSCRIPTION}/jobs/{pipeline.job.pk}"
    lists = [
        (tenant_admin, "/calls/"),
        (admin, "/administration/jobs/processing-queues/"),
        (admin, "/administration/user-management/tenants/"),
        (admin, "/administration/system/allowed-addresses/"),
        *((admin, f"{TRANSCRIPTION}/{name}/") for name in ("engines", "jobs")),
        *((admin, f"{job}/{name}/") for name in ("runs", "records", "logs")),
    ]
    for client, path in lists:
        response = client.get(path, {"format": "csv"})
        body = b"".join(response.streaming_content) if response.streaming else response.content
        text = body.decode()
        assert len(text.splitlines()) >= 2, path
        assert "<" not in text, path
