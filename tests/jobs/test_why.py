""" "Why?" and the limits in the pipeline: denied, held, raised, gone through; charged once."""

import pytest

from core.outcomes import Reason
from jobs.holding import wake_held
from jobs.models import Record
from licensing.models import Account, Denial, Reservation
from tests.licensing.conftest import METER, set_limits, set_seats
from tests.polling import until

pytestmark = pytest.mark.django_db


def page(client, call) -> str:
    response = client.get(f"/calls/{call.pk}/why/")
    assert response.status_code == 200
    return response.content.decode()


def test_a_transcribed_call_is_charged_its_decoded_seconds_once(pipeline, client_for, people, acme):
    call = pipeline.call(seconds=5)
    pipeline.finish(call)
    reservation = Reservation.objects.get(subject_id=call.pk)
    assert (reservation.state, reservation.amount, reservation.meter) == ("settled", 5, METER)
    account = Account.objects.get(tenant=acme)
    assert (account.month_used, account.month_reserved) == (5, 0)
    shown = page(client_for(people.tenant_admin), call)
    assert "Charged" in shown
    assert "held by alan" in shown


def test_a_failed_call_gives_its_reservation_back(pipeline, acme):
    pipeline.job.max_checks = 1
    pipeline.job.save()
    pipeline.server.control("POST", "/_emu/hold", {"hold": True})
    call = pipeline.call(seconds=3)
    [record] = pipeline.finish(call)
    assert record.state == Record.State.FAILED
    assert Reservation.objects.get(subject_id=call.pk).state == "released"
    assert Account.objects.get(tenant=acme).life_reserved == 0


def test_an_aborted_record_gives_its_reservation_back(pipeline, acme, system):
    from jobs.actions import abort_records

    pipeline.server.control("POST", "/_emu/hold", {"hold": True})
    call = pipeline.call(seconds=3)
    until(lambda: pipeline.sweep() or pipeline.record_of(call).stage == Record.Stage.CHECKING, seconds=10)
    assert Account.objects.get(tenant=acme).month_reserved == 3
    abort_records(records=Record.objects.filter(record_id=call.pk), actor="test", audit_tenant=system)
    account = Account.objects.get(tenant=acme)
    assert (account.month_reserved, account.month_used) == (0, 0)


def test_a_limit_skips_the_record_and_a_raise_and_retry_let_it_through(pipeline, client_for, people, acme, system):
    from jobs.actions import retry_records

    set_limits(acme, org_month=0)
    call = pipeline.call(seconds=5)
    [record] = pipeline.finish(call)
    assert (record.state, record.reason) == (Record.State.SKIPPED, Reason.LIMIT_ORG_MONTH)
    shown = page(client_for(people.tenant_admin), call)
    assert "at most 0.0 min" in shown
    assert "0.0 + 0.1 min" in shown
    assert "hidden" in page(client_for(people.agent), call)
    set_limits(acme, org_month=10)
    assert "It would be processed" in page(client_for(people.tenant_admin), call)
    retry_records(records=Record.objects.filter(pk=record.pk), actor="test", audit_tenant=system)
    [again] = pipeline.finish(call)
    assert again.state == Record.State.COMPLETED
    assert Denial.objects.filter(subject_id=call.pk).count() == 1
    record_page = client_for(people.platform_admin).get(
        f"/administration/speech-analytics/transcription/jobs/{pipeline.job.pk}/records/{record.pk}/"
    )
    assert "at most 0.0 min" in record_page.content.decode()


def test_with_the_hold_policy_the_record_waits_and_a_raise_wakes_it(pipeline, acme):
    set_limits(acme, org_month=0, policy="hold")
    call = pipeline.call(seconds=3)
    until(lambda: pipeline.sweep() or pipeline.record_of(call).wait == Record.Wait.LIMIT, seconds=10)
    held = pipeline.record_of(call)
    assert (held.state, held.reason, held.uploads) == (Record.State.IN_PROGRESS, Reason.LIMIT_ORG_MONTH, 0)
    set_limits(acme, org_month=10, policy="hold")
    assert wake_held() == 1
    [record] = pipeline.finish(call)
    assert (record.state, record.reason) == (Record.State.COMPLETED, "")


def test_a_user_beyond_the_seats_is_skipped_and_the_page_says_the_place(pipeline, client_for, people, acme):
    from licensing.models import Bundle
    from licensing.services import grant

    grant(user=people.other_agent, bundle=Bundle.SPEECH_ANALYTICS, actor="test")
    set_seats(acme, 1)
    call = pipeline.call(username="olga", seconds=3)
    [record] = pipeline.finish(call)
    assert (record.state, record.reason) == (Record.State.SKIPPED, Reason.SEAT_EXCEEDED)
    shown = page(client_for(people.tenant_admin), call)
    assert "place 2" in shown
    assert "the first 1 by user name" in shown


def test_a_filter_says_what_it_saw_and_what_it_wants(pipeline, client_for, people):
    call = pipeline.call(seconds=1, audio=None)
    pipeline.finish(call)
    unlicensed = pipeline.call(username="olga", seconds=3)
    pipeline.finish(unlicensed)
    shown = page(client_for(people.tenant_admin), unlicensed)
    assert "Assign the licence to the user" in shown
    assert "User - License" in shown


def test_only_who_sees_the_call_may_ask(pipeline, client_for, people):
    call = pipeline.call(seconds=3)
    assert client_for(people.other_agent).get(f"/calls/{call.pk}/why/").status_code == 404
    assert client_for(people.stranger).get(f"/calls/{call.pk}/why/").status_code == 404
