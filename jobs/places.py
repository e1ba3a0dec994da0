"""Where records stand among the engines of their job, as conditions: the same ones in SQL and for the ORM (ADR 0022)."""

from django.db.models import Q

from jobs.models import Record
from jobs.verdicts import Span

# With the fields of a Span as parameters: what a pass may take. What an engine has begun is left to that engine.
IN_SPAN = "place BETWEEN %(first)s AND %(last)s AND (place >= %(at)s OR stage <> 'checking')"


def in_span(span: Span) -> Q:
    """``IN_SPAN``."""
    return Q(Q(place__gte=span.at) | ~Q(stage=Record.Stage.CHECKING), place__range=(span.first, span.last))


def at_place(place: int, engines: int) -> Q:
    """The condition that a record stands at ``place`` of so many ``engines``, from 0; later places have an index.

    What stands behind the end of a list that was made shorter is the last one's.
    """
    there = Q(**{"place__gte" if place == engines - 1 else "place": place})
    return there & Q(place__gt=0) if place else there
