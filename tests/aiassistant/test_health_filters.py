"""AI jobs filter by the health of transcripts."""

import pytest

from aiassistant.facts import FILTER_FIELDS, filter_facts
from conversations.models import Transcript
from conversations.texts import text_facts
from jobs.filters import judge_filters, validate
from tests.conversations.calls import stored_call, transcribed

LOOPS = [{"field": "transcript.flag", "op": "is", "value": "repetition"}]
WITHOUT_LOOPS = [{"field": "transcript.flag", "op": "is_not", "value": "repetition"}]
GOOD = [{"field": "transcript.health", "op": "between", "value": [80, 100]}]
UNJUDGED = [{"field": "transcript.health", "op": "empty", "value": None}]


@pytest.mark.django_db
def test_clauses_see_the_score_and_the_flags_of_the_current_transcript(acme, inside):
    with inside(acme):
        calls = {name: stored_call(acme, name) for name in ("loop", "good", "old")}
        transcribed(acme, calls["loop"], "no " * 20)
        transcribed(acme, calls["good"], "hello there")
        transcribed(acme, calls["old"], "hello there")
        Transcript.objects.filter(call=calls["old"]).update(health_score=None)
        known = text_facts([call.pk for call in calls.values()])
        facts = {name: filter_facts(acme, known[call.pk], set()) for name, call in calls.items()}

    def met(clauses) -> set[str]:
        clean = validate(clauses, FILTER_FIELDS)
        return {name for name, seen in facts.items() if judge_filters(clean, seen)[0] is None}

    assert met(LOOPS) == {"loop"}
    assert met(WITHOUT_LOOPS) == {"good", "old"}
    assert met(GOOD) == {"good"}
    assert met(UNJUDGED) == {"old"}
