"""Monthly statements: what one tenant is charged for, drawn from the ledger itself, and signed so that it can be proved.

The digest covers every charged entry of the month in the order of their ids; the ledger is append-only, so the digest
of a month that is over never changes. What is signed is canonical JSON: sorted keys, no spaces.
"""

import base64
import hashlib
import uuid
import zoneinfo
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from django.db.models import Count, QuerySet, Sum
from django.utils import timezone

from audit.models import AuditEntry
from audit.signing import current_key_id, public_key_pem, sign
from licensing.figures import Figures, figures_of
from licensing.limits_pages import services as limits_pages
from licensing.models import DailyUsage, Denial, Entry, Reservation
from licensing.periods import next_month_start
from licensing.seats import services as seats_pages
from tenants.models import Tenant
from usage.breakdowns import METER, months_of, user_names

FORMAT = "parlance-statement"
FORMAT_VERSION = 1
LIMIT_FIELDS = ("user_month", "user_lifetime", "org_month", "org_lifetime", "policy", "per_user", "month_zone")
SEATS = "speech_analytics"
CHUNK = 5000
COLUMNS = (
    "id",
    "tenant_id",
    "record",
    "generation",
    "subject_id",
    "user_id",
    "engine",
    "language",
    "amount",
    "period",
    "day",
    "zone",
    "reserved_at",
    "at",
)
USER, ENGINE, LANGUAGE, AMOUNT, DAY = (COLUMNS.index(n) for n in ("user_id", "engine", "language", "amount", "day"))


@dataclass
class Sums:
    """Seconds and number of entries by key, of one view of the month."""

    seconds: dict[Any, int] = field(default_factory=lambda: defaultdict(int))
    entries: dict[Any, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, key: Any, amount: int, entries: int = 1) -> None:
        """One entry, or the sum of several."""
        self.seconds[key] += amount
        self.entries[key] += entries


@dataclass(frozen=True)
class Books:
    """The charged entries of a month: how many, their seconds, their digest, and sums by day, user, engine, language.

    Drawn from the daily sums, they have no digest.
    """

    entries: int
    seconds: int
    digest: str
    days: Sums
    users: Sums
    engines: Sums
    languages: Sums


@dataclass(frozen=True)
class Statement:
    """One tenant, one month; final when the month is ``over`` and nothing of it is still reserved.

    ``limits`` are those in force at the end of the month (now, in the current one), in minutes; None is unlimited.
    """

    tenant: Tenant
    period: str
    zone: str
    over: bool
    open_reservations: int
    limits: dict[str, Any]
    books: Books
    denied: dict[str, int]
    names: dict[uuid.UUID, str]
    issued_at: datetime

    @property
    def final(self) -> bool:
        """Whether nothing can be added any more."""
        return self.over and not self.open_reservations


def charged(tenant_id: uuid.UUID, period: str) -> QuerySet[Entry]:
    """The entries that a month is charged for, in the order of the ledger."""
    return Entry.objects.filter(tenant_id=tenant_id, meter=METER, period=period, step=Entry.Step.SETTLE).order_by("id")


def line_of(row: tuple[Any, ...]) -> bytes:
    """The bytes of one entry in the digest: a JSON array of its columns, times in UTC, and a line feed."""
    return orjson.dumps(row, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)


def books_of(tenant_id: uuid.UUID, period: str, *, first: int | None = None) -> Books:
    """Read the month's entries once, or only the ``first`` so many."""
    rows = charged(tenant_id, period).values_list(*COLUMNS)
    found: Iterable[tuple[Any, ...]] = rows[:first] if first is not None else rows.iterator(chunk_size=CHUNK)
    digest, entries, seconds = hashlib.sha256(), 0, 0
    days, users, engines, languages = Sums(), Sums(), Sums(), Sums()
    for row in found:
        digest.update(line_of(tuple(v.astimezone(UTC) if isinstance(v, datetime) else v for v in row)))
        amount = row[AMOUNT]
        entries, seconds = entries + 1, seconds + amount
        days.add(row[DAY], amount)
        users.add(row[USER], amount)
        engines.add(row[ENGINE], amount)
        languages.add(row[LANGUAGE], amount)
    return Books(entries, seconds, digest.hexdigest(), days, users, engines, languages)


