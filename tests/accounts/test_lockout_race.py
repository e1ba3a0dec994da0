"""Guesses at the same time, over connections of their own: so without the transaction that other tests run in."""

import threading
import uuid

from django.db import connection

from accounts.lockout import guard
from accounts.security_models import SignInThrottle


def test_racing_guesses_never_pass_the_limit_and_racing_successes_lock_nobody_out(django_db_setup, django_db_blocker):
    account, friend = f"race {uuid.uuid4()}", f"friend {uuid.uuid4()}"
    allowed: list[bool] = []

    def attack() -> None:
        try:
            for _number in range(10):
                allowed.append(not guard(account=account, address="").locked)
                guard(account=friend, address="").succeeded()
        finally:
            connection.close()

    with django_db_blocker.unblock():
        threads = [threading.Thread(target=attack) for _number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not guard(account=friend, address="").locked
        SignInThrottle.objects.all().delete()
        connection.close()
    assert len(allowed) == 80
    assert sum(allowed) == 10
