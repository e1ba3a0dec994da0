"""Run one benchmark on a throw-away PostgreSQL and print its figures as JSON."""

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

from benchmarks.audit_chain import audit
from benchmarks.ledger import ledger
from benchmarks.usage import usage
from stack.throwaway import throwaway_services

ROUNDS = 10


def main() -> int:
    """Run the named benchmark."""
    benchmarks = {"tenants": tenants, "ledger": ledger, "audit": audit, "usage": usage}
    if len(sys.argv) != 2 or sys.argv[1] not in benchmarks:
        print(f"usage: python -m benchmarks {{{'|'.join(benchmarks)}}}", file=sys.stderr)
        return 2
    with throwaway_services() as services:
        os.environ |= services | {"DJANGO_SETTINGS_MODULE": "config.settings.test"}
        import django

        django.setup()
        print(json.dumps(_machine() | benchmarks[sys.argv[1]](), indent=2))
        from django.db import connection

        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
    return 0


def tenants() -> dict[str, object]:
    """Seconds to provision a tenant by cloning the template, and to make the same schema by migrations."""
    from django.core.management import call_command

    from tenants.models import Tenant
    from tenants.provisioning import migrate_schema, provision
    from tenants.services import create_tenant

    call_command("migrate_all", verbosity=0)
    ids = [create_tenant(slug=f"bench-{n}", name="Bench", actor="bench").pk for n in range(ROUNDS)]
    cloned = [_timed(partial(provision, pk)) for pk in ids]
    migrated = [_timed(partial(migrate_schema, f"t_bench_{n}")) for n in range(ROUNDS)]
    assert Tenant.objects.filter(state=Tenant.State.READY).count() == ROUNDS
    clone, migrate = statistics.median(cloned), statistics.median(migrated)
    return {
        "rounds": ROUNDS,
        "clone_median_s": round(clone, 3),
        "migrations_median_s": round(migrate, 3),
        "migrations_over_clone": round(migrate / clone, 2),
    }


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _machine() -> dict[str, object]:
    return {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "command": f"python -m benchmarks {sys.argv[1]}",
    }


if __name__ == "__main__":
    sys.exit(main())