def daily_books(tenant_id: uuid.UUID, period: str) -> Books:
    """The same sums from the daily ones, however many entries there are; the nightly comparison watches over them."""
    rows = DailyUsage.objects.filter(tenant_id=tenant_id, meter=METER, period=period, requests__gt=0)
    entries, seconds = 0, 0
    days, users, engines, languages = Sums(), Sums(), Sums(), Sums()
    for day, user, engine, language, used, requests in rows.values_list(
        "day", "user_id", "engine", "language", "used", "requests"
    ):
        entries, seconds = entries + requests, seconds + used
        for sums, key in ((days, day), (users, user), (engines, engine), (languages, language)):
            sums.add(key, used, requests)
    return Books(entries, seconds, "", days, users, engines, languages)


def shown_digest(made: "Statement") -> str:
    """The digest of a final statement for its page; "" before that, when it changes with every request.

    The ledger is read for it once a process; the signed file never takes it from here.
    """
    if not made.final:
        return ""
    last = charged(made.tenant.pk, made.period).values_list("id", flat=True).last()
    return _digest(made.tenant.pk, made.period, made.books.entries, last)


@lru_cache(maxsize=512)
def _digest(tenant_id: uuid.UUID, period: str, _entries: int, _last: int | None) -> str:
    """Entries are never changed and their ids never used again, so number and last id stand for all of them."""
    return books_of(tenant_id, period).digest


def periods_of(tenant: Tenant, *, at: datetime | None = None) -> list[str]:
    """The months that have a statement: those with usage or denials, and the current one; newest first."""
    current = figures_of(tenant.pk, METER, at=at).period
    return sorted({current, *months_of(tenant.pk)}, reverse=True)


def statement(tenant: Tenant, period: str, *, at: datetime | None = None) -> Statement:
    """The statement as the ledger stands now: every entry of the month is read."""
    return _statement(tenant, period, books_of(tenant.pk, period), at)


def overview(tenant: Tenant, period: str, *, at: datetime | None = None) -> Statement:
    """The statement for a page, or for the head of a list of entries: from the daily sums, without the digest."""
    return _statement(tenant, period, daily_books(tenant.pk, period), at)


def _statement(tenant: Tenant, period: str, books: Books, at: datetime | None) -> Statement:
    now = at or timezone.now()
    found = figures_of(tenant.pk, METER, period=period, at=now)
    still_open = Reservation.objects.filter(
        tenant=tenant, meter=METER, period=period, state=Reservation.State.OPEN
    ).count()
    zone = _zone(tenant.pk, period) or found.zone
    denied = Denial.objects.filter(tenant=tenant, meter=METER, period=period).order_by()
    return Statement(
        tenant=tenant,
        period=period,
        zone=zone,
        over=not found.current,
        open_reservations=still_open,
        limits=limits_then(found, zone),
        books=books,
        denied=dict(sorted(denied.values_list("reason").annotate(number=Count("pk")))),
        names=user_names(books.users.seconds),
        issued_at=now,
    )


def _zone(tenant_id: uuid.UUID, period: str) -> str:
    """The zone that the month was counted in, stored with its entries."""
    first = charged(tenant_id, period).values_list("zone", flat=True).first()
    return (
        first or Denial.objects.filter(tenant_id=tenant_id, period=period).values_list("zone", flat=True).first() or ""
    )


