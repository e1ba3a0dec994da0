"""How the child processes of a worker, which run the passes, treat their memory."""

import gc
from typing import Any

from celery.signals import worker_process_init

# A transcript is made of hundreds of objects that live for a second and have no cycles. With Python's own threshold the
# collector looked at them all the time: an eighth of a pass's processor time.
OBJECTS_BEFORE_A_LOOK = 25_000


@worker_process_init.connect  # type: ignore[untyped-decorator]
def settle_in(**_named: Any) -> None:
    """What the parent loaded stays for ever and is never looked at again; what comes later is looked at less often."""
    gc.freeze()
    gc.set_threshold(OBJECTS_BEFORE_A_LOOK, 20, 20)
