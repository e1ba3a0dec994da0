"""Every page that changes something, with data it accepts and data it refuses; a new page adds its row (A1).

Each row is a function under the page's URL name, in the module of its part of the site. It makes what the page needs
and says what to post. ``bad`` is None where nothing can be wrong with the data; ``EXEMPT`` says why a route has no row.
"""

from tests.audit.changes import (
    ai_engines,
    aitasks,
    alerts,
    calls,
    customfields,
    engines,
    jobs,
    languages,
    miaop,
    people,
    profile,
    queues,
    rails,
    replication,
    roles,
    tenants,
)
from tests.audit.changes.world import EXEMPT, ROWS, World

__all__ = [
    "EXEMPT",
    "ROWS",
    "World",
    "ai_engines",
    "aitasks",
    "alerts",
    "calls",
    "customfields",
    "engines",
    "jobs",
    "languages",
    "miaop",
    "people",
    "profile",
    "queues",
    "rails",
    "replication",
    "roles",
    "tenants",
]
