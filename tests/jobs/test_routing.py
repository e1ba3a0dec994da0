"""What engines are meant for: each recording begins at the first engine of the job that is meant for it (ADR 0022)."""

import pytest
from django.urls import reverse
from pydantic import ValidationError

from jobs.models import JobDefinition, Record
from licensing.models import Entry
from tests.jobs.chains import POST, books, fault, finish, left, sweep_first
from tests.jobs.pages import shown
from transcription.engines.native.options import NativeOptions
from transcription.engines.options import Traits, meant_for
from transcription.models import SpeechEngine

pytestmark = pytest.mark.django_db


def meant(name: str, **values) -> None:
    """Say what the engine of this name is meant for."""
    engine = SpeechEngine.objects.get(name=name)
    SpeechEngine.objects.filter(pk=engine.pk).update(
        settings={**engine.settings, **{f"meant_{key}": value for key, value in values.items()}}
    )


@pytest.mark.parametrize(
    ("values", "ours", "others"),
    [
        ({"languages": "he, ar-IL"}, {"language": "he-IL"}, {"language": "en-US"}),
        ({"to_s": 6}, {"seconds": 6}, {"seconds": 7}),
        ({"from_s": 7}, {"seconds": 7}, {"seconds": 6}),
    ],
)
def test_a_recording_begins_at_the_first_engine_that_is_meant_for_it(chained, second, values, ours, others):
    meant("Tones", **values)
    mine, other = chained.call(**ours), chained.call(**others)
    first, there = finish(chained, mine), finish(chained, other)
    assert [(record.state, record.place) for record in (first, there)] == [("completed", 0), ("completed", 1)]
    assert books(first) == [("reserve", "Tones"), ("settle", "Tones")]
    assert books(there)[-1] == ("settle", "Other")
    assert chained.uploads(other) == []
    assert left(chained, second, there) == (0, 0)


def test_a_recording_that_an_engine_fails_goes_on_only_to_one_that_is_meant_for_it(chained):
    meant("Other", languages="he")
    fault(chained, match=POST, status=415, times=2)
    assert finish(chained, chained.call(language="he-IL")).place == 1
    failed = finish(chained, chained.call(language="en-US"))
    assert (failed.state, failed.place, failed.reason) == ("failed", 0, "engine_input")


def test_a_recording_that_no_engine_is_meant_for_is_left_out_with_the_reason_and_not_charged(
    chained, client_for, people, acme
):
    meant("Tones", languages="he")
    meant("Other", to_s=3)
    record = finish(chained, chained.call(language="en-US"))
    assert (record.state, record.reason) == ("skipped", "filtered:engine.meant")
    assert not Entry.objects.filter(record=record.pk).exists()
    why = shown(client_for(people.tenant_admin), reverse("why:call", args=[record.record_id]))
    assert "What the engine is meant for" in why
    assert "en-US, 5 s" in why
    assert Record.objects.get(pk=record.pk).uploads == 0


def test_what_was_routed_and_not_sent_is_judged_by_the_filters_of_now(chained):
    meant("Tones", languages="he")
    call = chained.call(language="en-US")
    sweep_first(chained)
    assert (chained.record_of(call).place, chained.record_of(call).stage) == (1, "new")
    tagged = [{"field": "call.tag", "op": "is", "value": "vip"}]
    JobDefinition.objects.filter(pk=chained.job.pk).update(filters=tagged)
    record = finish(chained, call)
    assert (record.state, record.reason) == ("skipped", "filtered:call.tag")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"meant_languages": "he, not a tag"}, "meant_languages"),
        ({"meant_from_s": 60, "meant_to_s": 59}, "meant_to_s"),
        ({"meant_from_s": -1}, "meant_from_s"),
        ({"meant_to_s": 0}, "meant_to_s"),
    ],
)
def test_what_is_no_list_of_languages_or_no_range_is_refused_by_name(values, field):
    good = {"server_address": "https://93.184.216.34"}
    with pytest.raises(ValidationError) as refused:
        NativeOptions(**good, **values)
    assert [error["loc"] for error in refused.value.errors()] == [(field,)]
    assert NativeOptions(**good, meant_languages="HE, ar-il, he").meant_languages == "he, ar-IL"
    assert NativeOptions(**good, meant_from_s=60, meant_to_s=60).meant_to_s == 60


def test_a_recording_of_unknown_language_is_for_engines_of_all_languages_alone():
    assert meant_for({}, Traits("", 5))
    assert not meant_for({"meant_languages": "he"}, Traits("", 5))
    assert meant_for({"meant_languages": "he"}, Traits("he-IL", 5))
    assert not meant_for({"meant_languages": "he-IL"}, Traits("en-US", 5))
