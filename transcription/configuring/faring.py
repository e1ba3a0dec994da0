"""How a speech engine fares: read from the figures of jobs, the ledger and what bounds it now. Never any text."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts.models import User
from core.counting import counted
from engines.selectors import circuit_key, places_held
from jobs.circuits.breakers import circuit_of
from jobs.circuits.models import Circuit
from jobs.figures.reading import FAILED_BY_ENGINE, Sums, hour_of, sums_of
from jobs.models import JobDefinition, Record
from jobs.places import at_place
from jobs.selectors import reached
from licensing.models import Meter
from licensing.settled import Settled, newest_settled, settled_amounts
from tenants.selectors import visible_tenants
from transcription.chain import engine_keys
from transcription.family import SPEECH
from transcription.models import SpeechEngine
from transcription.pricing import cost_micros, price_at, spans_of
from transcription.selectors import prices_of

# Hours of the periods that the page offers, by their word in the address; the first is shown when none is named.
PERIODS = {"24h": 24, "7d": 7 * 24, "30d": 30 * 24}
PERIOD_LABELS = {"24h": gettext_lazy("24 hours"), "7d": gettext_lazy("7 days"), "30d": gettext_lazy("30 days")}
NEWEST = 1000
METER = Meter.TRANSCRIPTION_SECONDS


@dataclass(frozen=True, slots=True)
class Turnaround:
    """From the first upload until the transcript was stored: seconds, and multiples of the length of the audio.

    Of the ``number`` newest recordings; None where there is none.
    """

    number: int = 0
    p50_s: float | None = None
    p95_s: float | None = None
    p50_ratio: float | None = None
    p95_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds that were charged, their cost in micro-units by currency, and the seconds that no price was in force for."""

    seconds: int
    cost: Mapping[str, int]
    unpriced: int


@dataclass(frozen=True, slots=True)
class Faring:
    """``sums`` are those of the engine's jobs, of the hour that has begun and those before it that the period has.

    ``open_records`` are in progress in its jobs: at most one more than is counted. ``price`` is the one in force now.
    """

    sums: Sums
    turnaround: Turnaround
    spent: Spent
    price: str
    circuit: Circuit | None
    places: int
    open_records: int

    @property
    def failed_by(self) -> Counter[str]:
        """Recordings that it failed by reason code, also those that another engine of the job did then."""
        return self.sums.by("reason", *FAILED_BY_ENGINE)


def faring_of(engine: SpeechEngine, user: User, hours: int) -> Faring:
    """A handful of queries, however many records there are; of the tenants that ``user`` sees."""
    since = hour_of(timezone.now()) - timedelta(hours=hours)
    whose = reached(user)
    tenants = None if user.everywhere else visible_tenants(user)
    key = circuit_key(engine)
    of_family = JobDefinition.objects.filter(kind=SPEECH.namespace)
    newest = newest_settled(meter=METER, engine=engine.name, whose=whose, since=since, most=NEWEST)
    spent, price = spent_of(engine, whose, since)
    return Faring(
        sums=sums_of(hours, tenants, engine=str(engine.pk), job_id__in=of_family.values("pk")),
        turnaround=turnaround_of(newest),
        spent=spent,
        price=price,
        circuit=circuit_of(key),
        places=places_held(engine),
        open_records=counted(Record.objects.filter(whose, at_engine(engine), state=Record.State.IN_PROGRESS)),
    )


def at_engine(engine: SpeechEngine) -> Q:
    """The condition that a record stands at the engine: at its place in the list of its job's engines; one query."""
    found = Q(pk__in=())
    for job, settings in JobDefinition.objects.filter(kind=SPEECH.namespace).values_list("pk", "settings"):
        keys = engine_keys(settings)
        if engine.pk in keys:
            found |= Q(at_place(keys.index(engine.pk), len(keys)), job=job)
    return found


def spent_of(engine: SpeechEngine, whose: Q, since: datetime) -> tuple[Spent, str]:
    """What was charged since then, at the prices that were in force when it was charged; and the price of now.

    From the ledger alone, where every recording is settled once: estimates are never money that is owed.
    """
    prices, now = prices_of(engine), timezone.now()
    # A settling is stamped by the clock of the database, which may be a moment ahead of ours.
    spans = spans_of(prices, since, now + timedelta(minutes=5))
    times = [(span.since, span.until) for span in spans]
    amounts = settled_amounts(meter=METER, engine=engine.name, whose=whose, times=times)
    cost: dict[str, int] = defaultdict(int)
    unpriced = 0
    for span, seconds in zip(spans, amounts, strict=True):
        if span.price is None:
            unpriced += seconds
        elif seconds:
            cost[span.price.currency] += cost_micros(span.price, seconds)
    held = price_at(prices, now)
    return Spent(sum(amounts), dict(cost), unpriced), "" if held is None else held.text


def turnaround_of(settled: Sequence[Settled]) -> Turnaround:
    """Of the recordings whose records are still there and were not started anew since; one query."""
    rows = Record.objects.filter(pk__in=[one.record for one in settled], state=Record.State.COMPLETED).values_list(
        "pk", "generation", "uploaded_at", "finished_at"
    )
    took = {
        (pk, generation): (end - begin).total_seconds()
        for pk, generation, begin, end in rows
        if begin is not None and end is not None
    }
    found = [(took[key], one.amount) for one in settled if (key := (one.record, one.generation)) in took]
    seconds = sorted(took for took, _length in found)
    ratios = sorted(took / length for took, length in found)
    return Turnaround(
        len(found),
        percentile(seconds, 0.5),
        percentile(seconds, 0.95),
        percentile(ratios, 0.5),
        percentile(ratios, 0.95),
    )


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The value below which ``share`` of all lie, between two of them in proportion, as the database does it."""
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
