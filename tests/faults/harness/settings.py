"""Settings of the processes under test: those of the one-command stack, with crash points and a clock that may be wrong.

PARLANCE_CLOCK_OFF_S moves the clock that this process reads by so many seconds; monotonic time and the other processes
stay. It stands for a machine with a wrong clock as far as our code is concerned; the broker's library keeps the right one.
"""

import os

from celery.signals import worker_process_init
from django.utils import timezone

from config.settings.local import *  # noqa: F403

# Nobody looks at the pages, so no static files are collected for them.
STORAGES = {
    **STORAGES,  # noqa: F405
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
MIDDLEWARE = [middleware for middleware in MIDDLEWARE if "whitenoise" not in middleware]  # noqa: F405
PASSWORD_HASHERS = ["tests.hashers.QuickArgon2PasswordHasher"]

if clock_off_s := float(os.environ.get("PARLANCE_CLOCK_OFF_S", "0")):
    from datetime import timedelta

    right = timezone.now
    timezone.now = lambda: right() + timedelta(seconds=clock_off_s)


@worker_process_init.connect
def arm_crash_points(**_named):
    """In each child of the pool, after the fork."""
    from tests.faults.harness.crashpoints import TRAPS, arm

    if os.environ.get(TRAPS):
        arm()
