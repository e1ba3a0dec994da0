"""When a record goes on to the next engine of its job: the pure rule, and which engine a pass works as."""

import uuid

import pytest
from django.utils import timezone

from core.outcomes import EngineError, ErrorClass
from jobs.models import Record
from jobs.passes.changes import Limits, after
from jobs.passes.references import mark_in, new_reference
from jobs.verdicts import FAR, Claimed, Onward, Span, StillPending, Troubled
from tenants.models import Tenant
from tests.jobs.pages import failing_circuit
from transcription.chain import Chain
from transcription.engines.options import Traits
from transcription.kind import TranscriptionKind
from transcription.models import SpeechEngine
from transcription.selectors import circuit_key

LIMITS = Limits(max_checks=3, max_attempts=2)
ONWARD = Onward(1, "from “A” to “B”")


def claimed(**changes) -> Claimed:
    """A record whose job is at the provider."""
    fields = {"stage": "checking", "uploads": 1, "attempts": 0, "checks": 1, "errors": 0, "crashes": 0}
    fields |= {"reference": "parlance-1-1-7-abc", "remote": {"id": "tr_1", "engine": 7}, **changes}
    return Claimed(1, 1, uuid.uuid4(), uuid.uuid4(), 1, **fields)


def failed(error_class: ErrorClass, code: str = "") -> Troubled:
    """The engine raised."""
    return Troubled(EngineError(error_class, "No good", code=code))


def ended(record: Claimed, outcome, onward=ONWARD):
    """What becomes of it."""
    return after(record, outcome, limits=LIMITS, weight_s=5, jitter=0, onward=onward)


@pytest.mark.parametrize(
    ("record", "outcome"),
    [
        (claimed(), failed(ErrorClass.INPUT)),
        (claimed(), failed(ErrorClass.OUTPUT)),
        (claimed(uploads=2), failed(ErrorClass.LOST)),
        (claimed(attempts=1), failed(ErrorClass.TRANSIENT)),
        (claimed(checks=2), StillPending()),
    ],
    ids=["input", "output", "lost", "transient", "no result"],
)
def test_what_fails_for_good_begins_anew_at_the_next_engine_and_leaves_nothing_at_this_one(record, outcome):
    change = ended(record, outcome)
    assert (change.state, change.stage, change.place, change.delay_s) == ("in_progress", "new", 1, 0)
    assert (change.uploads, change.attempts, change.checks) == (0, 0, 0)
    assert (change.reference, change.remote, change.reason) == ("", None, "")
    assert change.discard == [{"id": "tr_1", "engine": 7}]
    assert (change.step, change.severity) == ("passed_on", "warning")
    assert change.detail.startswith("from “A” to “B”: ")
    last = ended(record, outcome, onward=None)
    assert (last.state, last.place) == ("failed", 0)
    assert last.errors == change.errors, "errors are kept"


def test_an_upload_whose_answer_was_lost_is_left_to_the_clean_up_under_its_reference():
    lost = claimed(stage="uploading", remote=None, uploads=0)
    assert ended(lost, failed(ErrorClass.OUTPUT)).discard == [{"reference": "parlance-1-1-7-abc"}]


@pytest.mark.parametrize(
    ("record", "outcome"),
    [
        (claimed(), failed(ErrorClass.RATE)),
        (claimed(), failed(ErrorClass.CONFIG)),
        (claimed(), failed(ErrorClass.TRANSIENT)),
        (claimed(), failed(ErrorClass.LOST)),
        (claimed(), StillPending()),
    ],
    ids=["throttled", "configuration", "another attempt", "sent anew", "another check"],
)
def test_what_is_not_over_stays_with_its_engine(record, outcome):
    change = ended(record, outcome)
    assert (change.state, change.place) == ("in_progress", 0)
    assert change.step != "passed_on"


def test_audio_that_we_ourselves_cannot_read_is_given_to_nobody_else():
    change = ended(claimed(stage="uploading", remote=None), failed(ErrorClass.INPUT, "audio_unavailable"))
    assert (change.state, change.reason, change.place) == ("failed", "engine_input", 0)


