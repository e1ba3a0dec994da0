"""The eight leak probes (security M1–M6, a task without tenant, a deleted tenant): each must refuse."""

import threading
import uuid
from collections.abc import Iterator
from types import SimpleNamespace

import psycopg
import pytest
from celery import shared_task
from django.db import connection, transaction
from django.db.utils import OperationalError, ProgrammingError
from django.utils import timezone

from config.celery import app as celery_app
from conversations.models import Call
from tenants.backend.base import SchemaMissing
from tenants.doors import (
    NobodyEntered,
    TenantTask,
    TenantUnavailable,
    WrongTenant,
    current_tenant,
    enter,
    find_ready,
    outside,
)
from tenants.models import Tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def a_call_each(acme, globex) -> SimpleNamespace:
    """Twin tenants with a call of the same primary key and a canary in each."""
    same = uuid.uuid4()
    for tenant in (acme, globex):
        with enter(tenant):
            Call.objects.create(pk=same, external_id=f"canary-{tenant.slug}", started_at=timezone.now())
    return SimpleNamespace(pk=same)


def test_inside_a_tenant_only_its_own_rows_are_seen(acme, globex, a_call_each):
    with enter(acme):
        assert [call.external_id for call in Call.objects.all()] == ["canary-acme"]
    with enter(globex):
        assert [call.external_id for call in Call.objects.all()] == ["canary-globex"]


def test_m1_a_tenant_has_no_context_manager_of_its_own_that_threads_could_swap(acme):
    assert not hasattr(acme, "__enter__")
    assert not hasattr(Tenant, "activate")


