"""Signed addresses under which a vendor fetches a recording from us, where an engine is set to it (providers §2.1, way C).

An address is good for one recording of one generation of its record at one engine, until it expires, and only while that is being
transcribed: what has ended, was cancelled or is processed anew cannot be fetched any more, so nothing is kept to revoke it.
"""

import time
import uuid
from dataclasses import dataclass

from django.core import signing
from django.db import transaction
from django.urls import reverse

from audit.services import append
from conversations.audio import open_reader
from conversations.models import Recording
from core.files import EncryptedReader
from jobs.models import Record
from jobs.verdicts import Claimed
from tenants.doors import TenantUnavailable, enter, find_ready
from tenants.keys import data_key
from transcription.models import SpeechEngine
from transcription.selectors import EngineUnusable, adapter_for

SALT = "transcription.links"
# A job of a vendor may begin half an hour late and run for a day.
VALID_S = 26 * 3600
SAMPLE_VALID_S = 3600
AT_PROVIDER = (Record.Stage.UPLOADING, Record.Stage.CHECKING)


class NoSuchLink(Exception):
    """The address is malformed, expired, or not good any more: which of these is nobody's business."""


@dataclass(frozen=True, slots=True)
class Linked:
    """What an address stands for; the reader is open."""

    reader: EncryptedReader
    mime: str
    recording_id: uuid.UUID


def link_of(record: Claimed, engine: SpeechEngine, recording_id: uuid.UUID, name: str) -> str:
    """The path of a recording while its record is at ``engine``; ``name`` is the file's, for its extension."""
    who: list[str | int] = [
        str(record.tenant_id),
        record.id,
        record.generation,
        record.place,
        engine.pk,
        str(recording_id),
    ]
    return _path([*who, int(time.time()) + VALID_S], name)


def link_of_sample(name: str) -> str:
    """The path of the bundled sample, for a connection test; it is no secret."""
    return _path([int(time.time()) + SAMPLE_VALID_S], name)


def _path(payload: list[str | int], name: str) -> str:
    token = signing.dumps(payload, salt=SALT)
    return reverse("audio_links:audio", kwargs={"token": token, "name": name})


def open_link(token: str, *, reading: bool) -> Linked | None:
    """The recording behind an address, when it is ``reading`` with a row in its tenant's audit trail; None for the sample.

    Raises NoSuchLink, also when the engine does not fetch by addresses any more, and AudioUnavailable.
    """
    try:
        *who, expires = signing.loads(token, salt=SALT)
    except (signing.BadSignature, ValueError):
        raise NoSuchLink from None
    if expires < time.time():
        raise NoSuchLink
    if not who:
        return None
    tenant_id, record_id, generation, place, engine_id, recording_id = who
    engine = _linking(engine_id)
    at_provider = Record.objects.filter(
        pk=record_id,
        tenant_id=tenant_id,
        generation=generation,
        place=place,
        state=Record.State.IN_PROGRESS,
        stage__in=AT_PROVIDER,
    )
    if not at_provider.exists():
        raise NoSuchLink
    return _opened(tenant_id, recording_id, engine, reading)


def _linking(engine_id: int) -> SpeechEngine:
    engine = SpeechEngine.objects.filter(pk=engine_id).first()
    try:
        if engine is None or not adapter_for(engine).fetches:
            raise NoSuchLink
    except EngineUnusable:
        raise NoSuchLink from None
    return engine


def _opened(tenant_id: str, recording_id: str, engine: SpeechEngine, reading: bool) -> Linked:
    try:
        tenant = find_ready(tenant_id)
    except TenantUnavailable:
        raise NoSuchLink from None
    with enter(tenant), transaction.atomic():
        recording = Recording.objects.filter(pk=recording_id).first()
        if recording is None:
            raise NoSuchLink
        if reading:
            append(
                tenant_id=tenant.pk,
                actor="system:transcription",
                action="recording.fetched",
                target_type="call",
                target_id=str(recording.call_id),
                details={"engine": engine.name},
            )
        return Linked(open_reader(recording.storage_key, data_key(tenant)), recording.mime, recording.pk)
