"""/metrics: off without a token, only for who shows it and stands where it is allowed, in five queries."""

import re
import uuid
from ipaddress import ip_network

import pytest
from django.utils import timezone

from jobs.circuits.models import Circuit
from jobs.figures.folding import fold
from jobs.figures.histogram import histogram_of
from jobs.figures.models import FigureSlice, What
from jobs.models import JobDefinition, Run
from queues.models import ProcessingQueue, QueueItem
from tenants.models import Tenant
from transcription.models import SpeechEngine
from usage import metrics as module
from usage.exposition import Metric, written

TOKEN = "a-token-of-the-tests-that-is-long-enough"
SHOWN = {"Authorization": f"Bearer {TOKEN}"}
LINE = re.compile(r'[a-z_0-9]+(\{([a-z]+="([^"\\\n]|\\.)*",?)+\})? -?[0-9.e+-]+\Z')


@pytest.fixture
def with_token(settings):
    settings.METRICS_TOKEN = TOKEN


@pytest.fixture
def world(acme, globex):
    now = timezone.now()
    queue = ProcessingQueue.objects.create(name='Read "it"', events=["call.created"])
    QueueItem.objects.create(
        queue=queue,
        tenant=acme,
        record_type="call",
        record_id=uuid.uuid4(),
        event="call.created",
        published_at=now,
        refreshed_at=now,
    )
    engine = SpeechEngine.objects.create(name="Up", engine_type="native_v2", settings={})
    broken = SpeechEngine.objects.create(name="Fails", engine_type="native_v2", settings={})
    Circuit.objects.create(key=f"transcription:{broken.pk}", state="open", window_began=now, opened_at=now)
    job = JobDefinition.objects.create(name="Job", kind="transcription", settings={"engine": engine.pk})
    Run.objects.create(
        job=job, number=1, day=now.date(), started_at=now, last_activity_at=now, completed=7, failed=2, taken=9
    )
    for tenant, what, number, times in [
        (acme, What.COMPLETED, 4, histogram_of([(3, 40, 43)] * 4)),
        (acme, What.FAILED, 2, []),
        (globex, What.FAILED, 1, []),
    ]:
        FigureSlice.objects.create(
            at=now, job_id=job.pk, engine=str(engine.pk), tenant_id=tenant.pk, what=what, number=number, times=times
        )
    fold()
    return engine


def samples(text):
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def test_without_a_token_in_the_settings_there_is_no_such_page(client, db, settings):
    settings.METRICS_TOKEN = ""
    for headers in ({}, SHOWN, {"Authorization": "Bearer "}):
        assert client.get("/metrics", headers=headers).status_code == 404


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer שלום"])
def test_only_the_right_token_opens_it(client, with_token, world, given):
    refused = client.get("/metrics", headers={"Authorization": given} if given else {})
    assert refused.status_code == 401
    assert refused["WWW-Authenticate"] == "Bearer"
    assert b"parlance_" not in refused.content
    assert client.get("/metrics", headers=SHOWN).status_code == 200


def test_an_account_is_no_token(client_for, people, with_token):
    assert client_for(people.platform_admin).get("/metrics").status_code == 401


def test_only_listed_addresses_may_ask(client, with_token, world, settings):
    settings.METRICS_ADDRESSES = [ip_network("10.1.0.0/16"), ip_network("::1/128")]
    for address, status in [("10.1.2.3", 200), ("10.2.2.3", 404), ("::1", 200), ("", 404)]:
        assert client.get("/metrics", headers=SHOWN, REMOTE_ADDR=address).status_code == status, address
    assert client.get("/metrics", REMOTE_ADDR="10.1.2.3").status_code == 401


def test_it_says_how_queues_jobs_engines_and_tenants_fare(client, with_token, world, django_assert_max_num_queries):
    with django_assert_max_num_queries(6):
        answer = client.get("/metrics", headers=SHOWN)
    text = answer.content.decode()
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "Set-Cookie" not in answer
    for line in text.splitlines():
        assert line.startswith(("# HELP parlance_", "# TYPE parlance_")) or LINE.match(line), line
    found = samples(text)
    engine = world.pk
    assert found['parlance_queue_pending{queue="Read \\"it\\""}'] == "1"
    assert found['parlance_records_total{job="Job",kind="transcription",what="completed"}'] == "7"
    assert found[f'parlance_records_recent{{job="Job",engine="{engine}",what="failed"}}'] == "3"
    assert 2 < float(found['parlance_lag_seconds{job="Job",stage="wait",quantile="0.95"}']) <= 5
    assert 30 < float(found['parlance_lag_seconds{job="Job",stage="total",quantile="0.5"}']) <= 60
    ups = {key.rsplit('name="', 1)[1]: value for key, value in found.items() if key.startswith("parlance_engine_up")}
    assert ups == {'Up"}': "1", 'Fails"}': "0"}
    assert found['parlance_tenant_failed_24h{tenant="Acme"}'] == "2"
    assert found['parlance_tenant_failed_24h{tenant="other"}'] == "0"
    assert found["parlance_workers"] == "0"
    assert float(found["parlance_oldest_transaction_seconds"]) >= 0


def test_however_many_tenants_fail_only_the_worst_are_named(client, with_token, world, monkeypatch):
    monkeypatch.setattr(module, "TENANTS", 1)
    found = samples(client.get("/metrics", headers=SHOWN).content.decode())
    named = {key: value for key, value in found.items() if key.startswith("parlance_tenant_failed")}
    assert named == {
        'parlance_tenant_failed_24h{tenant="Acme"}': "2",
        'parlance_tenant_failed_24h{tenant="other"}': "1",
    }
    assert Tenant.objects.count() > 2


def test_labels_are_escaped_and_numbers_are_plain():
    metric = Metric("m", "gauge", "Help.")
    metric.add(1, name='a"b\\c\nd')
    metric.add(0.12345)
    metric.add(None, name="left out")
    assert written([metric]) == '# HELP m Help.\n# TYPE m gauge\nm{name="a\\"b\\\\c\\nd"} 1\nm 0.123\n'
