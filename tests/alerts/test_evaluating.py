"""Rules fire after their minutes, tell once, and resolve; in a fixed number of queries."""

import smtplib
import uuid
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from alerts.evaluating import RETRY_AFTER, evaluate, send_mails
from alerts.models import AlertRule, Firing, Measure
from alerts.tasks import check_rules
from jobs.circuits.models import Circuit
from jobs.figures.folding import fold
from jobs.figures.histogram import histogram_of
from jobs.figures.models import FigureSlice, What
from jobs.models import JobDefinition
from jobs.workers.models import Worker
from licensing.alerts import check
from licensing.models import Meter
from queues.models import ProcessingQueue, QueueItem
from tests.usage.conftest import licensed, set_limits, use  # noqa: F401
from transcription.models import SpeechEngine

pytestmark = pytest.mark.django_db
NOW = timezone.now


@pytest.fixture
def job(acme):
    AlertRule.objects.all().delete()
    queue = ProcessingQueue.objects.create(name="Calls", events=["call.created"])
    engine = SpeechEngine.objects.create(name="Native", engine_type="native_v2", settings={})
    return JobDefinition.objects.create(
        name="Job", kind="transcription", source_queue=queue, settings={"engine": engine.pk}
    )


@pytest.fixture
def mail_server(settings):
    settings.EMAIL_HOST = "mail.example"
    settings.BASE_URL = "https://parlance.example/"


def rule(measure="lag", threshold=60, minutes=0, **values):
    return AlertRule.objects.create(
        name=f"Rule {AlertRule.objects.count()}", measure=measure, threshold=threshold, minutes=minutes, **values
    )


def happened(job, tenant, what, number, times=(), engine=None):
    FigureSlice.objects.create(
        at=NOW(),
        job_id=job.pk,
        engine=engine or str(job.settings["engine"]),
        tenant_id=tenant.pk,
        what=what,
        number=number,
        times=histogram_of(times),
    )
    fold()


def states():
    return list(Firing.objects.order_by("pk").values_list("state", flat=True))


def test_a_rule_fires_after_its_minutes_and_resolves_when_it_is_in_order(job, acme):
    rule(minutes=5)
    happened(job, acme, What.COMPLETED, 1, [(100, 100, 200)])
    start = NOW()
    assert evaluate(at=start) == 0
    assert states() == ["pending"]
    assert evaluate(at=start + timedelta(minutes=4)) == 0
    assert evaluate(at=start + timedelta(minutes=5)) == 1
    assert evaluate(at=start + timedelta(minutes=6)) == 0
    firing = Firing.objects.get()
    assert (firing.state, firing.since, firing.fired_at) == ("firing", start, start + timedelta(minutes=5))
    assert 120 < firing.value <= 300
    AlertRule.objects.update(threshold=1000)
    assert evaluate(at=start + timedelta(minutes=7)) == 0
    assert states() == ["resolved"]
    AlertRule.objects.update(threshold=60)
    evaluate(at=start + timedelta(minutes=8))
    assert states() == ["resolved", "pending"]


def test_what_was_wrong_too_shortly_leaves_no_trace(job, acme):
    rule(minutes=5)
    happened(job, acme, What.COMPLETED, 1, [(100, 100, 200)])
    evaluate()
    AlertRule.objects.update(threshold=1000)
    evaluate()
    assert states() == []


def break_lag(job, acme):
    happened(job, acme, What.COMPLETED, 1, [(100, 100, 200)])


def break_failures(job, acme):
    happened(job, acme, What.COMPLETED, 5)
    happened(job, acme, What.FAILED, 15)


def break_dead_letters(job, acme):
    happened(job, acme, What.FAILED, 60)


def item(job, acme, age=timedelta(hours=1)):
    QueueItem.objects.create(
        queue=job.source_queue,
        tenant=acme,
        record_type="call",
        record_id=uuid.uuid4(),
        event="call.created",
        published_at=NOW() - age,
        refreshed_at=NOW(),
    )


def break_unread(job, acme):
    item(job, acme)
    JobDefinition.objects.update(enabled=False)


def break_engine(job, acme):
    key = f"transcription:{job.settings['engine']}"
    Circuit.objects.create(key=key, state="open", window_began=NOW(), opened_at=NOW(), reason="503")


CASES = [
    ("lag", 60, break_lag, "95 % of live records were done within"),
    ("failures", 50, break_failures, "15 of 20 records failed"),
    ("dead_letters", 60, break_dead_letters, "60 records failed within an hour"),
    ("queue_age", 600, item, "Calls: the oldest item waits"),
    ("queue_unread", 1, break_unread, "Calls: 1 items that no enabled job reads"),
    ("engine", 1, break_engine, "Native: 503"),
    ("transaction", 0, lambda job, acme: None, "A transaction is open"),
]


@pytest.mark.parametrize(("measure", "threshold", "break_it", "text"), CASES, ids=[case[0] for case in CASES])
def test_each_measure_fires_from_its_threshold_on_and_not_below(job, acme, measure, threshold, break_it, text):
    found = rule(measure, threshold)
    if measure != "transaction":
        assert evaluate() == 0
    break_it(job, acme)
    if measure not in {"engine", "transaction"}:
        AlertRule.objects.update(threshold=threshold * 100 if measure != "failures" else 76)
        assert evaluate() == 0
        AlertRule.objects.update(threshold=threshold)
    assert evaluate() == 1
    assert Firing.objects.get(rule=found).text.startswith(text)


