"""Making tenants: by cloning an empty template, with visible state, once."""

import pytest
from django.db import connection, transaction

from audit.models import AuditEntry
from conversations.models import Call
from core.errors import InvalidInput
from tenants.doors import enter
from tenants.models import AllowedAddress, Tenant
from tenants.provisioning import migrate_schema, provision
from tenants.services import allow_address, create_tenant, set_state
from tenants.tasks import resume_provisioning

pytestmark = pytest.mark.django_db

STRUCTURE = """
SELECT c.table_name, c.column_name, c.data_type, c.is_nullable, c.column_default
FROM information_schema.columns c WHERE c.table_schema = %s
UNION ALL
SELECT tablename, indexname, regexp_replace(indexdef, 't_[0-9a-z_]+\\.', ''), '', '' FROM pg_indexes WHERE schemaname = %s
UNION ALL
SELECT conrelid::regclass::text, conname, replace(pg_get_constraintdef(oid), %s || '.', ''), '', ''
FROM pg_constraint WHERE connamespace = %s::regnamespace AND contype <> 'n'
"""


def structure(schema: str) -> set[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(STRUCTURE, [schema, schema, schema, schema])
        return {tuple(str(value).replace(schema, "S") for value in row) for row in cursor.fetchall()}


def test_a_new_tenant_is_provisioned_once_and_is_then_ready_and_empty(db):
    tenant = create_tenant(slug="initech", name="Initech", actor="test")
    assert tenant.state == Tenant.State.NEW
    assert provision(tenant.pk) is True
    assert provision(tenant.pk) is False
    tenant.refresh_from_db()
    assert tenant.state == Tenant.State.READY
    with enter(tenant):
        assert Call.objects.count() == 0
    actions = AuditEntry.objects.filter(tenant_id=tenant.pk).order_by("position").values_list("action", flat=True)
    assert list(actions) == ["tenant.created", "tenant.provisioned"]


def test_a_tenant_that_cannot_be_cloned_does_not_block_the_others(db, caplog):
    made = [create_tenant(slug=f"initech-{number}", name="Private Name", actor="test") for number in range(3)]
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE SCHEMA "{made[1].schema_name}"')
    resume_provisioning()
    states = [Tenant.objects.get(pk=tenant.pk).state for tenant in made]
    assert states == [Tenant.State.READY, Tenant.State.NEW, Tenant.State.READY]
    assert str(made[1].pk) in caplog.text
    assert "Private Name" not in caplog.text


def test_a_clone_has_the_same_structure_as_a_schema_made_by_migrations(acme):
    with transaction.atomic():
        migrate_schema("t_by_migrations")
        by_migrations = structure("t_by_migrations")
        transaction.set_rollback(True)
    cloned = structure(acme.schema_name)
    assert len(cloned) > 60
    assert cloned == by_migrations


@pytest.mark.parametrize(
    ("slug", "field"),
    [("public;", "slug"), ("Pg", "slug"), ("a'--", "slug"), ("", "slug"), ("acme", "slug"), ("x" * 41, "slug")],
)
def test_bad_or_taken_short_names_are_refused_and_nothing_is_stored(acme, slug, field):
    before = Tenant.objects.count()
    with pytest.raises(InvalidInput) as refused:
        create_tenant(slug=slug, name="N", actor="test")
    assert refused.value.field == field
    assert Tenant.objects.count() == before
    assert create_tenant(slug="fine-name", name="N", actor="test").slug == "fine-name"


def test_an_unknown_time_zone_is_refused(db):
    with pytest.raises(InvalidInput) as refused:
        create_tenant(slug="z", name="Z", time_zone="Mars/Olympus", actor="test")
    assert refused.value.field == "time_zone"


def test_states_move_only_along_their_path_and_the_system_tenant_not_at_all(acme, system):
    set_state(tenant=acme, old=Tenant.State.READY, new=Tenant.State.SUSPENDED, actor="test")
    with pytest.raises(InvalidInput):
        set_state(tenant=acme, old=Tenant.State.READY, new=Tenant.State.CLOSED, actor="test")
    with pytest.raises(InvalidInput):
        set_state(tenant=system, old=Tenant.State.READY, new=Tenant.State.SUSPENDED, actor="test")


def test_listing_an_address_twice_is_harmless_and_nonsense_is_refused(system):
    for _time in range(2):
        allow_address(cidr="10.1.2.3/32", port=8600, note="", actor="test", audit_tenant=system)
    assert AllowedAddress.objects.count() == 1
    for cidr, port, field in [("10.1.2.3/8", 80, "cidr"), ("x", 80, "cidr"), ("10.0.0.0/8", 0, "port")]:
        with pytest.raises(InvalidInput) as refused:
            allow_address(cidr=cidr, port=port, note="", actor="test", audit_tenant=system)
        assert refused.value.field == field
