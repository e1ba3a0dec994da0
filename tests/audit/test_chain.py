"""The audit chain: grows with its change or not at all, and shows every tampering."""

import pytest
from django.db import connection, transaction

from audit.models import AuditEntry
from audit.services import append, first_break

pytestmark = pytest.mark.django_db


def grow(tenant, number: int) -> None:
    for step in range(number):
        with transaction.atomic():
            append(
                tenant_id=tenant.pk,
                actor="a",
                action=f"step.{step}",
                target_type="t",
                target_id="1",
                details={"n": step},
            )


def test_an_untouched_chain_holds_and_each_kind_of_tampering_is_found(acme):
    grow(acme, 5)
    assert first_break(acme.pk) is None
    last = AuditEntry.objects.filter(tenant_id=acme.pk).order_by("-position").first()
    middle = AuditEntry.objects.get(tenant_id=acme.pk, position=last.position - 2)
    for tamper in (
        lambda: AuditEntry.objects.filter(pk=middle.pk).update(actor="somebody else"),
        lambda: AuditEntry.objects.filter(pk=middle.pk).update(details={"n": 99}),
        lambda: AuditEntry.objects.filter(pk=middle.pk).delete(),
        lambda: AuditEntry.objects.filter(pk=middle.pk).update(digest="0" * 64),
    ):
        with transaction.atomic():
            tamper()
            assert first_break(acme.pk) is not None
            transaction.set_rollback(True)
    assert first_break(acme.pk) is None


def test_an_entry_disappears_with_the_change_that_was_rolled_back(acme):
    before = AuditEntry.objects.count()
    with transaction.atomic():
        grow(acme, 1)
        transaction.set_rollback(True)
    assert AuditEntry.objects.count() == before
    assert connection.in_atomic_block


def test_chains_of_two_tenants_do_not_touch_each_other(acme, globex):
    grow(acme, 2)
    grow(globex, 2)
    AuditEntry.objects.filter(tenant_id=globex.pk).update(actor="x")
    assert first_break(acme.pk) is None
    assert first_break(globex.pk) == 1
