"""What AI tasks asked and heard: kept in the tenant, gone with the conversation and with time."""

from datetime import timedelta

import pytest
from django.utils import timezone

from conversations.execution_models import ExecutionText
from conversations.executions import Exchange, NewText, exchanges_of, keep_texts, sweep_texts
from conversations.models import Call
from conversations.services import delete_call
from core.ids import uuid7
from tenants.doors import WrongTenant, enter

pytestmark = pytest.mark.django_db
SAID = [Exchange([("system", "Judge."), ("user", "[00:01] hello")], '{"a": 1}'), Exchange([], "\ud800x", "broken")]


def made(acme):
    call = Call.objects.create(external_id="x1", started_at=timezone.now())
    text = NewText(uuid7(), "call", call.pk, SAID)
    keep_texts(tenant=acme, items=[text])
    return call, text


def test_what_was_asked_and_answered_comes_back_without_what_no_encoding_holds(acme):
    with enter(acme):
        _call, text = made(acme)
        first, second = exchanges_of(text.execution_id)
        assert (first.request, first.answer) == (SAID[0].request, '{"a": 1}')
        assert (second.answer, second.note) == ("x", "broken")
        keep_texts(tenant=acme, items=[text])
        assert ExecutionText.objects.count() == 1


def test_it_goes_with_the_conversation(acme):
    with enter(acme):
        call, text = made(acme)
        delete_call(tenant=acme, call_id=call.pk, actor="test")
        assert exchanges_of(text.execution_id) == []


@pytest.mark.parametrize(("days", "age", "left"), [(None, 29, 1), (None, 31, 0), (7, 8, 0), (90, 31, 0)])
def test_it_is_pruned_after_thirty_days_or_with_the_transcripts_of_the_tenant(acme, days, age, left):
    with enter(acme):
        made(acme)
    created = timezone.now() - timedelta(days=age)
    acme.transcript_days = days
    acme.save(update_fields=["transcript_days"])
    acme.refresh_from_db()
    with enter(acme):
        ExecutionText.objects.update(created_at=created)
        sweep_texts()
        assert ExecutionText.objects.count() == left


def test_it_is_kept_inside_its_tenant_only(acme, globex):
    with enter(globex), pytest.raises(WrongTenant):
        keep_texts(tenant=acme, items=[])
