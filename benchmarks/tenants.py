"""How long a new tenant takes: by cloning the template schema, and by running the migrations."""

import statistics
import time
from collections.abc import Callable
from functools import partial

from benchmarks.registry import Figures, goal, scaled
from tenants.models import Tenant
from tenants.provisioning import migrate_schema, provision
from tenants.services import create_tenant

ROUNDS = 10


def tenants(scale: float) -> Figures:
    """Seconds to provision a tenant by cloning the template, and to make the same schema by migrations."""
    rounds = scaled(ROUNDS, scale)
    ids = [create_tenant(slug=f"bench-{n}", name="Bench", actor="bench").pk for n in range(rounds)]
    cloned = [_timed(partial(provision, pk)) for pk in ids]
    migrated = [_timed(partial(migrate_schema, f"t_bench_{n}")) for n in range(rounds)]
    assert Tenant.objects.filter(state=Tenant.State.READY).count() == rounds
    clone, migrate = statistics.median(cloned), statistics.median(migrated)
    return {
        "goals": [goal("seconds to clone (median)", round(clone, 3), at_most=1.5)],
        "rounds": rounds,
        "clone_median_s": round(clone, 3),
        "migrations_median_s": round(migrate, 3),
        "migrations_over_clone": round(migrate / clone, 2),
    }


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
