"""Transcripts of different lengths, an engine at the stand-in for OpenAI's API, three tasks of the library, an AI job."""

import random
import secrets
import uuid
from datetime import date
from decimal import Decimal
from typing import Any

from accounts.models import Role
from accounts.services import create_user
from aiassistant.library.activating import activate_tasks
from aiassistant.library.models import AITask
from aiassistant.library.seeding import load_library
from aiassistant.models import AIEngine
from aiassistant.services import add_price, save_engine, set_default
from benchmarks.provider import VOCABULARY
from benchmarks.world import ACTOR, Place, add_calls
from conversations.preparing import prepare_transcript
from conversations.services import NewTranscript, store_transcripts
from core.transcripts import Segment, TranscriptData
from jobs.models import JobDefinition
from jobs.services import save_job
from queues.services import save_queue
from tenants.doors import enter
from tenants.models import Tenant
from tenants.services import allow_address

KEY = "sk-bench"
TASKS = ("call_summary", "sentiment", "topics")
WORDS = (250, 1250)
WORDS_A_TURN = 15
MINUTES_MS = 300_000
MODEL = "gpt-test"
# For a million tokens, in EUR; so many millionths a token.
PROMPT_PRICE, ANSWER_PRICE = 0.4, 1.6
# Large batches of one tenant are what the store is made for.
SLICE = 200


def turns_of(seed: int) -> list[tuple[str, str]]:
    """What is said in one conversation, by (role, text)."""
    dice = random.Random(seed)  # noqa: S311
    words = [dice.choice(VOCABULARY) for _word in range(dice.randint(*WORDS))]
    cut = [words[at : at + WORDS_A_TURN] for at in range(0, len(words), WORDS_A_TURN)]
    return [(("agent", "customer")[n % 2], " ".join(turn)) for n, turn in enumerate(cut)]


def add_transcribed(place: Place, number: int, label: str, seed: int) -> list[uuid.UUID]:
    """Calls of five minutes with 250 to 1,250 words each."""
    calls = add_calls(place, number, label, audio_bytes=1000)
    with enter(place.tenant):
        for at in range(0, number, SLICE):
            items = [
                NewTranscript(call, prepare_transcript(_transcript(seed + at + n), MINUTES_MS, ()), "Instant")
                for n, call in enumerate(calls[at : at + SLICE])
            ]
            store_transcripts(tenant=place.tenant, items=items)
    return calls


def _transcript(seed: int) -> TranscriptData:
    said = turns_of(seed)
    step = MINUTES_MS // len(said)
    segments = (Segment(n % 2, who, n * step, (n + 1) * step, text) for n, (who, text) in enumerate(said))
    return TranscriptData("en", MINUTES_MS, "m", tuple(segments))


def make_engine(system: Tenant, address: str, concurrency: int) -> AIEngine:
    """The default engine of the system, with a price."""
    actor: dict[str, Any] = {"actor": ACTOR, "audit_tenant": system}
    allow_address(cidr="127.0.0.1/32", port=int(address.rpartition(":")[2]), note="bench", **actor)
    engine = save_engine(
        engine=None,
        values={"name": "Model", "engine_type": "openai", "enabled": True, "visibility": "global", "tenant": None},
        settings={"base_url": f"{address}/v1", "model": MODEL, "concurrency": concurrency},
        secrets={"api_key": KEY},
        tenants=(),
        **actor,
    )
    price = {
        "input": Decimal(str(PROMPT_PRICE)),
        "cached_input": Decimal("0.1"),
        "output": Decimal(str(ANSWER_PRICE)),
        "batch_factor": Decimal(1),
    }
    add_price(
        engine=engine,
        values={"model_pattern": "*", "valid_from": date(2020, 1, 1), "currency": "EUR", **price},
        **actor,
    )
    set_default(tenant=None, engine=engine, **actor)
    return engine


def switch_on(places: list[Place]) -> None:
    """The tasks of the library for all tenants, by an administrator of each."""
    load_library()
    tasks = list(AITask.objects.filter(key__in=TASKS, tenant=None))
    assert len(tasks) == len(TASKS)
    role = Role.objects.get(key="tenant_admin")
    for place in places:
        admin = create_user(tenant=place.tenant, username="admin", password=secrets.token_hex(), role=role, actor=ACTOR)
        with enter(place.tenant):
            activate_tasks(tenant=place.tenant, tasks=tasks, enabled=True, editor=admin)


def make_ai_job(system: Tenant) -> JobDefinition:
    """A queue of transcribed calls, and the job that asks about them."""
    actor: dict[str, Any] = {"actor": ACTOR, "audit_tenant": system}
    common = {"enabled": True, "tenant": None}
    values = {
        "name": "Transcribed",
        "scope": "global",
        "record_type": "call",
        "events": ["call.transcription_completed"],
        "replicate": False,
    }
    queue = save_queue(queue=None, values={**common, **values}, tenant_groups=[], **actor)
    return save_job(
        job=None,
        values={
            **common,
            "name": "Ask",
            "kind": "aiassistant",
            "access_scope": "unrestricted",
            "data_source": "queue",
            "source_queue": queue,
            "settings": {},
            "filters": [],
            "schedule": "continuous",
            "cron": "",
            "time_zone": "UTC",
        },
        tenant_groups=[],
        publish_to=[],
        **actor,
    )
