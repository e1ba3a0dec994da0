"""CSV files that a spreadsheet opens without running anything."""

import csv
import io
import tempfile
from collections.abc import Iterable
from typing import Any, cast

from django.db import connection
from django.db.models import F, Func, QuerySet, TextField
from django.http import FileResponse
from django.utils import timezone
from django.utils.text import slugify

DANGEROUS_START = ("=", "+", "-", "@", "\t", "\r", "\n")
IN_MEMORY_BYTES = 1024 * 1024


def safe_cell(value: Any) -> Any:
    """A cell for CSV: text that a spreadsheet would run as a formula gets a leading apostrophe (hostile 3F3)."""
    return f"'{value}" if isinstance(value, str) and value.lstrip(" ").startswith(DANGEROUS_START) else value


def copied_response(name: str, rows: QuerySet[Any], *, header: str = "", plain: bool = False) -> FileResponse:
    """The columns of ``rows`` (a ``values_list``) as an attachment that the database writes itself, of any size.

    ``plain``: the one column is a line of text without control characters; else CSV, of which ``rows`` has made
    harmless what a spreadsheet would run (``harmless``). ``header`` is its first line. Complete before it is sent.
    """
    spool = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - the response closes it
    spool.write(header.encode("utf-8-sig" if not plain else "utf-8"))
    statement, parameters = rows.query.sql_with_params()
    options = "FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02'" if plain else "FORMAT csv"
    with connection.cursor() as cursor, cursor.copy(f"COPY ({statement}) TO STDOUT ({options})", parameters) as copy:
        for piece in copy:
            spool.write(piece)
        count = cursor.rowcount
    spool.seek(0)
    filename = f"{slugify(name) or 'export'}-{timezone.localdate():%Y-%m-%d}.{'txt' if plain else 'csv'}"
    kind = "text/plain; charset=utf-8" if plain else "text/csv; charset=utf-8"
    response = FileResponse(spool, as_attachment=True, filename=filename, content_type=kind)
    response.audit = {  # type: ignore[attr-defined]
        "action": "export.made",
        "target_type": "file",
        "target_id": filename[:64],
        "details": {"rows": count},
    }
    return response


def harmless(column: str) -> Func:
    """``safe_cell`` for ``copied_response``: in the database."""
    return Func(
        F(column),
        template=r"regexp_replace(%(expressions)s, '^( *[-=+@\t\r\n])', '''\1')",
        output_field=TextField(),
    )


def csv_response(name: str, header: list[str], rows: Iterable[list[Any]]) -> FileResponse:
    """A CSV attachment, complete before it is sent: the answer goes out when the tenant has been left already.

    Its mark ``audit`` lets the audit middleware record the export before it is sent (security A2).
    """
    spool = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - the response closes it
    text = io.TextIOWrapper(cast(io.BufferedRandom, spool), encoding="utf-8-sig", newline="")
    writer = csv.writer(text)
    writer.writerow([safe_cell(cell) for cell in header])
    count = 0
    for row in rows:
        writer.writerow([safe_cell(cell) for cell in row])
        count += 1
    text.detach()
    spool.seek(0)
    filename = f"{slugify(name) or 'export'}-{timezone.localdate():%Y-%m-%d}.csv"
    response = FileResponse(spool, as_attachment=True, filename=filename, content_type="text/csv; charset=utf-8")
    response.audit = {  # type: ignore[attr-defined]
        "action": "export.made",
        "target_type": "file",
        "target_id": filename[:64],
        "details": {"rows": count},
    }
    return response
