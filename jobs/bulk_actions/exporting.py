"""The file of an export: lines are kept compressed with their slice and put together when somebody fetches them."""

import csv
import io
import zlib
from collections.abc import Iterator

from core.exports import safe_cell
from jobs.bulk_actions.models import BulkAction, BulkSlice
from jobs.models import Record
from jobs.tables import RecordTable


def csv_lines(rows: list[Record]) -> bytes:
    """The rows as compressed CSV without a header; what a spreadsheet would run is made harmless."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    for line in RecordTable(rows, order_by=(), orderable=False).export():
        writer.writerow([safe_cell(cell) for cell in line])
    return zlib.compress(text.getvalue().encode())


def file_of(action: BulkAction) -> Iterator[bytes]:
    """The whole file in pieces, newest records first; it begins with a mark that spreadsheets know UTF-8 by."""
    text = io.StringIO(newline="")
    csv.writer(text).writerow([safe_cell(cell) for cell in RecordTable([], orderable=False).header()])
    yield b"\xef\xbb\xbf" + text.getvalue().encode()
    slices = BulkSlice.objects.filter(action=action, output__isnull=False).order_by("number")
    for output in slices.values_list("output", flat=True).iterator(chunk_size=20):
        yield zlib.decompress(output or b"")
