"""AI engines: saving, what is learned of their servers, prices, defaults."""

import asyncio
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from aiassistant.engines.capabilities import Capabilities
from aiassistant.models import AIEngine, AIEngineTest, DefaultEngine, EnginePrice
from aiassistant.selectors import adapter_for, engine_table, engines_for, prices_of
from aiassistant.services import add_price, clear_default, learn, learn_tokens, save_engine, set_default
from aiassistant.testing import run_test
from core.errors import Conflict, InvalidInput
from engines.prices import delete_price
from tenants.selectors import system_tenant
from tests.audit.changes.engines import AI

pytestmark = pytest.mark.django_db
KEY = "sk-s3cret-that-nobody-sees"
SETTINGS = {"base_url": "https://93.184.216.34/v1", "model": "gpt-test"}


@pytest.fixture
def root(client_for, people):
    return client_for(people.platform_admin)


@pytest.fixture
def engine(db):
    return saved(None)


def saved(engine, *, secrets=None, tenants=(), settings=SETTINGS, **changes):
    values = {"name": "Model", "engine_type": "openai", "enabled": True, "visibility": "global", "tenant": None}
    return save_engine(
        engine=engine,
        values={**values, **changes},
        settings=settings,
        secrets={"api_key": KEY} if secrets is None else secrets,
        tenants=tenants,
        actor="system:test",
        audit_tenant=system_tenant(),
    )


def who():
    return {"actor": "system:test", "audit_tenant": system_tenant()}


def price_of(**changes):
    values = {"model_pattern": "*", "valid_from": date(2026, 1, 1), "currency": "EUR", "batch_factor": Decimal(1)}
    return {**values, "input": Decimal("2.5"), "cached_input": Decimal("0.25"), "output": Decimal(10), **changes}


def test_the_form_shows_the_settings_of_the_type_and_never_the_key(root, engine):
    page = root.get(reverse("aiassistant:engine", args=[engine.pk])).content.decode()
    for label in ("Model", "API key", "Context window", "Structured answers", "Chosen tenants", "Requests per minute"):
        assert label in page, label
    assert KEY not in page
    assert adapter_for(engine).options.api_key.get_secret_value() == KEY


def test_a_key_is_not_sent_to_another_server_than_it_was_entered_for(engine):
    with pytest.raises(InvalidInput) as refused:
        saved(engine, secrets={}, settings={**SETTINGS, "base_url": "https://93.184.216.35/v1"})
    assert refused.value.field == "api_key"
    assert saved(engine, secrets={}, settings={**SETTINGS, "model": "other"}).settings["model"] == "other"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"base_url": "http://169.254.169.254/v1"}, "base_url"),
        ({"model": ""}, "model"),
        ({"max_output_tokens": "9000"}, "max_output_tokens"),
        ({"temperature": "2.5"}, "temperature"),
        ({"api": "other"}, "api"),
        ({"visibility": "tenants"}, "tenants"),
        ({"visibility": "one_tenant"}, "tenant"),
        ({"api_key": "two words"}, "api_key"),
    ],
)
def test_a_bad_setting_is_refused_by_its_field(root, changes, field):
    page = root.post(reverse("aiassistant:add"), {**AI, **changes})
    assert page.status_code == 422
    assert field in page.context["form"].errors
    assert not AIEngine.objects.exists()


def test_what_was_learned_is_kept_until_server_or_model_change(engine):
    assert learn(engine=engine, capabilities=Capabilities(json_schema=False))
    assert not learn(engine=engine, capabilities=Capabilities(json_schema=False))
    assert adapter_for(AIEngine.objects.get()).capabilities.rung == "json_object"
    engine = saved(AIEngine.objects.get(), name="Renamed")
    assert engine.capabilities["json_schema"] is False
    engine = saved(engine, settings={**SETTINGS, "model": "gpt-other"})
    assert AIEngine.objects.get().capabilities == {}


def test_small_steps_of_the_calibration_are_not_written(engine):
    learn_tokens(engine=engine, reported=101, estimated=100)
    assert AIEngine.objects.get().calibration == 1.0
    learn_tokens(engine=engine, reported=200, estimated=100)
    assert AIEngine.objects.get().calibration == pytest.approx(1.2)


def test_only_the_chosen_tenants_may_use_an_engine_of_that_visibility(acme, globex):
    chosen = saved(None, visibility="tenants", tenants=[acme])
    assert list(engines_for(acme)) == [chosen]
    assert list(engines_for(globex)) == []
    assert engine_table().choose(globex.pk, job=chosen.pk).obstacle == "not_allowed"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"input": Decimal(-1)}, "input"),
        ({"output": Decimal("NaN")}, "output"),
        ({"batch_factor": Decimal(2)}, "batch_factor"),
        ({"currency": "euro"}, "currency"),
        ({"currency": "USD"}, "currency"),
        ({"model_pattern": "a*b"}, "model_pattern"),
        ({}, "valid_from"),
    ],
)
def test_a_price_that_cannot_be_is_refused_by_its_field(engine, changes, field):
    add_price(engine=engine, values=price_of(), **who())
    with pytest.raises(InvalidInput) as refused:
        add_price(engine=engine, values=price_of(**changes), **who())
    assert refused.value.field == field
    assert len(prices_of([engine.pk])[engine.pk]) == 1


def test_a_price_that_holds_stays_and_one_to_come_can_be_deleted(engine):
    old = add_price(engine=engine, values=price_of(), **who())
    coming = add_price(engine=engine, values=price_of(valid_from=timezone.localdate() + timedelta(days=9)), **who())
    delete_price(price=coming, **who())
    with pytest.raises(Conflict):
        delete_price(price=old, **who())
    assert list(EnginePrice.objects.all()) == [old]


def test_a_default_must_be_usable_by_those_it_is_for(engine, acme, globex):
    own = saved(None, name="Own", visibility="one_tenant", tenant=acme)
    set_default(tenant=None, engine=engine, **who())
    set_default(tenant=acme, engine=own, **who())
    for tenant in (None, globex):
        with pytest.raises(InvalidInput):
            set_default(tenant=tenant, engine=own, **who())
    assert engine_table().choose(acme.pk).engine == own
    assert engine_table().choose(globex.pk).engine == engine
    clear_default(default=DefaultEngine.objects.get(tenant=acme), **who())
    assert engine_table().choose(acme.pk).engine == engine


def test_a_test_of_the_built_in_engine_passes_and_keeps_what_it_answered():
    built_in = saved(None, name="Built-in", engine_type="offline", settings={}, secrets={})
    test = AIEngineTest.objects.create(engine=built_in)
    run_test(str(test.pk))
    test.refresh_from_db()
    assert (test.state, test.progress) == ("passed", 100)
    assert "disappointed" in test.answer
    assert asyncio.run(adapter_for(built_in).count_tokens(None)) is None
