"""An engine that fails is seen on home and on its pages, and can be tried or used again by hand."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditEntry
from jobs.circuits.models import Circuit
from tests.jobs.conftest import engine, root  # noqa: F401
from tests.jobs.pages import failing_circuit
from transcription.models import EngineTest, SpeechEngine
from transcription.selectors import circuit_key
from transcription.services import delete_engine, finish_test

pytestmark = pytest.mark.django_db


@pytest.fixture
def failing(engine):  # noqa: F811
    """The circuit of the engine, open."""
    return failing_circuit(circuit_key(engine), reason="HTTP 503 from the server")


def shown(client, route, *args):
    return client.get(reverse(route, args=args)).content.decode()


def test_home_the_list_and_the_form_say_why_and_since_when(root, engine, failing):  # noqa: F811
    home = shown(root, "usage:home")
    assert "fails since" in home
    assert "HTTP 503 from the server" in home
    listed = shown(root, "transcription:engines")
    assert "Failing" in listed
    assert "Next probe" in listed
    assert reverse("transcription:try", args=[engine.pk]) in listed
    form = shown(root, "transcription:engine", engine.pk)
    assert "HTTP 503 from the server" in form
    assert "next probe" in form
    assert "Failing: HTTP 503" in root.get(reverse("transcription:engines"), {"format": "csv"}).getvalue().decode()


def test_an_engine_that_works_shows_none_of_it(root, engine):  # noqa: F811
    Circuit.objects.create(key=circuit_key(engine), window_began=timezone.now(), calls=9, failures=1)
    assert "fails since" not in shown(root, "usage:home")
    listed = shown(root, "transcription:engines")
    assert "Failing" not in listed
    assert reverse("transcription:try", args=[engine.pk]) not in listed
    assert root.post(reverse("transcription:try", args=[engine.pk])).status_code == 409
    assert root.post(reverse("transcription:trust", args=[engine.pk])).status_code == 409
    assert not AuditEntry.objects.filter(action__in=["speech_engine.tried", "speech_engine.trusted"]).exists()


def test_try_now_makes_the_probe_due_and_use_again_closes_the_circuit(root, engine, failing):  # noqa: F811
    assert failing.probe_at > timezone.now() + timedelta(seconds=30)
    assert root.post(reverse("transcription:try", args=[engine.pk])).status_code == 302
    failing.refresh_from_db()
    assert (failing.state, failing.probe_at <= timezone.now()) == ("open", True)
    assert root.post(reverse("transcription:trust", args=[engine.pk])).status_code == 302
    failing.refresh_from_db()
    assert (failing.state, failing.reason, failing.opened_at) == ("closed", "", None)
    actions = AuditEntry.objects.filter(target_type="speech_engine").order_by("pk").values_list("action", flat=True)
    assert list(actions)[-2:] == ["speech_engine.tried", "speech_engine.trusted"]


@pytest.mark.parametrize(("passed", "state"), [(True, "closed"), (False, "open")])
def test_a_connection_test_that_passes_ends_it(engine, failing, passed, state):  # noqa: F811
    test = EngineTest.objects.create(engine=engine, state="running")
    finish_test(test=test, passed=passed)
    failing.refresh_from_db()
    assert failing.state == state


def test_a_deleted_engine_leaves_no_circuit(engine, failing, system):  # noqa: F811
    delete_engine(engine=SpeechEngine.objects.get(pk=engine.pk), actor="test", audit_tenant=system)
    assert not Circuit.objects.exists()
