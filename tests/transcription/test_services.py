"""Changing engines: what a late pass or a late test may still do, where a token goes, what a broken engine says."""

import logging

import pytest
from django.db import connection
from django.utils import timezone

from audit.models import AuditEntry
from core.errors import InvalidInput
from transcription.engines.native import NativeSpeechEngine
from transcription.models import EngineTest, SpeechEngine
from transcription.selectors import EngineUnusable, adapter_for, secrets_of
from transcription.services import claim_test, finish_test, pause_engine, save_engine
from transcription.testing import run_test

TOKEN = "s3cret-token-that-nobody-sees"
ADDRESS = "https://93.184.216.34:8443"


@pytest.fixture
def save(system):
    """Create or change an engine with the token and the settings that are given."""

    def run(engine=None, *, address=ADDRESS, token=None, **settings):
        return save_engine(
            engine=engine,
            values={
                "name": "Native",
                "engine_type": "native_v2",
                "enabled": True,
                "visibility": "global",
                "tenant": None,
            },
            settings={"server_address": address, **settings},
            secrets={"token": token},
            actor="test",
            audit_tenant=system,
        )

    return run


def is_paused(engine: SpeechEngine) -> bool:
    return SpeechEngine.objects.get(pk=engine.pk).paused_at is not None


def test_a_pass_pauses_the_engine_it_worked_with_but_not_one_that_was_changed_since(save):
    old = save()
    fixed = save(old, concurrency=2)
    assert pause_engine(engine_id=old.pk, version=old.version, reason="HTTP 401") is False
    assert not is_paused(fixed)
    assert pause_engine(engine_id=fixed.pk, version=fixed.version, reason="HTTP 401") is True
    assert pause_engine(engine_id=fixed.pk, version=fixed.version, reason="HTTP 401") is False
    assert is_paused(fixed)
    assert AuditEntry.objects.filter(action="speech_engine.paused").count() == 1


@pytest.mark.parametrize("changed", [False, True])
def test_a_passed_test_resumes_the_engine_that_was_tested_but_not_one_that_was_changed_since(save, changed):
    engine = save()
    test = claim_test(str(EngineTest.objects.create(engine=engine).pk))
    assert test is not None
    if changed:
        engine = save(engine, concurrency=2)
    assert pause_engine(engine_id=engine.pk, version=engine.version, reason="HTTP 401")
    finish_test(test=test, passed=True)
    assert is_paused(engine) is changed
    assert EngineTest.objects.get().state == EngineTest.State.PASSED


def test_the_server_name_is_looked_up_outside_of_the_transaction_that_stores(save, monkeypatch):
    depths = []
    monkeypatch.setattr(
        NativeSpeechEngine,
        "check_address",
        classmethod(lambda cls, options, policy: depths.append(len(connection.atomic_blocks))),
    )
    outside = len(connection.atomic_blocks)
    save()
    assert depths == [outside]


@pytest.mark.parametrize(
    "address", ["http://93.184.216.34:8443", "https://93.184.216.35:8443", "https://93.184.216.34:8444"]
)
def test_a_stored_token_does_not_follow_to_another_server(save, address):
    engine = save(token=TOKEN)
    with pytest.raises(InvalidInput) as refused:
        save(engine, address=address)
    assert refused.value.field == "token"
    assert refused.value.message == "Enter it again: the server address has changed."
    assert SpeechEngine.objects.get().settings["server_address"] == ADDRESS
    moved = save(engine, address=address, token="another")
    assert secrets_of(moved) == {"token": "another"}


def test_a_token_may_be_cleared_with_the_move_and_none_is_asked_for_where_none_was(save):
    cleared = save(save(token=TOKEN), address="https://93.184.216.35", token="")
    assert secrets_of(cleared) == {}
    assert save(cleared, address="https://93.184.216.36").settings["server_address"] == "https://93.184.216.36"


def test_another_spelling_of_the_same_server_keeps_the_token(save):
    engine = save(address="https://93.184.216.34", token=TOKEN)
    assert secrets_of(save(engine, address="https://93.184.216.34:443/")) == {"token": TOKEN}


BROKEN = [
    ({"settings": {"server_address": ADDRESS, "concurrency": "private-value"}}, "concurrency"),
    ({"settings": {"server_address": ADDRESS, "token": "private-value", "odd": "private-value"}}, "odd"),
    ({"sealed_secrets": b"private-value"}, "decrypted"),
    ({"engine_type": "gone"}, "gone"),
]


@pytest.mark.parametrize(("values", "named"), BROKEN)
def test_an_engine_that_cannot_be_opened_says_why_and_quotes_no_value(save, values, named):
    engine = save(token=TOKEN)
    assert isinstance(adapter_for(engine), NativeSpeechEngine)
    SpeechEngine.objects.update(**values)
    with pytest.raises(EngineUnusable) as refused:
        adapter_for(SpeechEngine.objects.get())
    assert named in str(refused.value)
    assert "private-value" not in str(refused.value)
    assert TOKEN not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize(("values", "named"), BROKEN)
def test_the_test_of_an_engine_that_cannot_be_opened_fails_with_its_reason(save, values, named, caplog):
    engine = save()
    SpeechEngine.objects.update(paused_at=timezone.now(), **values)
    test = EngineTest.objects.create(engine=engine)
    with caplog.at_level(logging.DEBUG):
        run_test(str(test.pk))
    test.refresh_from_db()
    assert test.state == EngineTest.State.FAILED
    assert [(step["key"], step["status"]) for step in test.steps] == [("settings", "failed")]
    assert named in test.steps[0]["detail"]
    assert "private-value" not in caplog.text + str(test.steps)
    assert is_paused(engine)


def test_an_engine_whose_secrets_do_not_decrypt_can_be_mended_by_entering_them_again(save, client_for, people):
    engine = save(token=TOKEN)
    SpeechEngine.objects.filter(pk=engine.pk).update(sealed_secrets=b"from another key")
    engine.refresh_from_db()
    page = client_for(people.platform_admin).get(f"/administration/speech-analytics/transcription/engines/{engine.pk}/")
    assert page.status_code == 200
    assert secrets_of(save(engine, token="a new token")) == {"token": "a new token"}
