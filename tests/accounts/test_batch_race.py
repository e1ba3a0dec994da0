"""A batch judges the people whom it changes, not those whom it saw a moment before."""

import threading

import pytest
from django.db import connection, transaction

from accounts.models import Role, User
from accounts.people import set_enabled, set_role
from core.errors import NotAllowed
from tests.databases import db, somebody_waits  # noqa: F401 - rivals see only what is committed
from tests.polling import until


@pytest.mark.parametrize("change", [set_role, set_enabled])
def test_who_is_promoted_while_a_batch_waits_is_beyond_its_editor(people, change):
    supervisor, admin = Role.objects.get(key="supervisor"), Role.objects.get(key="tenant_admin")
    editor, agent = people.supervisor, people.agent
    new = {"role": Role.objects.get(key="agent")} if change is set_role else {"enabled": False}
    outcome = []

    def batch() -> None:
        try:
            outcome.append(change(users=User.objects.filter(pk=agent.pk), editor=editor, **new))
        except NotAllowed as error:
            outcome.append(error)
        finally:
            connection.close()

    def run() -> object:
        rival = threading.Thread(target=batch)
        rival.start()
        try:
            until(somebody_waits)
        finally:
            rivals.append(rival)

    rivals: list[threading.Thread] = []
    User.objects.filter(pk=agent.pk).update(role=supervisor)
    with transaction.atomic():
        User.objects.filter(pk=agent.pk).update(role=admin)
        run()
    rivals.pop().join(20)
    assert isinstance(outcome.pop(), NotAllowed)
    agent.refresh_from_db()
    assert (agent.role, agent.is_active) == (admin, True)
    # Who is not promoted is changed, although somebody held his row.
    User.objects.filter(pk=agent.pk).update(role=supervisor)
    with transaction.atomic():
        User.objects.filter(pk=agent.pk).update(full_name="Alan Again")
        run()
    rivals.pop().join(20)
    assert outcome == [1]
