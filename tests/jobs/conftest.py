"""A pipeline of the tests: a real speech server (tone words), an engine, a queue, a job, and calls of acme."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from conversations.metadata import read_metadata
from conversations.models import Call
from conversations.services import ingest_call
from jobs.models import JobDefinition, Record
from jobs.passes.running import run_pass
from jobs.services import save_job
from licensing.models import Bundle
from licensing.services import grant
from queues.models import ProcessingQueue
from queues.services import save_queue
from speechserver.tones import tone_wav
from tenants.doors import enter
from tenants.models import Tenant
from tenants.services import allow_address
from tests.jobs.chains import chained, engine_b, second, second_server  # noqa: F401
from tests.jobs.pages import job_form
from tests.polling import until
from tests.speechserver.conftest import TOKEN, Server
from transcription.models import SpeechEngine
from transcription.services import save_engine

AGENT_WORDS = ["hello", "you"]
CUSTOMER_WORDS = ["help", "please"]


@pytest.fixture(scope="session")
def speech_server(tmp_path_factory) -> Iterator[Server]:
    """One server process for all tests of a worker."""
    server = Server(tmp_path_factory.mktemp("speech") / "data")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def speech(speech_server) -> Iterator[Server]:
    """The server without faults and without hold; both are lifted afterwards."""
    yield speech_server
    speech_server.control("POST", "/_emu/hold", {"hold": False})
    speech_server.control("DELETE", "/_emu/faults")


@dataclass
class Pipeline:
    """What the tests act on."""

    server: Server
    engine: SpeechEngine
    queue: ProcessingQueue
    job: JobDefinition
    call: Callable[..., Call]

    def record_of(self, call: Call) -> Record:
        """The record that stands for the call."""
        return Record.objects.get(job=self.job, record_id=call.pk)

    def sweep(self) -> None:
        """One pass."""
        run_pass(self.job.pk)

    def finish(self, *calls: Call, seconds: float = 25) -> list[Record]:
        """Pass after pass until every call's record is final; as the tick does it, without Celery."""

        def final() -> bool:
            self.sweep()
            states = Record.objects.filter(job=self.job, record_id__in=[call.pk for call in calls])
            return states.exclude(state=Record.State.IN_PROGRESS).count() == len(calls)

        until(final, seconds=seconds, every=0.2)
        return [self.record_of(call) for call in calls]

    def uploads(self, call: Call) -> list[dict]:
        """What the provider's journal says about submissions of the call's record."""
        reference = f"parlance-{self.record_of(call).pk}-"
        return [
            line
            for line in self.server.control("GET", "/_emu/journal")["entries"]
            if line["method"] == "POST" and str(line.get("ref") or "").startswith(reference)
        ]


@pytest.fixture
def pipeline(speech, acme, people, system, tmp_path) -> Pipeline:
    """Engine, queue, job, and a maker of calls; agents of acme hold the licence, the other agent does not."""
    port = int(speech.url.rsplit(":", 1)[1])
    allow_address(cidr="127.0.0.1/32", port=port, note="tests", actor="test", audit_tenant=system)
    engine = save_engine(
        engine=None,
        values={"name": "Tones", "engine_type": "native_v2", "enabled": True, "visibility": "global", "tenant": None},
        settings={"server_address": speech.url},
        secrets={"token": TOKEN},
        actor="test",
        audit_tenant=system,
    )
    queue = queue_of_recordings("Recorded", system)
    job = save_job(
        job=None,
        values=job_values(engine, queue),
        tenant_groups=[],
        publish_to=[],
        actor="test",
        audit_tenant=system,
    )
    grant(user=people.agent, bundle=Bundle.SPEECH_ANALYTICS, actor="test")
    number = iter(range(1, 1000))

    def call(*, tenant=acme, username="alan", seconds=5, audio: bool | bytes = True, offset=0, **fields) -> Call:
        index = next(number)
        path = None
        if audio:
            path = Path(tmp_path / f"{index}.wav")
            path.write_bytes(audio if isinstance(audio, bytes) else two_channels(seconds, offset=index * 3))
        values = {
            "external_id": f"call-{index}",
            "started_at": "2026-11-20T10:00:00+00:00",
            "username": username,
            "language": "en-US",
            **fields,
        }
        with enter(tenant):
            return ingest_call(
                tenant=tenant,
                metadata=read_metadata(values),
                audio_path=path,
                label=path.name if path else "",
                actor="test",
                source="test",
            )

    return Pipeline(speech, engine, queue, job, call)


@pytest.fixture
def root(client_for, people):
    return client_for(people.platform_admin)


@pytest.fixture
def queue(db):
    return ProcessingQueue.objects.create(name="Calls", events=["call.recording_finished"])


@pytest.fixture
def engine(db):
    return SpeechEngine.objects.create(
        name="Native", engine_type="native_v2", settings={"server_address": "https://93.184.216.34"}
    )


@pytest.fixture
def job(queue, engine):
    return JobDefinition.objects.create(
        name="Transcribe recordings",
        kind="transcription",
        source_queue=queue,
        settings={"engine": engine.pk},
        filters=[{"field": "call.duration", "op": "between", "value": [15, 7200]}],
    )


@pytest.fixture
def values(queue, engine):
    return partial(job_form, queue, engine)


def job_values(engine: SpeechEngine, queue: ProcessingQueue, **changes) -> dict:
    """The values of the job form."""
    values = {
        "name": "Transcribe recordings",
        "kind": "transcription",
        "enabled": True,
        "access_scope": "unrestricted",
        "tenant": None,
        "data_source": "queue",
        "source_queue": queue,
        "settings": {"engine": engine.pk},
        "filters": [
            {"field": "user.license", "op": "is", "value": "speech_analytics"},
            {"field": "call.duration", "op": "between", "value": [2, 7200]},
        ],
        "schedule": "continuous",
        "cron": "",
        "time_zone": "UTC",
        "lease_seconds": 5,
    }
    return values | changes


def queue_of_recordings(name: str, system: Tenant) -> ProcessingQueue:
    """A queue of all tenants that collects calls as their recordings come in."""
    return save_queue(
        queue=None,
        values={
            "name": name,
            "enabled": True,
            "scope": "global",
            "tenant": None,
            "record_type": "call",
            "events": ["call.recording_finished"],
            "replicate": False,
        },
        tenant_groups=[],
        actor="test",
        audit_tenant=system,
    )


def two_channels(seconds: int, offset: int = 0) -> bytes:
    """A call in which both channels say known words; the offset makes the audio different each time."""
    agent = [(200 + offset, AGENT_WORDS[0]), (800 + offset, AGENT_WORDS[1])]
    customer = [(1600 + offset, CUSTOMER_WORDS[0]), (2200 + offset, CUSTOMER_WORDS[1])]
    return tone_wav([agent, customer], duration_ms=max(seconds * 1000, 3000) if seconds >= 3 else None)
