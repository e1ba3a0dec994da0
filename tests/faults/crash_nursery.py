"""Workers that die on demand, at the cost of a fork each: Django is loaded once.

Each line of the input is JSON: ``database``, ``point``, ``when``, ``job`` and ``request`` (of the point of that name). The
worker makes passes of the job and the clean-ups after them until the trap springs; a line of the output says how it ended:
minus the number of the signal, or 3 when the point was never reached.
"""

import json
import os
import sys
import time
import traceback
from typing import Any

import django

LONGEST_S = 20.0


def _work(order: dict[str, Any]) -> int:
    from django.db import connection
    from django.db.models import Value
    from django.db.models.functions import Now

    import jobs.passes.running
    from jobs.models import Record
    from jobs.upkeep.cleanups import run_cleanups
    from tests.faults import crash_child

    connection.settings_dict["NAME"] = order["database"]
    os.environ["REQUEST"] = order["request"]
    crash_child.arm(order["point"], order["when"])
    deadline = time.monotonic() + LONGEST_S
    while time.monotonic() < deadline:
        jobs.passes.running.run_pass(order["job"])
        # Polls need not be waited for here.
        Record.objects.filter(state="in_progress", lease_until=None).update(next_at=Now(), wait=Value(""))
        run_cleanups()
        time.sleep(0.02)
    return 3


def main() -> None:
    """One worker after the other."""
    django.setup()
    import jobs.passes.running
    import transcription.session
    from transcription.registry import engine_types

    # What a fork needs not import again.
    assert jobs.passes.running
    assert transcription.session
    assert engine_types()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            code = 1
            try:
                code = _work(json.loads(line))
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        _pid, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
