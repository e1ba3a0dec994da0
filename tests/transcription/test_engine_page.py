"""The page of a speech engine: figures of a period, what was charged at which price, and why it stands still."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from core.ids import uuid7
from jobs.figures.folding import fold
from jobs.figures.models import EVERYBODY, Figure
from jobs.models import JobDefinition, Record
from licensing.models import Entry
from tests.jobs.conftest import pipeline, speech, speech_server  # noqa: F401
from tests.jobs.pages import failing_circuit
from transcription.configuring.faring import faring_of, percentile
from transcription.models import SpeechEngine, SpeechPrice
from transcription.pricing import Price, cost_micros, price_at, spans_of
from transcription.services import pause_engine

pytestmark = pytest.mark.django_db
PRICE = {"valid_from": "2026-01-01", "currency": "eur", "per_minute": "0.006"}
DAY = 24


@pytest.fixture
def root(client_for, people):
    return client_for(people.platform_admin)


@pytest.fixture
def engine(system):
    return SpeechEngine.objects.create(
        name="Words", engine_type="deepgram", settings={"address": "https://93.184.216.34", "concurrency": 8}
    )


@pytest.fixture
def job(engine):
    return JobDefinition.objects.create(name="Job", kind="transcription", settings={"engine": engine.pk})


def page(name, *args):
    return reverse(f"transcription:{name}", args=args)


def settled(engine, tenant, seconds, *, at, record=0):
    return Entry.objects.create(
        tenant=tenant,
        meter="transcription_seconds",
        step="settle",
        source="reserved",
        target="used",
        amount=seconds,
        record=record or Entry.objects.count() + 1,
        generation=1,
        subject_id=uuid7(),
        engine=engine.name,
        period="2026-11",
        day=at.date(),
        zone="UTC",
        reserved_at=at,
        at=at,
    )


def done(engine, job, tenant, seconds, took):
    """A recording of so many seconds that was done within so many."""
    end = timezone.now() - timedelta(minutes=5)
    record = Record.objects.create(
        job=job,
        tenant=tenant,
        record_type="call",
        record_id=uuid7(),
        state="completed",
        uploaded_at=end - timedelta(seconds=took),
        finished_at=end,
        next_at=end,
        created_at=end,
    )
    settled(engine, tenant, seconds, at=end, record=record.pk)


def priced(engine, per_minute, since, *, said=None, currency="EUR"):
    row = SpeechPrice.objects.create(engine=engine, valid_from=since, currency=currency, per_minute=per_minute)
    SpeechPrice.objects.filter(pk=row.pk).update(created_at=said or datetime(2026, 1, 1, tzinfo=UTC))


def test_a_price_counts_from_its_day_but_never_for_what_was_charged_before_it_was_named():
    noon = datetime(2026, 6, 10, 12, tzinfo=UTC)
    old = Price(Decimal("0.010"), "EUR", date(2026, 6, 1), noon - timedelta(days=30))
    late = Price(Decimal("0.020"), "EUR", date(2026, 6, 5), noon)
    coming = Price(Decimal("0.030"), "EUR", date(2026, 7, 1), noon)
    rows = [late, coming, old]
    assert price_at(rows, datetime(2026, 5, 31, 23, 59, tzinfo=UTC)) is None
    assert price_at(rows, noon - timedelta(seconds=1)) == old
    assert price_at(rows, noon) == late
    assert price_at(rows, datetime(2026, 7, 1, tzinfo=UTC)) == coming
    spans = spans_of(rows, noon - timedelta(days=1), noon + timedelta(days=1))
    assert [(span.until - span.since, span.price) for span in spans] == [
        (timedelta(days=1), old),
        (timedelta(days=1), late),
    ]
    assert [cost_micros(old, 90), cost_micros(old, 1), cost_micros(None, 90)] == [15_000, 167, 0]


def test_percentiles_lie_between_two_values_as_the_database_has_them():
    assert percentile([], 0.5) is None
    assert percentile([4.0], 0.95) == 4.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.5
    assert round(percentile([float(n) for n in range(101)], 0.95), 6) == 95


def test_what_was_charged_costs_the_price_of_its_time_and_what_had_none_is_said(engine, acme, globex, people):
    now = timezone.now()
    priced(engine, "0.60", (now - timedelta(days=20)).date())
    priced(engine, "1.20", (now - timedelta(days=2)).date(), said=now - timedelta(days=1))
    settled(engine, acme, 600, at=now - timedelta(days=25))
    settled(engine, acme, 60, at=now - timedelta(days=10))
    settled(engine, globex, 60, at=now - timedelta(hours=30))
    settled(engine, acme, 120, at=now - timedelta(hours=2))
    spent = faring_of(engine, people.platform_admin, 30 * DAY).spent
    assert (spent.seconds, spent.unpriced, spent.cost) == (840, 600, {"EUR": 600_000 * 2 + 2_400_000})
    assert faring_of(engine, people.platform_admin, DAY).spent.cost == {"EUR": 2_400_000}
    other = SpeechEngine.objects.create(name="Other", engine_type="deepgram")
    assert faring_of(other, people.platform_admin, 30 * DAY).spent.seconds == 0


def test_who_views_a_tenant_sees_what_that_tenant_was_charged_alone(engine, job, acme, globex, people):
    priced(engine, "0.60", date(2026, 1, 1))
    done(engine, job, acme, 60, 5)
    done(engine, job, globex, 600, 5)
    viewer = people.platform_admin
    assert faring_of(engine, viewer, DAY).spent.cost == {"EUR": 6_600_000}
    viewer.viewing = acme
    found = faring_of(engine, viewer, DAY)
    assert (found.spent.cost, found.turnaround.number) == ({"EUR": 600_000}, 1)


def test_turnaround_counts_from_the_first_upload_in_seconds_and_in_times_of_the_length(engine, job, acme, people):
    for took in range(1, 22):
        done(engine, job, acme, 10, took)
    settled(engine, acme, 10, at=timezone.now(), record=10**9)
    found = faring_of(engine, people.platform_admin, DAY).turnaround
    assert (found.number, found.p50_s, found.p95_s) == (21, 11.0, 20.0)
    assert (found.p50_ratio, found.p95_ratio) == (1.1, 2.0)


def test_failures_are_counted_by_class_for_this_engine_and_the_period_alone(engine, job, root):
    other = JobDefinition.objects.create(name="AI", kind="aiassistant", settings={"engine": engine.pk})
    now = timezone.now().replace(minute=0, second=0, microsecond=0)

    def figure(number, what, reason="", *, of=job, hours=1, key=engine.pk):
        Figure.objects.create(
            grain="hour",
            at=now - timedelta(hours=hours),
            job_id=of.pk,
            engine=str(key),
            tenant_id=EVERYBODY,
            what=what,
            reason=reason,
            number=number,
        )

    figure(15, "completed")
    figure(4, "failed", "engine_input")
    figure(1, "failed", "invalid_output")
    figure(5, "passed_on", "engine_lost")
    figure(50, "failed", "engine_transient", hours=100)
    figure(70, "failed", "engine_input", of=other)
    figure(70, "failed", "engine_input", key=engine.pk + 1)
    shown = root.get(page("overview", engine.pk)).content.decode()
    assert "40.0 %" in shown
    assert "10 of 25 recordings; 5 went on to another engine" in shown
    assert "The engine refuses this recording" in shown
    assert "has failed" not in shown
    week = root.get(page("overview", engine.pk) + "?period=7d").content.decode()
    assert "60 of 75 recordings" in week
    assert "has failed" in week
    assert "10 of 25 recordings" in root.get(page("overview", engine.pk) + "?period=<b>").content.decode()


def test_a_pass_shows_in_turnaround_minutes_and_money(pipeline, root):  # noqa: F811
    priced(pipeline.engine, "0.60", date(2026, 1, 1))
    pipeline.finish(pipeline.call(seconds=6))
    fold()
    shown = root.get(page("overview", pipeline.engine.pk))
    tiles = {str(tile["label"]): tile["value"] for tile in shown.context["tiles"]}
    assert (tiles["Done"], tiles["Failed"], tiles["Minutes charged"]) == ("1", "0.0 %", "0.1")
    assert tiles["Spent"] == "0.06 EUR"
    assert tiles["95 % done within"].endswith(" s")


def test_a_wrong_key_is_said_once_on_the_engine_with_its_class_since_when_and_what_waits(engine, job, root, acme):
    for _number in range(3):
        Record.objects.create(
            job=job,
            tenant=acme,
            record_type="call",
            record_id=uuid7(),
            next_at=timezone.now(),
            created_at=timezone.now(),
            wait="engine_paused",
        )
    assert "In order" in root.get(page("overview", engine.pk)).content.decode()
    pause_engine(engine_id=engine.pk, version=engine.version, reason="HTTP 401 INVALID_AUTH Invalid credentials.")
    response = root.get(page("overview", engine.pk))
    text = response.content.decode()
    assert text.split('class="p-note')[1].count("INVALID_AUTH") == 1
    assert "Settings or credentials: HTTP 401" in text
    assert "Since " in response.context["stopped"]
    assert "(UTC)" in response.context["stopped"]
    facts = {str(label): value for label, value in response.context["facts"]}
    assert (facts["Records that wait for it"], facts["Requests at a time"]) == ("3", "0 of 8")
    assert page("resume", engine.pk) in text


def test_records_wait_for_the_engine_at_whose_place_in_the_chain_they_are(engine, job, root, acme):
    first = SpeechEngine.objects.create(name="First", engine_type="deepgram")
    chain = {"engine": first.pk, "fallbacks": [engine.pk]}
    chained = JobDefinition.objects.create(name="Chain", kind="transcription", settings=chain)
    now = timezone.now()
    for of, place in ((job, 0), (chained, 0), (chained, 0), (chained, 1)):
        values = {"record_type": "call", "record_id": uuid7(), "next_at": now, "created_at": now}
        Record.objects.create(job=of, tenant=acme, place=place, **values)

    def waiting(of):
        return dict(root.get(page("overview", of.pk)).context["facts"])["Records in progress"]

    assert (waiting(engine), waiting(first)) == ("2", "2")
    Record.objects.filter(place=1).update(place=2)
    assert (waiting(engine), waiting(first)) == ("2", "2"), "what stands behind the end is the last one's"


def test_an_open_circuit_says_why_and_when_the_next_probe_is(engine, root):
    failing_circuit(f"transcription:{engine.pk}")
    response = root.get(page("overview", engine.pk))
    assert response.context["state"][1] == "Failing"
    assert "next probe" in response.context["stopped"]
    assert page("try", engine.pk) in response.content.decode()


def test_prices_have_a_history_and_only_what_does_not_hold_yet_goes(root, engine):
    later = (timezone.now().date() + timedelta(days=9)).isoformat()
    for change in ({}, {"valid_from": "2026-02-01", "per_minute": "0.005"}, {"valid_from": later}):
        assert root.post(page("price_add", engine.pk), {**PRICE, **change}).status_code == 302
    shown = root.get(page("prices", engine.pk)).content.decode()
    assert [shown.count(word) for word in ("In force", "Replaced", "Coming")] == [1, 1, 1]
    assert root.get(page("overview", engine.pk)).context["facts"][-1][1] == "0.005 EUR"
    coming, holding = SpeechPrice.objects.order_by("-valid_from")[:2]
    assert root.post(page("price_delete", engine.pk, holding.pk)).status_code == 409
    assert root.post(page("price_delete", engine.pk, coming.pk)).status_code == 302
    assert SpeechPrice.objects.count() == 2
    file = root.get(page("prices", engine.pk) + "?format=csv")
    assert b"0.006000" in b"".join(file.streaming_content)
    file.close()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("per_minute", "-1", "cannot be negative"),
        ("per_minute", "free", "number"),
        ("currency", "E1", "three capital letters"),
        ("currency", "USD", "another currency"),
        ("valid_from", "2026-03-01", "from this day on"),
        ("valid_from", "tomorrow", "valid date"),
    ],
)
def test_a_price_that_breaks_a_rule_is_refused_at_its_field(root, engine, field, value, words):
    priced(engine, "0.01", date(2026, 3, 1))
    refused = root.post(page("price_add", engine.pk), {**PRICE, field: value})
    assert refused.status_code == 422
    assert words in str(refused.context["form"].errors[field])
    assert SpeechPrice.objects.count() == 1


def test_prices_that_had_no_currency_are_followed_by_those_that_have_one(root, engine):
    priced(engine, "0.01", date(2026, 1, 2), currency="XXX")
    assert root.post(page("price_add", engine.pk), PRICE).status_code == 302
