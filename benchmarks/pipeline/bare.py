"""The second peer: a bare asyncio script with the same HTTP calls and the same final rows, and nothing else.

No fences, no intents, no gates, no leases, no checks of what the provider says: what is left is the floor. One process.
``python -m benchmarks.pipeline.bare`` reads a specification (JSON) from its input, says "ready", waits for a line, works.
"""

import asyncio
import sys
import uuid
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import psycopg

from conversations.codec import Packed, pack
from core.files import EncryptedReader
from core.ids import uuid7
from core.transcripts import Segment, TranscriptData, Word

AT_ONCE = 64
BATCH = 250
RETRY_S = 1.0

CALLS = """
SELECT c.id, c.user_id, c.duration_ms, c.language, r.storage_key, r.id
FROM {schema}.conversations_call c JOIN {schema}.conversations_recording r ON r.call_id = c.id
WHERE c.external_id LIKE %s ORDER BY c.id
"""
RECORDS = """
INSERT INTO jobs_record (job_id, tenant_id, record_type, record_id, generation, state, stage, reason, uploads, attempts,
    checks, errors, crashes, fence, next_at, wait, reference, last_error, created_at, first_processed_at,
    last_processed_at, finished_at, mark_due)
SELECT %(job)s, %(tenant)s, 'call', w.call, 1, 'completed', 'done', '', 1, 0, 3, 0, 0, 1, %(at)s, '', w.call::text, '',
    %(at)s, %(at)s, %(at)s, %(at)s, false
FROM unnest(%(calls)s::uuid[]) AS w(call)
RETURNING id, record_id
"""
LEDGER = """
WITH work AS (
    SELECT * FROM unnest(%(records)s::bigint[], %(calls)s::uuid[], %(users)s::uuid[], %(seconds)s::bigint[])
        AS w(record, subject, usr, amount)
), held AS (
    INSERT INTO licensing_reservation (tenant_id, meter, record, generation, subject_id, user_id, engine, language,
        amount, state, trace, at, period, day, zone)
    SELECT %(tenant)s, 'transcription_seconds', record, 1, subject, usr, 'Instant', 'en-US', amount, 'settled',
        '[]', %(at)s, %(period)s, %(day)s, 'UTC' FROM work
), written AS (
    INSERT INTO licensing_entry (tenant_id, meter, step, source, target, amount, record, generation, subject_id,
        user_id, engine, language, period, day, zone, reserved_at, at)
    SELECT %(tenant)s, 'transcription_seconds', s.step, s.source, s.target, amount, record, 1, subject, usr,
        'Instant', 'en-US', %(period)s, %(day)s, 'UTC', %(at)s, %(at)s
    FROM work CROSS JOIN (VALUES ('reserve', 'free', 'reserved'), ('settle', 'reserved', 'used'))
        AS s(step, source, target)
), daily AS (
    INSERT INTO licensing_dailyusage (tenant_id, meter, period, day, user_id, engine, language, used, requests, denied)
    SELECT %(tenant)s, 'transcription_seconds', %(period)s, %(day)s::date, usr, 'Instant', 'en-US', sum(amount),
        count(*), 0 FROM work GROUP BY usr
    ON CONFLICT (tenant_id, meter, period, day, user_id, engine, language) DO UPDATE
        SET used = licensing_dailyusage.used + excluded.used,
            requests = licensing_dailyusage.requests + excluded.requests
), events AS (
    INSERT INTO jobs_recordevent (record_id, generation, at, step, detail)
    SELECT record, 1, %(at)s, s.step, '' FROM work CROSS JOIN (VALUES ('uploaded'), ('completed')) AS s(step)
)
UPDATE licensing_account SET month_used = month_used + sums.amount, life_used = life_used + sums.amount
FROM (SELECT sum(amount) AS amount FROM work) AS sums
WHERE tenant_id = %(tenant)s AND meter = 'transcription_seconds'
"""
TRANSCRIPTS = """
INSERT INTO {schema}.conversations_transcript (id, call_id, version, is_current, engine_name, engine_model, language,
    duration_ms, turn_count, word_count, body, text, created_at)
SELECT w.id, w.call, 1, true, 'Instant', 'instant', 'en-US', w.duration, w.turns, w.words, w.body, w.text, %(at)s
FROM unnest(%(ids)s::uuid[], %(calls)s::uuid[], %(durations)s::bigint[], %(turns)s::int[], %(words)s::int[],
    %(bodies)s::bytea[], %(texts)s::text[]) AS w(id, call, duration, turns, words, body, text)
"""
DONE = """
UPDATE {schema}.conversations_call SET transcription_state = 'completed', transcription_reason = ''
WHERE id = ANY(%(calls)s)
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call to be transcribed."""

    schema: str
    tenant: str
    key: bytes
    call: uuid.UUID
    user: uuid.UUID
    duration_ms: int
    language: str
    storage_key: str
    recording: uuid.UUID


