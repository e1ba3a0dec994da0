"""Usage and cost, and executions: what is summed, who sees which, files, and the words of requests by right."""

import csv
import io

import pytest
from django.urls import reverse
from django.utils import timezone

from aiassistant.executing.models import Execution
from aiassistant.rails.charging import charge
from aiassistant.rails.outcomes import count
from conversations.executions import Exchange, NewText, keep_texts
from conversations.models import Call
from core.money import money_cell, money_text, sums_text
from licensing.spending.models import DailySpend, Part
from tests.aiassistant.rails.conftest import PRICE, attempt, budget
from tests.conversations.calls import stored_call

pytestmark = pytest.mark.django_db
USAGE = "/administration/speech-analytics/ai-assistant/usage/"
LIST = "/administration/speech-analytics/ai-assistant/executions/"


def execution(tenant, engine, **changes):
    now = timezone.now()
    values = {"record_type": "call", "task_key": "rails_task", "task_label": "Rails v1", "task_version": 1}
    values |= {"engine": engine, "engine_name": engine.name, "state": "completed", "started_at": now, "ended_at": now}
    values |= {"record_id": attempt(engine, engine).record_id, "outputs": 2}
    return Execution.objects.create(tenant=tenant, **{**values, **changes})


@pytest.fixture
def spent(acme, globex, task, other_task, engine):
    """Acme 4 requests of one task, of which 2 are repetitions, and 1 of another; globex one in another currency."""
    rows = [attempt(task, engine, request="a", number=n, part=part) for n, part in enumerate(Part, 1)]
    charge(acme.pk, rows[:1] + rows[3:] + [attempt(other_task, engine, model="gpt-small", completion=0)])
    dollars = type(PRICE)(8, "*", PRICE.valid_from, "USD", *[PRICE.input] * 3, PRICE.batch_factor)
    charge(globex.pk, [attempt(task, engine, price=dollars)])
    failed = {"state": "failed", "reason": "invalid_output", "outputs": 0}
    done = [execution(acme, engine, missing=1), execution(acme, engine, **failed)]
    count(acme.pk, [*done, execution(acme, engine, state="skipped", reason="filtered", outputs=0)])
    count(globex.pk, [execution(globex, engine)])


def lines(response):
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"))))


def test_the_platform_sees_all_tenants_and_never_adds_two_currencies(spent, client_for, people):
    page = client_for(people.platform_admin).get(USAGE).content.decode()
    for text in ("Acme", "Globex", "0.011 EUR + 0.0022 USD", "By tenant", "Success by tenant"):
        assert text in page, text


def test_a_tenant_sees_its_own_alone(spent, client_for, people, globex):
    client = client_for(people.tenant_admin)
    page = client.get(USAGE).content.decode()
    assert "USD" not in page
    assert "By tenant" not in page
    assert client.get(f"{USAGE}?tenant={globex.pk}").status_code == 404
    assert client_for(people.agent).get(USAGE).status_code == 403


def test_files_have_bare_digits_and_add_up_to_the_daily_sums(spent, client_for, people, acme):
    client = client_for(people.platform_admin)
    for table in ("tenant", "task", "engine", "model", "day"):
        found = lines(client.get(f"{USAGE}?format=csv&table={table}"))
        assert sum(int(line["Prompt tokens"]) for line in found) == 5000, table
        euros = [line for line in found if line["Currency"] == "EUR"]
        assert sum(float(line["Cost"]) for line in euros) == pytest.approx(0.011), table
        assert sum(float(line["Cost of repetitions"]) for line in euros) == pytest.approx(0.006), table
    assert client.get(f"{USAGE}?format=csv&table=nonsense").status_code == 404
    assert sum(day.again for day in DailySpend.objects.filter(tenant=acme)) == 2


def test_filters_narrow_by_task_engine_and_model_and_nonsense_breaks_nothing(spent, client_for, people, other_task):
    client = client_for(people.platform_admin)
    found = lines(client.get(f"{USAGE}?format=csv&table=model&task={other_task.pk}"))
    assert [(line["By model"], line["Cost"]) for line in found] == [("gpt-small", "0.002000")]
    for query in ("?task=x&engine=99999999999&model=%27", "?month=", "?month=2020-02"):
        assert client.get(USAGE + query).status_code == 200, query
    for query in ("?month=2026-13", "?month=nonsense", "?tenant=x"):
        assert client.get(USAGE + query).status_code == 404, query


def test_success_and_missing_outputs_by_task_and_engine(spent, client_for, people):
    found = lines(client_for(people.tenant_admin).get(f"{USAGE}?format=csv&table=ended-task"))
    assert [(line["Name"], line["Engine"], line["Completed"], line["Failed"]) for line in found] == [
        ("Rails", "Model", "1", "1")
    ]
    assert found[0]["Of these: answer unusable"] == "1"
    assert (found[0]["Outputs"], found[0]["Missing outputs"], found[0]["Skipped"]) == ("2", "1", "1")


def test_budgets_show_their_pace_to_the_tenant_that_they_are_about(spent, client_for, people, acme, globex):
    budget("Acme euros", tenant=acme, currency="EUR", hard=22_000)
    budget("Globex tokens", tenant=globex, hard=10)
    page = client_for(people.tenant_admin).get(USAGE).content.decode()
    assert "Acme euros" in page
    assert "Globex tokens" not in page
    listed = client_for(people.tenant_admin).get(reverse("rails:budgets")).content.decode()
    assert "50.0 %" in listed
    assert "Globex" not in listed


def test_executions_are_listed_filtered_and_exported_within_the_visible_tenants(spent, client_for, people):
    client = client_for(people.tenant_admin)
    assert len(lines(client.get(f"{LIST}?format=csv"))) == 3
    assert len(lines(client.get(f"{LIST}?format=csv&state=failed&reason=invalid_output"))) == 1
    assert len(lines(client_for(people.platform_admin).get(f"{LIST}?format=csv"))) == 4


def test_request_and_answer_are_shown_to_those_alone_who_may_read_the_conversation(
    client_for, people, acme, engine, inside
):
    with inside(acme):
        call = stored_call(acme)
        one = execution(acme, engine, record_id=call.pk)
        words = [Exchange([("user", "<b>Secret</b> words")], "{}", "")]
        keep_texts(tenant=acme, items=[NewText(one.pk, "call", call.pk, words)])
    url = reverse("rails:execution", args=[one.pk])
    shown = client_for(people.tenant_admin).get(url).content.decode()
    assert "&lt;b&gt;Secret&lt;/b&gt; words" in shown
    elsewhere = client_for(people.platform_admin).get(url)
    assert elsewhere.status_code == 200
    assert "Secret" not in elsewhere.content.decode()
    with inside(acme):
        Call.objects.filter(pk=call.pk).update(confidential=True)
    hidden = client_for(people.tenant_admin).get(url).content.decode()
    assert "Secret" not in hidden
    assert reverse("conversations:call", args=[call.pk]) not in hidden


def test_money_is_written_with_its_currency_and_small_amounts_are_not_nothing():
    assert money_text(1_234_560_000, "EUR") == "1,234.56 EUR"
    assert money_text(2_000, "EUR") == "0.002 EUR"
    assert money_text(0, "EUR") == "0.00 EUR"
    assert money_cell(1) == "0.000001"
    assert sums_text({"USD": 10**6, "EUR": 500_000}) == "0.50 EUR + 1.00 USD"
    assert sums_text({}) == "–"
