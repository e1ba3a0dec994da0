"""Taking in several calls at once, all or none, with what the caller stores beside them in the same transaction."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import transaction

from accounts.models import User
from conversations.audio import delete_recording, save_recording
from conversations.intake import preparing_anything
from conversations.metadata import CallMetadata
from conversations.models import Call, Recording
from conversations.services import new_call, new_recording
from queues.events import Event
from queues.services import publish
from tenants.doors import WrongTenant, current_tenant
from tenants.keys import data_key
from tenants.models import Tenant

# Each decodes in a child process of its own.
AT_A_TIME = 3


@dataclass(frozen=True, slots=True)
class NewCall:
    """One call with its audio. ``sha256`` is of the file, in hexadecimal; ``label`` the name that it came with."""

    metadata: CallMetadata
    user: User | None
    path: Path
    sha256: str
    label: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    ai_on_request: bool = False


@contextmanager
def taking_in(*, tenant: Tenant, calls: Sequence[NewCall]) -> Iterator[list[Call]]:
    """Store the calls, publish “Created” and “Recording finished”, and run the block in that transaction.

    Audio is judged and encrypted before the transaction; whatever fails, in the block too, removes the files again: no
    row, no file. What cannot be decoded is kept as it came, and the job says so later. The same audio may come again.
    Raises OSError when the disk is full, IntegrityError for an external id that is taken.
    """
    if current_tenant().pk != tenant.pk:
        raise WrongTenant("The calls belong to another tenant than the one that was entered.")
    key, kept = data_key(tenant), list[str]()
    with _files_go_with(kept), ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="taking-in") as pool:
        made = list(pool.map(lambda call: _made(tenant, call, key, kept.append), calls))
    with transaction.atomic(), _files_go_with(kept):
        rows = Call.objects.bulk_create([call for call, _recording in made])
        Recording.objects.bulk_create([recording for _call, recording in made])
        yield rows
        ids: list[uuid.UUID] = [call.pk for call in rows]
        publish(tenant=tenant, event=Event.CALL_CREATED, record_ids=ids)
        publish(tenant=tenant, event=Event.CALL_RECORDING_FINISHED, record_ids=ids)


@contextmanager
def _files_go_with(kept: Sequence[str]) -> Iterator[None]:
    """Remove the files when the block fails. Inside the transaction on purpose: a failure before COMMIT is certain, one
    at COMMIT may have committed; what that leaves is decided by the sweep."""
    try:
        yield
    except BaseException:
        for name in kept:
            delete_recording(name)
        raise


def _made(tenant: Tenant, new: NewCall, key: bytes, stored: Callable[[str], None]) -> tuple[Call, Recording]:
    """In a thread: no ORM. ``stored`` hears of a file before it is there."""
    with preparing_anything(new.path, new.sha256) as prepared:
        call = new_call(new.metadata, new.user, prepared)
        call.attributes, call.ai_on_request = dict(new.attributes), new.ai_on_request
        recording = new_recording(tenant, call, prepared, new.label)
        recording.may_repeat = True
        stored(recording.storage_key)
        recording.bytes_plain = save_recording(prepared.path, recording.storage_key, key)
    return call, recording
