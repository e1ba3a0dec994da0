""" "Why?" and the limits in the pipeline: denied, held, raised, gone through; charged once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from core.outcomes import Reason
from jobs.models import Record
from jobs.policy.models import RateWindow
from jobs.upkeep.holding import MARGIN_S, wake_held
from licensing.models import Account, Bundle, Denial, Reservation
from licensing.services import grant, save_person, set_enabled, set_licence
from tests.jobs.pages import failing_circuit
from tests.licensing.conftest import METER, set_limits, set_seats
from tests.polling import until
from transcription.selectors import circuit_key

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


def verdicts(client, call) -> list[str]:
    response = client.get(f"/calls/{call.pk}/why/")
    return [explanation.verdict for explanation in response.context["now"]]


@pytest.fixture
def judged(pipeline, acme):
    """A call of alan that a job has looked at."""
    set_limits(acme, org_month=0)
    call = pipeline.call(seconds=3)
    pipeline.finish(call)
    set_limits(acme, org_month=None)
    return call


def test_a_user_who_has_used_his_own_maximum_is_denied_now_whatever_others_have_left(
    judged, pipeline, client_for, people, acme
):
    from licensing.ledger import reserve, settle
    from tests.licensing.conftest import request

    set_limits(acme, user_month=2000, per_user="hard")
    admin = client_for(people.tenant_admin)
    assert verdicts(admin, judged) == ["It would be processed."]
    taken = request(people.agent, 2000 * 60)
    reserve(tenant_id=acme.pk, meter=METER, requests=[taken])
    settle(tenant_id=acme.pk, meter=METER, keys=[taken.key])
    assert verdicts(admin, judged) == ["It would not be processed: Monthly limit per user."]
    assert "2,000.0 + 0.1 min" in page(admin, judged)
    set_limits(acme, user_month=2000, per_user="pool")
    grant(user=people.other_agent, bundle=Bundle.SPEECH_ANALYTICS, actor="test")
    assert verdicts(admin, judged) == ["It would be processed."]


@pytest.mark.parametrize(
    ("what", "label", "seen"),
    [
        ({"engine": {"visibility": "one_tenant"}}, "Visibility of the engine", "another tenant"),
        ({"engine": {"enabled": False}}, "Speech engine", "disabled"),
        ({"engine": {"paused_at": timezone.now(), "pause_reason": "key 123 refused"}}, "Speech engine", "paused"),
        ({"engine": {"settings": {}}}, "Speech engine", "not usable"),
        ({"job": {"settings": {"engine": 0}}}, "Speech engine", "deleted"),
        ({"job": {"enabled": False}}, "Job", "disabled"),
        ({"job": {"access_scope": "one_tenant"}}, "Access scope", "does not include this tenant"),
    ],
)
def test_job_and_engine_are_part_of_the_answer(judged, pipeline, client_for, people, globex, what, label, seen):
    admin = client_for(people.tenant_admin)
    assert verdicts(admin, judged) == ["It would be processed."]
    for name, values in what.items():
        row = getattr(pipeline, name)
        if "one_tenant" in values.values():
            values = values | {"tenant": globex}
        type(row).objects.filter(pk=row.pk).update(**values)
    assert verdicts(admin, judged) == [f"It would not be processed: {label}."]
    shown = page(admin, judged)
    assert seen in shown
    for secret in ("key 123", pipeline.engine.name, globex.name):
        assert secret not in shown


def test_an_open_circuit_is_named_without_saying_what_the_engine_answered(judged, pipeline, client_for, people):
    admin = client_for(people.tenant_admin)
    assert verdicts(admin, judged) == ["It would be processed."]
    circuit = failing_circuit(circuit_key(pipeline.engine), reason="HTTP 503 from 10.1.2.3")
    assert verdicts(admin, judged) == ["It would not be processed: Speech engine."]
    shown = page(admin, judged)
    assert "failing: nothing is sent to it until it has answered a probe" in shown
    assert "10.1.2.3" not in shown
    type(circuit).objects.update(state="closed")
    assert verdicts(admin, judged) == ["It would be processed."]


@pytest.mark.parametrize(
    ("rate", "label"), [("rate", "Rate of the job"), ("tenant_rate", "Rate of the job for one tenant")]
)
def test_a_rate_that_is_used_up_is_named_and_one_that_is_not_passes(
    judged, pipeline, client_for, people, acme, rate, label
):
    admin = client_for(people.tenant_admin)
    pipeline.job.__class__.objects.filter(pk=pipeline.job.pk).update(**{rate: 2})
    now = timezone.now().timestamp()
    window = RateWindow.objects.create(
        job=pipeline.job, tenant=acme if rate == "tenant_rate" else None, spent=[[now, 1]], over_at=now + 60
    )
    assert verdicts(admin, judged) == ["It would be processed."]
    assert "at most 2 a minute" in page(admin, judged)
    RateWindow.objects.filter(pk=window.pk).update(spent=[[now, 2]])
    assert verdicts(admin, judged) == [f"It would not be processed: {label}."]
    assert "used up for this minute" in page(admin, judged)
    RateWindow.objects.filter(pk=window.pk).update(spent=[[now - 61, 2]])
    assert verdicts(admin, judged) == ["It would be processed."]


def test_that_the_engine_asked_to_wait_is_said_with_the_time(judged, pipeline, client_for, people):
    admin = client_for(people.tenant_admin)
    later = timezone.now() + timedelta(minutes=9)
    Record.objects.update(state="in_progress", stage="new", generation=2, wait="rate_limited", next_at=later)
    assert verdicts(admin, judged) == ["It would not be processed: Rate limit of the engine."]
    assert "asked to wait until" in page(admin, judged)
    Record.objects.update(next_at=timezone.now() - timedelta(seconds=1))
    assert verdicts(admin, judged) == ["It would be processed."]


def test_a_job_and_an_engine_of_the_own_tenant_pass(judged, pipeline, client_for, people, acme):
    type(pipeline.job).objects.filter(pk=pipeline.job.pk).update(access_scope="one_tenant", tenant=acme)
    assert verdicts(client_for(people.tenant_admin), judged) == ["It would be processed."]


def test_advice_leads_only_where_the_viewer_may_go_and_names_are_encoded(pipeline, client_for, people, acme):
    from accounts.models import Role, User

    User.objects.filter(pk=people.agent.pk).update(username="al+an & co", username_key="al+an & co")
    grant(user=people.other_agent, bundle=Bundle.SPEECH_ANALYTICS, actor="test")
    set_seats(acme, 0)
    call = pipeline.call(username="olga", seconds=3)
    pipeline.finish(call)
    admin = client_for(people.tenant_admin)
    seats = f"/tenants/{acme.pk}/seats/"
    assert seats in page(admin, call)
    rights = sorted(people.tenant_admin.role.permissions - {"licence_limits.view"})
    role = Role.objects.create(tenant=acme, name="No licence limits", scope="system", granted=rights)
    User.objects.filter(pk=people.supervisor.pk).update(role=role)
    limited = page(client_for(User.objects.get(pk=people.supervisor.pk)), call)
    assert "See who has a seat" in limited
    assert seats not in limited
    call = pipeline.call(username="al+an & co", seconds=3)
    set_licence(
        users=User.objects.filter(pk=people.agent.pk),
        bundle=Bundle.SPEECH_ANALYTICS,
        held=False,
        editor=people.platform_admin,
    )
    pipeline.finish(call)
    assert "?q=al%2Ban+%26+co" in page(admin, call)


@pytest.mark.parametrize("how", ["many", "one"])
def test_enabling_a_licensed_user_wakes_what_the_pool_held_back_and_an_edit_of_a_name_does_not(
    pipeline, people, acme, how
):
    from accounts.models import User

    grant(user=people.other_agent, bundle=Bundle.SPEECH_ANALYTICS, actor="test")
    User.objects.filter(pk=people.other_agent.pk).update(is_active=False)
    set_limits(acme, user_month=1, policy="hold")
    call = pipeline.call(seconds=70)
    until(lambda: pipeline.sweep() or pipeline.record_of(call).wait == Record.Wait.LIMIT, seconds=10)
    Record.objects.filter(record_id=call.pk).update(last_processed_at=timezone.now() + timedelta(seconds=MARGIN_S))
    assert wake_held() == 0
    save(people.other_agent, people.platform_admin, username="olga2")
    save(people.other_agent, people.platform_admin, full_name="Olga Two")
    assert wake_held() == 0
    if how == "many":
        users = User.objects.filter(tenant=acme)
        assert set_enabled(users=users, enabled=True, editor=people.platform_admin) == 1
    else:
        save(people.other_agent, people.platform_admin, is_active=True)
    Record.objects.filter(record_id=call.pk).update(last_processed_at=timezone.now())
    assert wake_held() == 1


def save(user, editor, **values) -> None:
    user.refresh_from_db()
    names = ("username", "full_name", "email", "role", "group", "managed_groups", "time_zone", "is_active")
    stored = {name: getattr(user, name) for name in names}
    save_person(
        user=user, tenant=user.tenant, version=user.version, values=stored | values, licences=None, editor=editor
    )


def test_only_who_sees_the_call_may_ask(pipeline, client_for, people):
    call = pipeline.call(seconds=3)
    assert client_for(people.other_agent).get(f"/calls/{call.pk}/why/").status_code == 404
    assert client_for(people.stranger).get(f"/calls/{call.pk}/why/").status_code == 404