def limits_then(found: Figures, zone: str) -> dict[str, Any]:
    """Limits and seats at the end of the month: those of now, with every later change of the audit trail taken back.

    ``zone`` is the one in which the month was counted, which the tenant may have left since.
    """
    values: dict[str, Any] = {name: getattr(found.limits, name) for name in LIMIT_FIELDS} | {SEATS: found.seats}
    if found.current:
        return values
    later = AuditEntry.objects.filter(tenant_id=found.tenant_id, before__isnull=False)
    later = later.filter(at__gte=next_month_start(found.period, zone))
    about = later.filter(action__in=[limits_pages.ACTION, seats_pages.ACTION]).order_by("-position")
    for entry in about.only("before"):
        before: dict[str, Any] = entry.before or {}
        values |= {name: before[name] for name in values if name in before}
    return values


def payload(made: Statement) -> dict[str, Any]:
    """Everything that the statement says, as plain JSON values; seconds are the unit of all amounts."""
    books = made.books
    return {
        "tenant": {"id": str(made.tenant.pk), "short_name": made.tenant.slug, "name": made.tenant.name},
        "meter": METER.value,
        "period": made.period,
        "time_zone": made.zone,
        "status": "final" if made.final else "preliminary",
        "issued_at": made.issued_at.astimezone(UTC).isoformat(timespec="seconds"),
        "limits": made.limits,
        "charged_seconds": books.seconds,
        "entries": books.entries,
        "entries_sha256": books.digest,
        "reserved_requests": made.open_reservations,
        "denied_requests": sum(made.denied.values()),
        "denied_by_reason": made.denied,
        "by_day": _lines(books.days, lambda key: {"day": key.isoformat()}),
        "by_user": _lines(books.users, lambda key: {"user_id": str(key), "user_name": made.names.get(key, "")}),
        "by_engine": _lines(books.engines, lambda key: {"engine": key}),
        "by_language": _lines(books.languages, lambda key: {"language": key}),
    }


def _lines(sums: Sums, naming: Any) -> list[dict[str, Any]]:
    return [{**naming(key), "seconds": sums.seconds[key], "entries": sums.entries[key]} for key in sorted(sums.seconds)]


def signed_file(made: Statement) -> bytes:
    """The statement as a signed JSON file; every byte of it counts."""
    key_id = current_key_id()
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "algorithm": "Ed25519",
        "key_id": key_id,
        "public_key": public_key_pem(key_id),
        "payload": payload(made),
    }
    signed = sign(to_sign(document))
    assert signed.key_id == key_id
    return to_file(document | {"signature": signed.signature_b64})


def to_sign(document: dict[str, Any]) -> bytes:
    """The bytes that are signed: the document without its signature, canonical."""
    return orjson.dumps({k: v for k, v in document.items() if k != "signature"}, option=orjson.OPT_SORT_KEYS)


def to_file(document: dict[str, Any]) -> bytes:
    """The one way in which a document is written to a file."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def is_canonical_base64(text: str) -> bool:
    """Whether there is no other spelling of the same bytes: unused bits are zero."""
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode() == text
    except ValueError:
        return False


def entry_rows(made: Statement) -> Iterator[list[Any]]:
    """The charged entries for CSV: time in the month's zone, call, user, engine, language, seconds."""
    zone = zoneinfo.ZoneInfo(made.zone)
    columns = ("id", "reserved_at", "subject_id", "user_id", "engine", "language", "amount")
    for number, at, call, user, engine, language, amount in (
        charged(made.tenant.pk, made.period).values_list(*columns).iterator(chunk_size=CHUNK)
    ):
        name = made.names.get(user, "")
        yield [number, at.astimezone(zone).isoformat(timespec="seconds"), str(call), name, engine, language, amount]


def months_with_sums(tenant: Tenant) -> dict[str, dict[str, int]]:
    """Charged seconds, requests and denials by month, from the daily sums."""
    rows = DailyUsage.objects.filter(tenant=tenant, meter=METER).order_by().values("period")
    summed = rows.annotate(_used=Sum("used"), _requests=Sum("requests"), _denied=Sum("denied"))
    return {
        row["period"]: {"used": row["_used"], "requests": row["_requests"], "denied": row["_denied"]} for row in summed
    }
