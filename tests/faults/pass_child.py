"""A worker of one job: pass after pass until none of its records is in progress any more: ``pass_child.py JOB``."""

import sys
import time

import django

LONGEST_S = 80


def main() -> int:
    """Ends with 3 when it takes too long."""
    job = int(sys.argv[1])
    django.setup()
    import jobs.passes.running
    from jobs.models import Record
    from queues.models import QueueItem

    deadline = time.monotonic() + LONGEST_S
    while time.monotonic() < deadline:
        jobs.passes.running.run_pass(job)
        left = Record.objects.filter(job=job, state=Record.State.IN_PROGRESS)
        if not left.exists() and not QueueItem.objects.filter(queue__jobs=job).exists():
            return 0
        time.sleep(0.05)
    return 3


if __name__ == "__main__":
    sys.exit(main())
