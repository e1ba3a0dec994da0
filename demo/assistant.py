"""The AI part of the demo: the built-in engine, a queue of conversations with text, one continuous job, three tasks.

Whatever a person has changed since the first load stays: each part is made only while it is missing.
"""

from django.db import transaction

from accounts.models import User
from aiassistant.kind import AIKind
from aiassistant.library.activating import activate_tasks
from aiassistant.library.models import AITask, TaskActivation
from aiassistant.library.seeding import load_library
from aiassistant.models import AIEngine, DefaultEngine, Visibility
from aiassistant.services import save_engine, set_default
from conversations.models import WRITTEN, Call, TranscriptionState
from customfields.models import CustomField
from customfields.services import set_in_lists
from demo.pipelines import make_job, queue_named
from jobs.models import JobDefinition
from queues.events import REQUEUED, Event, RecordType
from queues.models import ProcessingQueue
from queues.services import put
from tenants.doors import enter
from tenants.models import Tenant

ENGINE = "Built-in engine"
QUEUE = "Conversations with text"
JOB = "Ask AI tasks"
EVENTS = (Event.CALL_TRANSCRIPTION_COMPLETED, Event.CONVERSATION_CREATED, Event.CONVERSATION_UPDATED)
TASKS = ("call_summary", "sentiment", "topics")
# The fields of these that are short enough for a column.
LISTED = ("sentiment", "topics")


def make_assistant(*, system: Tenant, actor: str) -> ProcessingQueue | None:
    """Create what is missing; return the queue when its job was made now, so that nothing has been asked yet."""
    load_library()
    engine = _engine(system, actor)
    queue = queue_named(QUEUE, record_type=RecordType.CONVERSATION, events=EVENTS, system=system, actor=actor)
    if JobDefinition.objects.filter(name=JOB).exists():
        return None
    _show_in_lists(system)
    make_job(JOB, kind=AIKind.key, queue=queue, settings={"engine": engine.pk}, filters=[], system=system, actor=actor)
    return queue


def enable_tasks(*, tenant: Tenant) -> None:
    """Switch the tasks on for a demo tenant as its administrator, unless somebody has chosen for the tenant already."""
    if TaskActivation.objects.filter(tenant=tenant).exists():
        return
    editor = User.objects.filter(tenant=tenant, role__key="tenant_admin").order_by("pk").first()
    if editor is not None:
        tasks = AITask.objects.filter(key__in=TASKS, tenant=None, archived_at=None)
        activate_tasks(tenant=tenant, tasks=tasks, enabled=True, editor=editor)


def take_up(*, tenant: Tenant, queue: ProcessingQueue) -> None:
    """Put what was transcribed or imported before there was a queue into it, as after an update of an older demo."""
    with enter(tenant), transaction.atomic():
        demo = Call.objects.filter(external_id__startswith="demo-")
        spoken = demo.filter(transcription_state=TranscriptionState.COMPLETED)
        for record_type, rows in ((RecordType.CALL, spoken), (RecordType.CONVERSATION, demo.filter(WRITTEN))):
            ids = list(rows.values_list("pk", flat=True))
            put(tenant=tenant, queue_ids=[queue.pk], record_type=record_type, record_ids=ids, event=REQUEUED)


def _engine(system: Tenant, actor: str) -> AIEngine:
    engine = AIEngine.objects.filter(name=ENGINE).first()
    if engine is None:
        values = {"name": ENGINE, "engine_type": "offline", "enabled": True}
        values |= {"visibility": Visibility.GLOBAL, "tenant": None}
        engine = save_engine(
            engine=None, values=values, settings={}, secrets={}, tenants=(), actor=actor, audit_tenant=system
        )
        if not DefaultEngine.objects.filter(tenant=None).exists():
            set_default(tenant=None, engine=engine, actor=actor, audit_tenant=system)
    return engine


def _show_in_lists(system: Tenant) -> None:
    """Columns of sentiment and topics, which a newcomer sees at once; as the administrator of the platform."""
    staff = User.objects.filter(tenant=system).order_by("pk")
    editor = next((user for user in staff if user.everywhere), None)
    if editor is not None:
        fields = CustomField.objects.filter(key__in=LISTED, tenant=None, deleted_at=None)
        set_in_lists(fields=fields, in_lists=True, editor=editor)