def test_a_reference_says_which_engine_has_it_and_those_of_before_say_nothing():
    assert mark_in(new_reference(claimed(), "12")) == "12"
    assert mark_in(new_reference(claimed(), "")) == ""
    assert mark_in("parlance-1-1-0123456789ab") == ""
    kind = TranscriptionKind()
    job = {"engine": 3, "fallbacks": [12]}
    assert kind.cleanup_settings(job, {"reference": "parlance-1-1-12-0123456789ab"}) == {"engine": 12}
    assert kind.cleanup_settings(job, {"reference": "parlance-1-1-0123456789ab"}) == {"engine": 3}
    assert kind.cleanup_settings(job, {"id": "tr_1", "engine": 5}) == {"engine": 5}


@pytest.fixture
def three(db) -> list[SpeechEngine]:
    """Three engines."""
    return [
        SpeechEngine.objects.create(
            name=name, engine_type="native_v2", settings={"server_address": "https://93.184.216.34"}
        )
        for name in ("First", "Second", "Third")
    ]


def spans(three: list[SpeechEngine], stand_in: str) -> list[Span]:
    """Where the passes work that are started for each place."""
    settings = {"engine": three[0].pk, "fallbacks": [engine.pk for engine in three[1:]], "stand_in": stand_in}
    return [TranscriptionKind().span(settings, place) for place in range(4)]


ALONE = [Span(0, 0, 0), Span(1, 1, 1), Span(2, 2, FAR), Span(2, 2, FAR)]


def paused(engine: SpeechEngine) -> None:
    SpeechEngine.objects.filter(pk=engine.pk).update(paused_at=timezone.now())


def disabled(engine: SpeechEngine) -> None:
    SpeechEngine.objects.filter(pk=engine.pk).update(enabled=False)


def failing(engine: SpeechEngine) -> None:
    failing_circuit(circuit_key(engine))


def test_each_engine_does_its_own_and_the_last_what_a_longer_list_left_behind(three):
    assert spans(three, "failing") == ALONE
    assert TranscriptionKind().span({"engine": three[0].pk}, 0) == Span()


@pytest.mark.parametrize("spoil", [paused, disabled])
def test_who_cannot_be_used_is_waited_for_unless_the_job_lets_the_next_stand_in(three, spoil):
    spoil(three[0])
    assert spans(three, "") == ALONE
    assert spans(three, "paused")[:3] == [Span(1, 0, 1), Span(1, 0, 1), Span(2, 2, FAR)]
    spoil(three[1])
    assert spans(three, "paused")[:3] == [Span(2, 0, FAR)] * 3
    spoil(three[2])
    assert spans(three, "paused")[0].at == 0, "nobody is left: all wait"


def test_a_failing_engine_is_stood_in_for_only_where_the_job_says_so(three):
    failing(three[0])
    assert spans(three, "paused") == ALONE
    assert spans(three, "failing")[0] == Span(1, 0, 1)


def test_an_engine_that_a_tenant_may_not_use_is_passed_over(three, acme: Tenant, globex: Tenant):
    SpeechEngine.objects.filter(pk=three[1].pk).update(visibility="one_tenant", tenant=globex)
    chain = Chain.of({"engine": three[0].pk, "fallbacks": [three[1].pk, three[2].pk]})

    def onward(tenant: Tenant, place: int) -> Onward | None:
        return chain.onward(tenant, place, Traits("en-US", 5))

    assert onward(acme, 0) == Onward(2, "from “First” to “Third”")
    assert onward(globex, 0) == Onward(1, "from “First” to “Second”")
    assert onward(acme, 2) is None


def test_a_record_of_before_stands_at_the_first_engine(db, job, acme):
    from tests.jobs.pages import make_records

    [record] = make_records(job, acme)
    assert Record.objects.get(pk=record.pk).place == 0
