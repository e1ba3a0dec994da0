"""Counting rows for pages: exact up to ten thousand and no further, so that a count never costs what the rows are worth."""

from typing import Any

from django.db.models import QuerySet

COUNT_LIMIT = 10_000


def counted(rows: QuerySet[Any]) -> int:
    """How many ``rows`` there are, at most one more than the limit."""
    return rows.order_by()[: COUNT_LIMIT + 1].count()


def count_text(number: int) -> str:
    """The number in words: exact, or "10,000+" where counting stopped."""
    return f"{COUNT_LIMIT:,}+" if number > COUNT_LIMIT else f"{number:,}"
