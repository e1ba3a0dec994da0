"""A house in which AI jobs run: a stand-in for OpenAI's API, engines, fields, tasks of acme, a job, conversations."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db.models import Value
from django.db.models.functions import Now

from aiassistant.executing.models import Execution
from aiassistant.library.models import AITask, AITaskVersion, TaskActivation, TaskLabel
from aiassistant.models import AIEngine
from aiassistant.services import save_engine
from conversations.field_models import FieldValue
from conversations.metadata import read_metadata
from conversations.models import Call
from conversations.preparing import prepare_transcript
from conversations.services import NewTranscript, ingest_call, store_transcripts
from conversations.threads.reading import read_thread
from conversations.threads.services import import_thread
from core.transcripts import Segment, TranscriptData
from jobs.models import JobDefinition, Record
from jobs.passes.running import run_pass
from jobs.services import save_job
from queues.models import ProcessingQueue
from queues.services import save_queue
from tenants.doors import enter
from tenants.services import allow_address
from tests.customfields.making import SCORE, made
from tests.engines.emulated import Emulator
from tests.engines.standing_in import KEY
from tests.polling import until

SAID = (
    ("Agent", "Thank you for calling, how can I help you today?"),
    ("Customer", "My parcel arrived broken and I am very disappointed. I want a refund for the parcel."),
    ("Agent", "I am sorry to hear that. You will have your refund today, and thank you for telling us."),
    ("Customer", "Thank you, that is quick and very helpful."),
)
SYSTEM = "You judge conversations of a contact centre."
USER = "Judge this conversation of {{call.channel}}:\n{{transcript}}"
SENTIMENT = {
    "name": "sentiment",
    "type": "integer",
    "minimum": -100,
    "maximum": 100,
    "nullable": True,
    "explanation": True,
    "evidence": True,
}
SUMMARY = {"name": "summary", "type": "long_text", "max_length": 400}


@pytest.fixture(scope="session")
def emulator(tmp_path_factory) -> Iterator[Emulator]:
    """One stand-in for all tests of a worker."""
    running = Emulator(tmp_path_factory.mktemp("openai") / "data")
    yield running
    running.stop()


@dataclass
class House:
    """What the tests act on."""

    acme: Any
    system: Any
    emulator: Emulator
    engine: AIEngine
    queue: ProcessingQueue
    fields: dict[str, Any]
    asked_before: int = 0
    job: JobDefinition | None = None
    number: int = 0
    tasks: dict[str, AITask] = field(default_factory=dict)

    def task(self, key: str, outputs: list[dict[str, Any]], *, enabled: bool = True, **changes: Any) -> AITask:
        """A task of the library in production; enabled for acme unless said otherwise."""
        stored = [{**each, "field": self.fields[each["name"]].pk} for each in outputs]
        task = self.tasks.get(key) or AITask.objects.create(key=key, title=key.title(), position=len(self.tasks))
        values = {
            "system_template": SYSTEM,
            "user_template": USER,
            "limits": {"min_words": 1, "min_duration_s": 0},
            "overflow": "map_reduce",
            "overwrite": "always",
            "author": "test",
        }
        number = AITaskVersion.objects.filter(task=task).count() + 1
        version = AITaskVersion.objects.create(task=task, number=number, outputs=stored, **{**values, **changes})
        TaskLabel.objects.update_or_create(task=task, name="production", defaults={"points_to": version})
        TaskActivation.objects.update_or_create(tenant=self.acme, task=task, defaults={"enabled": enabled})
        self.tasks[key] = task
        return task

    def both(self) -> None:
        """The two tasks that most tests need."""
        self.task("mood", [SENTIMENT])
        self.task("summary", [SUMMARY])

    def work(self, **settings: Any) -> JobDefinition:
        """The continuous job."""
        self.job = save_job(
            job=self.job,
            values=job_values(self.queue, {"engine": self.engine.pk, **settings}),
            tenant_groups=[],
            publish_to=[],
            actor="test",
            audit_tenant=self.system,
        )
        return self.job

    def offline(self) -> AIEngine:
        """The built-in engine instead of the stand-in."""
        self.engine = make_engine("offline", {}, {}, self.system, name="Built-in")
        return self.engine

    def call(self, said: Any = SAID, *, version: Any = None, **changes: Any) -> Call:
        """A call with a transcript: what is said by (speaker, text), five seconds each."""
        self.number += 1
        values = {"external_id": f"c-{self.number}", "started_at": "2026-11-20T10:00:00+00:00", **changes}
        with enter(self.acme):
            call = version or ingest_call(
                tenant=self.acme,
                metadata=read_metadata(values),
                audio_path=None,
                label="",
                actor="test",
                source="test",
            )
            segments = tuple(
                Segment(number % 2, who, number * 5000, number * 5000 + 4000, text)
                for number, (who, text) in enumerate(said)
            )
            data = TranscriptData("en", 5000 * max(len(said), 1), "m", segments)
            store(self.acme, call, data)
        return call

    def chat(self) -> Call:
        """A chat of two."""
        self.number += 1
        people = [{"id": "a", "role": "agent", "name": "Alan"}, {"id": "c", "role": "customer", "name": "Carla"}]
        messages = [
            {"sender": "ac"[who == "Customer"], "text": text, "sent_at": f"2026-11-20T10:0{number}:00+00:00"}
            for number, (who, text) in enumerate(SAID)
        ]
        values = {"external_id": f"t-{self.number}", "channel": "chat", "participants": people, "messages": messages}
        with enter(self.acme):
            import_thread(tenant=self.acme, thread=read_thread(values), actor="test", source="test")
            found: Call = Call.objects.get(external_id=f"t-{self.number}")
        return found

    def sweep(self) -> None:
        """One pass, whatever waits."""
        assert self.job is not None
        Record.objects.filter(state="in_progress", lease_until=None).update(next_at=Now(), wait=Value(""))
        run_pass(self.job.pk)

    def finish(self, *calls: Call) -> list[Record]:
        """Pass after pass until the records of the calls have ended."""

        def ended() -> bool:
            self.sweep()
            rows = Record.objects.filter(record_id__in=[call.pk for call in calls]).exclude(state="in_progress")
            return rows.count() == len(calls)

        until(ended, seconds=20, every=0.05)
        return [self.record(call) for call in calls]

    def record(self, call: Call) -> Record:
        """The record of the job."""
        return Record.objects.get(job=self.job, record_id=call.pk)

    def values(self, call: Call) -> dict[str, FieldValue]:
        """The current values of a conversation by the key of their field."""
        names = {custom.pk: key for key, custom in self.fields.items()}
        with enter(self.acme):
            rows = FieldValue.objects.filter(record_id=call.pk, standing="current")
            return {names[row.field_id]: row for row in rows}

    def executions(self, call: Call) -> list[Execution]:
        """Those of a conversation, in their order."""
        return list(Execution.objects.filter(record_id=call.pk).order_by("started_at", "pk"))

    def asked(self) -> int:
        """How many completions the stand-in was asked for."""
        return requests(self.emulator) - self.asked_before


def requests(emulator: Emulator) -> int:
    """How many completions the stand-in was asked for since it runs."""
    return sum(line["method"] == "POST" and "completions" in line["path"] for line in emulator.journal())


def store(tenant: Any, call: Call, data: TranscriptData) -> None:
    """A new version of the transcript."""
    prepared = prepare_transcript(data, data.duration_ms, ())
    store_transcripts(tenant=tenant, items=[NewTranscript(call.pk, prepared, "Engine")])


def make_engine(kind: str, settings: dict[str, Any], secrets: dict[str, str], system: Any, **more: Any) -> AIEngine:
    """A stored engine for all tenants."""
    values = {"name": "Model", "engine_type": kind, "enabled": True, "visibility": "global", "tenant": None, **more}
    return save_engine(
        engine=None,
        values=values,
        settings=settings,
        secrets=secrets,
        tenants=(),
        actor="test",
        audit_tenant=system,
    )


def job_values(queue: ProcessingQueue, settings: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The values of the form of an AI job."""
    return {
        "name": "Ask",
        "kind": "aiassistant",
        "enabled": True,
        "access_scope": "unrestricted",
        "tenant": None,
        "data_source": "queue",
        "source_queue": queue,
        "settings": settings,
        "filters": [],
        "schedule": "continuous",
        "cron": "",
        "time_zone": "UTC",
        "lease_seconds": 5,
        **changes,
    }


def make_queue(system: Any) -> ProcessingQueue:
    """A queue of calls that were transcribed, and of threads."""
    return save_queue(
        queue=None,
        values={
            "name": "Conversations",
            "enabled": True,
            "scope": "global",
            "tenant": None,
            "record_type": "conversation",
            "events": ["call.transcription_completed", "conversation.created", "conversation.updated"],
            "replicate": False,
        },
        tenant_groups=[],
        actor="test",
        audit_tenant=system,
    )


@pytest.fixture
def house(emulator, acme, system, people) -> Iterator[House]:
    """The house, the stand-in without tricks; afterwards they are lifted."""
    port = urlsplit(emulator.url).port
    allow_address(cidr="127.0.0.1/32", port=port, note="tests", actor="test", audit_tenant=system)
    settings = {"base_url": f"{emulator.url}/v1", "model": "gpt-test"}
    engine = make_engine("openai", settings, {"api_key": KEY}, system)
    fields = {
        "sentiment": made("sentiment", "score", settings=SCORE),
        "summary": made("summary", "long_text"),
        "refund": made("refund", "boolean"),
    }
    yield House(acme, system, emulator, engine, make_queue(system), fields, requests(emulator))
    emulator.control("DELETE", "/_emu/settings")