async def _run(spec: dict[str, Any]) -> None:
    async with await psycopg.AsyncConnection.connect(spec["database"]) as connection:
        wanted: list[Wanted] = []
        for tenant in spec["tenants"]:
            rows = await connection.execute(CALLS.format(schema=tenant["schema"]), [spec["label"] + "-%"])  # type: ignore[arg-type]
            wanted += [
                Wanted(tenant["schema"], tenant["id"], bytes.fromhex(tenant["key"]), *row)
                for row in await rows.fetchall()
            ]
        done: asyncio.Queue[tuple[Wanted, Packed]] = asyncio.Queue()
        writer = asyncio.create_task(_write(connection, spec["job"], done, len(wanted)))
        gate = asyncio.Semaphore(AT_ONCE)
        address = f"{spec['provider']}/v2/transcriptions"
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as session:
            media = Path(spec["media"])
            await asyncio.gather(*(_work(session, address, gate, media, one, done) for one in wanted))
        await writer


async def _work(
    session: aiohttp.ClientSession,
    address: str,
    gate: asyncio.Semaphore,
    media: Path,
    wanted: Wanted,
    done: "asyncio.Queue[tuple[Wanted, Packed]]",
) -> None:
    async with gate:
        stored = BytesIO((media / wanted.storage_key).read_bytes())
        audio = EncryptedReader(stored, wanted.key, wanted.recording.bytes).readall()
        form = aiohttp.FormData()
        form.add_field("config", orjson.dumps({"language": wanted.language}), content_type="application/json")
        form.add_field("audio", audio, filename="call.ogg", content_type="audio/ogg")
        headers = {"Idempotency-Key": str(wanted.call)}
        async with session.post(address, data=form, headers=headers) as response:
            job = orjson.loads(await response.read())["id"]
    status = ""
    while status != "completed":
        await asyncio.sleep(RETRY_S)
        async with gate, session.get(f"{address}/{job}") as response:
            status = orjson.loads(await response.read())["status"]
    async with gate:
        async with session.get(f"{address}/{job}/result") as response:
            packed = pack(_transcript(orjson.loads(await response.read())))
        async with session.delete(f"{address}/{job}") as response:
            await response.read()
    done.put_nowait((wanted, packed))


def _transcript(result: dict[str, Any]) -> TranscriptData:
    return TranscriptData(
        result["language"],
        result["durationMs"],
        result["model"],
        tuple(
            Segment(
                turn["channel"],
                turn["speaker"],
                turn["startMs"],
                turn["endMs"],
                turn["text"],
                tuple(Word(w["text"], w["startMs"], w["endMs"], w["confidence"]) for w in turn["words"]),
            )
            for turn in result["segments"]
        ),
    )


async def _write(
    connection: psycopg.AsyncConnection, job: int, done: "asyncio.Queue[tuple[Wanted, Packed]]", number: int
) -> None:
    """Write in batches of what has come together, one transaction a batch."""
    while number:
        batch = [await done.get()]
        while len(batch) < min(BATCH, number):
            batch.append(await done.get())
        number -= len(batch)
        by_tenant = defaultdict(list)
        for wanted, packed in batch:
            by_tenant[wanted.schema, wanted.tenant].append((wanted, packed))
        async with connection.transaction():
            for (schema, tenant), items in sorted(by_tenant.items()):
                await _write_tenant(connection, job, schema, tenant, items)


async def _write_tenant(
    connection: psycopg.AsyncConnection, job: int, schema: str, tenant: str, items: list[tuple[Wanted, Packed]]
) -> None:
    now = datetime.now(UTC)
    calls = [wanted.call for wanted, _packed in items]
    rows = await connection.execute(RECORDS, {"job": job, "tenant": tenant, "at": now, "calls": calls})
    records = {call: record for record, call in await rows.fetchall()}
    values = {
        "tenant": tenant,
        "at": now,
        "period": f"{now:%Y-%m}",
        "day": now.date(),
        "records": [records[call] for call in calls],
        "calls": calls,
        "users": [wanted.user for wanted, _packed in items],
        "seconds": [wanted.duration_ms // 1000 for wanted, _packed in items],
        "ids": [uuid7() for _item in items],
        "durations": [wanted.duration_ms for wanted, _packed in items],
        "turns": [packed.turn_count for _wanted, packed in items],
        "words": [packed.word_count for _wanted, packed in items],
        "bodies": [packed.body for _wanted, packed in items],
        "texts": [packed.text for _wanted, packed in items],
    }
    async with connection.pipeline():
        await connection.execute(LEDGER, values)
        await connection.execute(TRANSCRIPTS.format(schema=schema), values)  # type: ignore[arg-type]
        await connection.execute(DONE.format(schema=schema), values)  # type: ignore[arg-type]


if __name__ == "__main__":
    specification = orjson.loads(sys.stdin.readline())
    print("ready", flush=True)
    sys.stdin.readline()
    asyncio.run(_run(specification))