def test_m1_m2_two_threads_in_two_tenants_never_meet():
    """Threads have connections of their own; each stays in the tenant that it entered."""
    with psycopg_free_world() as (first, second):
        seen: dict[str, set[str]] = {"first": set(), "second": set()}
        meet = threading.Barrier(2, timeout=10)

        def work(name: str, tenant: Tenant) -> None:
            try:
                for _round in range(20):
                    with enter(tenant):
                        meet.wait()
                        with connection.cursor() as cursor:
                            cursor.execute("SELECT current_schema()")
                            seen[name].add(cursor.fetchone()[0])
                    assert outside()
            finally:
                connection.close()

        threads = [
            threading.Thread(target=work, args=("first", first)),
            threading.Thread(target=work, args=("second", second)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert seen == {"first": {first.schema_name}, "second": {second.schema_name}}


def psycopg_free_world():
    """The two tenants as plain rows; other threads do not see this test's transaction, and need not."""
    from contextlib import nullcontext

    return nullcontext((Tenant.objects.get(slug="acme"), Tenant.objects.get(slug="globex")))


def test_m3_a_search_path_that_cannot_be_set_is_an_error_and_the_query_does_not_run(acme, globex, a_call_each):
    with enter(acme):
        assert Call.objects.count() == 1
    refused = ChokingCursor()
    connection.set_schema(globex.schema_name)
    try:
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection._handle_search_path(refused)
        assert connection.search_path_set_schemas is None
        assert refused.statements == 1
    finally:
        connection.set_schema_to_public()


class ChokingCursor:
    """A cursor on which every statement is cancelled, as by a statement_timeout."""

    statements = 0

    def execute(self, *_arguments: object) -> None:
        """Cancelled."""
        self.statements += 1
        raise psycopg.errors.QueryCanceled("canceling statement due to statement timeout")


def test_m4_a_schema_that_does_not_exist_is_an_error_not_a_fall_through_to_public(acme, a_call_each):
    with enter(acme):
        assert Call.objects.count() == 1
    gone = Tenant(slug="gone", name="Gone", state=Tenant.State.READY)
    with pytest.raises(SchemaMissing), transaction.atomic(), enter(gone):
        list(Call.objects.all())
    assert outside()


def test_m5_schema_names_are_random_and_never_come_from_input(acme):
    first, second = Tenant(slug="x", name="X"), Tenant(slug="x", name="X")
    assert first.schema_name != second.schema_name
    assert first.schema_name.startswith("t_")
    assert "x" not in first.schema_name[2:] or len(first.schema_name) == 34


def test_m6_a_lazy_queryset_made_in_one_tenant_refuses_in_another_and_outside(acme, globex, a_call_each):
    with enter(acme):
        lazy = Call.objects.filter(pk=a_call_each.pk)
        assert lazy.count() == 1
        made_but_not_run = Call.objects.order_by("pk")
    with enter(globex):
        for use in (
            list,
            lambda q: q.count(),
            lambda q: q.exists(),
            lambda q: q.update(group="x"),
            lambda q: q.first(),
        ):
            with pytest.raises(WrongTenant):
                use(made_but_not_run)
    with pytest.raises(NobodyEntered):
        list(made_but_not_run)


def test_m6_a_new_thread_begins_outside_and_reads_nothing(acme, a_call_each):
    caught: list[BaseException] = []

    def work() -> None:
        try:
            list(Call.objects.all())
        except NobodyEntered as error:
            caught.append(error)
        finally:
            connection.close()

    with enter(acme):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(10)
        assert Call.objects.count() == 1
    assert len(caught) == 1


def test_tenant_tables_are_not_in_public(db):
    with connection.cursor() as cursor, pytest.raises(ProgrammingError), transaction.atomic():
        cursor.execute("SELECT count(*) FROM conversations_call")


def test_entering_another_tenant_from_inside_one_refuses_and_leaves_the_first_entered(acme, globex):
    with enter(acme):
        with pytest.raises(WrongTenant), enter(globex):
            pass
        with enter(acme):
            assert current_tenant() == acme
        assert current_tenant() == acme
    with pytest.raises(NobodyEntered):
        current_tenant()


@pytest.fixture
def probe_task() -> Iterator[TenantTask]:
    """A task on the tenant task base that says where it ran."""

    @shared_task(base=TenantTask, name="tests.where_am_i")
    def where_am_i(*, tenant_id: str) -> str:
        return current_tenant().slug

    yield where_am_i
    celery_app.tasks.pop("tests.where_am_i", None)


def test_a_task_without_tenant_refuses_and_with_one_runs_inside_it(acme, probe_task):
    with pytest.raises(NobodyEntered):
        probe_task()
    with pytest.raises(TenantUnavailable):
        probe_task(tenant_id=str(uuid.uuid4()))
    assert probe_task(tenant_id=str(acme.pk)) == "acme"
    assert outside()


@pytest.mark.parametrize("state", ["new", "suspended", "closed"])
def test_a_tenant_that_is_not_ready_cannot_be_entered(acme, state):
    Tenant.objects.filter(pk=acme.pk).update(state=state)
    acme.refresh_from_db()
    with pytest.raises(TenantUnavailable), enter(acme):
        pass
    with pytest.raises(TenantUnavailable):
        find_ready(acme.pk)


def test_a_deleted_tenant_is_refused_by_id_and_by_schema(acme):
    vanished = Tenant(slug="vanished", name="Vanished", state=Tenant.State.READY)
    with pytest.raises(TenantUnavailable):
        find_ready(vanished.pk)
    with pytest.raises(OperationalError), transaction.atomic(), enter(vanished):
        Call.objects.count()
    with enter(acme):
        assert Call.objects.count() == 0


def test_the_context_survives_rollbacks_of_savepoints_and_an_aborted_transaction(acme, a_call_each):
    with enter(acme):
        with pytest.raises(ProgrammingError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT * FROM there_is_no_such_table")
        assert Call.objects.count() == 1
        with transaction.atomic():
            Call.objects.create(external_id="undone", started_at=timezone.now())
            transaction.set_rollback(True)
        assert [call.external_id for call in Call.objects.all()] == ["canary-acme"]
