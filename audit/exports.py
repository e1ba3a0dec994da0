"""The trail as JSON lines: every field that the digest covers, for checks and archives elsewhere."""

import tempfile
from typing import Any

import orjson
from django.db.models import QuerySet
from django.http import FileResponse
from django.utils import timezone

from audit.models import AuditEntry
from audit.services import seen
from core.exports import IN_MEMORY_BYTES

FIELDS = [field.attname for field in AuditEntry._meta.concrete_fields if field.attname != "id"]
CHUNK = 1000


def jsonl_response(rows: QuerySet[AuditEntry], **details: Any) -> FileResponse:
    """One entry a line, newest first; complete before it is sent. ``details`` stand in the row about the export."""
    spool = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - the response closes it
    count = 0
    for row in rows.order_by("-pk").values(*FIELDS).iterator(chunk_size=CHUNK):
        spool.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        count += 1
    spool.seek(0)
    name = f"audit-trail-{timezone.localdate():%Y-%m-%d}.jsonl"
    response = FileResponse(spool, as_attachment=True, filename=name, content_type="application/jsonl")
    return seen(response, action="export.made", target_type="file", target_id=name[:64], rows=count, **details)