@pytest.mark.parametrize(("measure", "threshold"), [("failures", 50), ("dead_letters", 15)])
def test_what_another_engine_did_in_its_place_fires_the_rule_about_the_engine_alone(job, acme, measure, threshold):
    engine = SpeechEngine.objects.get()
    about_engine = rule(measure, threshold, engine=engine)
    rule(measure, threshold)
    happened(job, acme, What.COMPLETED, 20)
    assert evaluate() == 0
    happened(job, acme, What.PASSED_ON, 30)
    assert evaluate() == 1
    assert Firing.objects.get().rule == about_engine


def test_fewer_workers_than_the_threshold_fire(job):
    rule("workers", 1)
    worker = Worker.objects.create(
        id=uuid.uuid4(),
        name="w",
        host="h",
        pid=1,
        version="1",
        pool="prefork",
        processes=1,
        prefetch=1,
        started_at=NOW(),
        heartbeat_at=NOW(),
    )
    assert evaluate() == 0
    Worker.objects.filter(pk=worker.pk).update(heartbeat_at=NOW() - timedelta(minutes=1))
    assert evaluate() == 1


def test_a_limit_fires_for_each_tenant_at_its_share(job, acme, globex, licensed):  # noqa: F811
    rule("limit", 80)
    set_limits(acme, org_month=100)
    use(acme, licensed.agent, 79 * 60, at=NOW())
    check(Meter.TRANSCRIPTION_SECONDS)
    assert evaluate() == 0
    use(acme, licensed.agent, 60, at=NOW())
    check(Meter.TRANSCRIPTION_SECONDS)
    assert evaluate() == 1
    assert Firing.objects.get().text.startswith("Acme: Monthly limit of the organisation: 80.0 % used")


@pytest.mark.parametrize("scope", ["tenant", "job", "engine"])
def test_a_scope_narrows_what_is_measured(job, acme, globex, scope):
    other_engine = SpeechEngine.objects.create(name="Other", engine_type="native_v2", settings={})
    other_job = JobDefinition.objects.create(name="Job B", kind="transcription", settings={"engine": other_engine.pk})
    mine = {"tenant": acme, "job": job, "engine": SpeechEngine.objects.get(name="Native")}
    theirs = {"tenant": globex, "job": other_job, "engine": other_engine}
    rule("dead_letters", 5, **{scope: mine[scope]})
    happened(other_job, globex, What.FAILED, 9)
    assert evaluate() == 0
    AlertRule.objects.update(**{f"{scope}_id": theirs[scope].pk})
    assert evaluate() == 1


def test_the_number_of_queries_does_not_grow_with_the_rules(job, acme, django_assert_max_num_queries):
    for measure in Measure.values:
        for tenant in (None, acme, None, None):
            rule(measure, 1, tenant=tenant)
    with django_assert_max_num_queries(20):
        evaluate()


def test_a_disabled_rule_ends_what_it_fires(job, acme):
    rule()
    break_lag(job, acme)
    assert evaluate() == 1
    AlertRule.objects.update(enabled=False)
    evaluate()
    assert states() == ["resolved"]


def test_one_mail_a_firing_to_all_recipients(job, acme, mail_server):
    rule(recipients=["a@ops.example", "b@ops.example"])
    break_lag(job, acme)
    check_rules()
    check_rules()
    [sent] = mail.outbox
    assert sent.recipients() == ["a@ops.example", "b@ops.example"]
    assert sent.to == ["a@ops.example"]
    assert "95 % of live records" in sent.body
    assert (
        f"https://parlance.example/administration/system/alerts/history/?rule={AlertRule.objects.get().pk}" in sent.body
    )
    assert Firing.objects.get().mailed_at is not None


def test_a_rule_without_recipients_and_a_snoozed_one_mail_nobody(job, acme, mail_server):
    rule()
    snoozed = rule(recipients=["a@ops.example"], snoozed_until=NOW() + timedelta(hours=1), snoozed_by="root@system")
    break_lag(job, acme)
    check_rules()
    assert mail.outbox == []
    assert Firing.objects.get(rule=snoozed).snoozed_by == "root@system"
    send_mails(at=NOW() + timedelta(hours=2))
    assert len(mail.outbox) == 1


def test_a_refused_mail_is_tried_again_after_a_quarter_and_not_before(job, acme, mail_server, monkeypatch):
    rule(recipients=["a@ops.example"])
    break_lag(job, acme)
    evaluate()
    backend = "django.core.mail.backends.locmem.EmailBackend.send_messages"
    with monkeypatch.context() as patch:

        def refuse(self, messages):
            raise smtplib.SMTPRecipientsRefused({})

        patch.setattr(backend, refuse)
        assert send_mails() == 0
    assert send_mails() == 0
    assert send_mails(at=NOW() + RETRY_AFTER + timedelta(minutes=1)) == 1


def test_without_a_mail_server_nothing_is_claimed(job, acme, settings):
    settings.EMAIL_HOST = ""
    rule(recipients=["a@ops.example"])
    break_lag(job, acme)
    check_rules()
    assert Firing.objects.get().claimed_at is None


def test_a_test_is_sent_once_and_says_what_became_of_it(job, mail_server):
    found = rule(recipients=["a@ops.example"], test_asked_at=NOW())
    check_rules()
    check_rules()
    assert [message.subject for message in mail.outbox] == [f"Test: {found.name}"]
    found.refresh_from_db()
    assert (found.test_asked_at, found.test_result) == (None, "Sent to 1 recipients.")


def test_the_first_rules_are_there_and_mail_nobody():
    rules = AlertRule.objects.filter(recipients=[], enabled=True)
    assert {found.measure for found in rules} == set(Measure.values)
