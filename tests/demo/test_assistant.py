"""The AI part of the demo: made once, asked about all that has text, and left alone where people have changed it."""

import pytest

from aiassistant.library.activating import activate_tasks
from aiassistant.library.models import AITask, TaskActivation
from aiassistant.models import AIEngine, DefaultEngine
from audit.models import AuditEntry
from conversations.field_models import FieldValue
from conversations.threads.reading import read_thread
from conversations.threads.services import import_thread
from core.errors import Conflict, InvalidInput
from customfields import services
from customfields.models import CustomField
from customfields.services import set_in_lists
from demo import assistant
from demo.manifest import demo_threads
from demo.selectors import figures
from jobs.models import JobDefinition, Record
from jobs.passes.running import run_pass
from queues.models import ProcessingQueue, QueueItem
from tests.customfields.making import made

pytestmark = pytest.mark.django_db


@pytest.fixture
def set_up(acme, system, people):
    """As ``load_demo`` does it for acme; returns the queue."""
    queue = assistant.make_assistant(system=system, actor="test")
    assistant.enable_tasks(tenant=acme)
    return queue


@pytest.fixture
def thread(acme, inside):
    """The first thread of the demo, imported into acme."""

    def take():
        with inside(acme):
            fields = read_thread(demo_threads("acme")[0] | {"username": "alan"})
            return import_thread(tenant=acme, thread=fields, actor="test", source="test").call_id

    return take


def work() -> None:
    """The AI job until nothing waits."""
    job = JobDefinition.objects.get(name=assistant.JOB)
    for _round in range(10):
        run_pass(job.pk)
        if not QueueItem.objects.exists() and not Record.objects.filter(job=job, state="in_progress").exists():
            return
    raise AssertionError("the job does not end")


def test_a_thread_of_the_demo_gets_summary_sentiment_and_topics_from_the_built_in_engine(set_up, thread, acme, inside):
    found = thread()
    assert figures().to_analyse == 1
    work()
    assert figures().to_analyse == 0
    with inside(acme):
        values = {v.field.key: v for v in FieldValue.objects.filter(record_id=found).select_related("field")}
    assert set(values) == {"summary", "sentiment", "topics"}
    assert values["sentiment"].engine == assistant.ENGINE
    assert -100 <= values["sentiment"].number <= 100
    assert "cancellation" in values["topics"].members


def test_making_it_again_changes_nothing(set_up, acme, system):
    assert set_up is not None

    def counted():
        tables = (AIEngine, DefaultEngine, ProcessingQueue, JobDefinition, TaskActivation, CustomField, AuditEntry)
        return [model.objects.count() for model in tables]

    before = counted()
    assert assistant.make_assistant(system=system, actor="test") is None
    assistant.enable_tasks(tenant=acme)
    assert counted() == before
    assert TaskActivation.objects.filter(tenant=acme, enabled=True).count() == len(assistant.TASKS)


def test_what_people_changed_since_then_stays(set_up, acme, system, people):
    tasks = AITask.objects.filter(key="topics")
    activate_tasks(tenant=acme, tasks=tasks, enabled=False, editor=people.tenant_admin)
    topics = CustomField.objects.filter(key="topics")
    set_in_lists(fields=topics, in_lists=False, editor=people.platform_admin)
    assistant.make_assistant(system=system, actor="test")
    assistant.enable_tasks(tenant=acme)
    assert not TaskActivation.objects.get(tenant=acme, task__key="topics").enabled
    assert not topics.get().in_lists


def test_conversations_of_an_older_demo_are_taken_up_when_the_job_is_made(thread, acme, system, inside):
    found = thread()
    assert figures().to_analyse == 0, "nobody asks, so nothing is waited for"
    queue = assistant.make_assistant(system=system, actor="test")
    assistant.enable_tasks(tenant=acme)
    assistant.take_up(tenant=acme, queue=queue)
    assert figures().to_analyse == 1
    work()
    assert figures().to_analyse == 0
    with inside(acme):
        assert FieldValue.objects.filter(record_id=found).count() == 3


def test_nobody_waits_for_a_job_that_was_switched_off(set_up, thread):
    thread()
    assert figures().to_analyse == 1
    JobDefinition.objects.filter(name=assistant.JOB).update(enabled=False)
    assert figures().to_analyse == 0


def test_sentiment_and_topics_are_columns_by_the_platforms_administrator(set_up, people):
    listed = CustomField.objects.filter(in_lists=True)
    assert {field.key for field in listed} == {"sentiment", "topics"}
    rows = AuditEntry.objects.filter(action="custom_field.changed")
    assert {(row.actor, row.target_id) for row in rows} == {
        (people.platform_admin.actor, str(field.pk)) for field in listed
    }


def test_a_tenant_admin_cannot_make_a_field_of_all_tenants_a_column_and_no_tenant_has_too_many(
    acme, people, monkeypatch
):
    shared, own = made("shared"), made("own", tenant=acme)
    with pytest.raises(Conflict, match="the platform changes it"):
        set_in_lists(fields=[shared], in_lists=True, editor=people.tenant_admin)
    assert set_in_lists(fields=[own], in_lists=True, editor=people.tenant_admin) == 1
    assert set_in_lists(fields=[own], in_lists=True, editor=people.tenant_admin) == 0
    monkeypatch.setattr(services, "MOST_IN_LISTS", 1)
    with pytest.raises(InvalidInput, match="At most 1"):
        set_in_lists(fields=[made("further", tenant=acme)], in_lists=True, editor=people.tenant_admin)
