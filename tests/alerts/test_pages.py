"""The pages of alert rules: what may be saved, who sees which, snooze, history."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role, User
from alerts.models import AlertRule, Firing
from alerts.purging import purge_rules
from jobs.models import JobDefinition
from tenants.models import TenantGroup

pytestmark = pytest.mark.django_db
FORM = {"name": "Late", "measure": "lag", "threshold": "60", "minutes": "5", "enabled": "on", "recipients": ""}


@pytest.fixture
def root(client_for, people):
    return client_for(people.platform_admin)


@pytest.fixture
def regional(client_for, system, acme):
    """Staff for acme alone."""
    granted = ["home.view", "jobs.view", "jobs.edit"]
    role = Role.objects.create(tenant=system, name="East", platform=True, scope="managed_groups", granted=granted)
    staff = User.objects.create(tenant=system, username="rita", username_key="rita", role=role)
    group = TenantGroup.objects.create(name="East")
    group.tenants.add(acme)
    staff.managed_tenant_groups.add(group)
    return client_for(staff)


def fired(rule, **values):
    now = timezone.now()
    return Firing.objects.create(
        **{"rule": rule, "text": "Found", "state": "firing", "value": 7, "threshold": 1, "since": now, "fired_at": now}
        | values
    )


def test_a_rule_is_saved_shown_and_changed(root):
    saved = root.post(reverse("alerts:add"), {**FORM, "recipients": "a@ops.example, b@ops.example\na@ops.example"})
    assert saved.status_code == 302, saved.content
    rule = AlertRule.objects.get(name="Late")
    assert rule.recipients == ["a@ops.example", "b@ops.example"]
    assert "Late" in root.get(reverse("alerts:list") + "?q=late").content.decode()
    edit = reverse("alerts:edit", args=[rule.pk])
    assert "a@ops.example\nb@ops.example" in root.get(edit).content.decode()
    assert root.post(edit, {**FORM, "threshold": "90", "version": 1}).status_code == 302
    assert root.post(edit, {**FORM, "threshold": "95", "version": 1}).status_code == 409
    rule.refresh_from_db()
    assert (rule.threshold, rule.recipients) == (90, [])


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("threshold", {"threshold": "-1"}),
        ("threshold", {"threshold": "nan"}),
        ("threshold", {"threshold": "inf"}),
        ("threshold", {"threshold": "1e12"}),
        ("threshold", {"measure": "failures", "threshold": "101"}),
        ("minutes", {"minutes": "1441"}),
        ("minutes", {"minutes": "1_0"}),
        ("measure", {"measure": "weather"}),
        ("name", {"name": ""}),
        ("name", {"name": "no WORKER"}),
        ("recipients", {"recipients": "nobody"}),
        ("recipients", {"recipients": "a@ops.example\r\nBcc: b@ops.example"}),
        ("recipients", {"recipients": "\n".join(f"a{n}@ops.example" for n in range(21))}),
        ("job", {"measure": "workers", "job": "@job"}),
    ],
)
def test_bad_input_is_named_and_stores_nothing(root, field, values):
    if "job" in values:
        values = {**values, "job": JobDefinition.objects.create(name="Job", kind="transcription").pk}
    before = AlertRule.objects.count()
    refused = root.post(reverse("alerts:add"), {**FORM, **values})
    assert refused.status_code == 422
    assert list(refused.context["form"].errors) == [field]
    assert AlertRule.objects.count() == before


def test_staff_of_some_tenants_have_the_rules_about_these_alone(regional, root, acme, globex):
    mine = AlertRule.objects.create(name="Of acme", measure="lag", threshold=1, tenant=acme)
    theirs = AlertRule.objects.create(name="Of globex", measure="lag", threshold=1, tenant=globex)
    fired(mine, text="Mine"), fired(theirs, text="Theirs")
    page = regional.get(reverse("alerts:list")).content.decode()
    assert "Of acme" in page
    assert "Of globex" not in page
    assert "No worker" not in page
    history = regional.get(reverse("alerts:history")).content.decode()
    assert "Mine" in history
    assert "Theirs" not in history
    assert "Of globex" in root.get(reverse("alerts:list") + "?per_page=100").content.decode()


def test_staff_of_some_tenants_look_at_rules_and_change_none(regional, root, acme):
    mine = AlertRule.objects.create(name="Of acme", measure="lag", threshold=1, tenant=acme)
    page = regional.get(reverse("alerts:list")).content.decode()
    assert reverse("alerts:history") + f"?rule={mine.pk}" in page
    for address in (reverse("alerts:add"), reverse("alerts:edit", args=[mine.pk]), reverse("alerts:bulk")):
        assert address not in page
        assert regional.post(address, {**FORM, "tenant": acme.pk}).status_code == 403
    assert root.post(reverse("alerts:add"), {**FORM, "tenant": acme.pk}).status_code == 302


def test_history_is_filtered_and_exported_and_what_is_pending_is_not_in_it(root):
    one, two = AlertRule.objects.order_by("pk")[:2]
    fired(one, text="First"), fired(two, text="Second", state="resolved", resolved_at=timezone.now())
    fired(one, text="Third", state="pending", subject="x")
    page = root.get(reverse("alerts:history") + f"?rule={one.pk}").content.decode()
    assert "First" in page
    assert "Second" not in page
    assert "Third" not in page
    csv = b"".join(root.get(reverse("alerts:history") + "?state=resolved&format=csv").streaming_content).decode()
    assert "Second" in csv
    assert "First" not in csv


def test_a_snooze_says_by_whom_and_ends(root):
    rule = AlertRule.objects.get(measure="lag")
    firing = fired(rule)
    assert root.post(reverse("alerts:snooze", args=[rule.pk]), {"hours": "8"}).status_code == 302
    rule.refresh_from_db()
    firing.refresh_from_db()
    assert rule.snoozed_until > timezone.now() + timedelta(hours=7)
    assert rule.snoozed_by == firing.snoozed_by == "root@system"
    assert "Found" not in root.get("/").content.decode()
    assert root.post(reverse("alerts:snooze", args=[rule.pk]), {"hours": "721"}).status_code == 422
    root.post(reverse("alerts:snooze", args=[rule.pk]), {"hours": "0"})
    rule.refresh_from_db()
    assert rule.snoozed_until is None
    assert "Found" in root.get("/").content.decode()


def test_a_test_without_recipients_is_refused(root):
    rule = AlertRule.objects.order_by("pk").first()
    root.post(reverse("alerts:test", args=[rule.pk]))
    rule.refresh_from_db()
    assert rule.test_asked_at is None
    AlertRule.objects.filter(pk=rule.pk).update(recipients=["a@ops.example"])
    root.post(reverse("alerts:test", args=[rule.pk]))
    rule.refresh_from_db()
    assert rule.test_asked_at is not None


def test_a_deleted_tenant_leaves_no_rule_and_no_firing(acme, globex):
    AlertRule.objects.create(name="Of acme", measure="lag", threshold=1, tenant=acme)
    rule = AlertRule.objects.filter(measure="limit").first()
    fired(rule, subject=f"limit:{acme.pk}:x"), fired(rule, subject=f"limit:{globex.pk}:x")
    assert purge_rules(acme.pk) == 1
    assert Firing.objects.get().subject.startswith(f"limit:{globex.pk}")
