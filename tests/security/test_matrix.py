"""Every route, verb, principal and relation answers as tests/security/matrix/policy.py says; no defaults."""

import logging

import pytest

from core.policy import PUBLIC
from tests.security.matrix.cells import RouteCheck, routes
from tests.security.matrix.policy import NOBODY, PRINCIPALS, ROUTES, SEES, WHO
from tests.security.matrix.world import build

pytestmark = pytest.mark.django_db
SHARDS = 12


def test_every_route_has_a_row_and_every_row_a_route():
    names = [name for name, _route in routes()]
    assert len(names) == len(set(names)), "two routes of one name"
    rows = {name.partition("?")[0] for name in ROUTES}
    assert sorted(set(names) - rows) == [], "routes without a row"
    assert sorted(rows - set(names)) == [], "rows without a route"


def test_the_policy_names_known_principals_only():
    for letters in [*WHO.values(), *(letters for seen in SEES.values() for letters in seen.values())]:
        assert set(letters) <= set(PRINCIPALS) - set(NOBODY)
    assert {row.at for row in ROUTES.values() if row.at} <= set(SEES)
    assert all(route.callback.policy is not None for _name, route in routes())
    assert PUBLIC == "public"


@pytest.fixture
def quiet():
    """Thousands of refusals would be logged with their tracebacks."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_cell_is_as_the_policy_says(shard, tmp_path):
    world = build(tmp_path)
    known = {name for name, _route in routes()}
    problems, fired = [], 0
    for name, row in sorted(ROUTES.items())[shard::SHARDS]:
        if name.partition("?")[0] not in known:
            continue
        check = RouteCheck(world, name, row)
        problems += check.run()
        fired += check.fired
    if problems:
        pytest.fail("\n" + "\n".join(problems), pytrace=False)
    assert fired > 50
