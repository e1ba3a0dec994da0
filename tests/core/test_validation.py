"""The rules of a model, told as the one field and rule that was broken."""

import pytest

from accounts.models import User
from core.errors import InvalidInput
from core.validation import cleaned
from tenants.models import Tenant


def test_a_model_that_keeps_its_rules_comes_back(acme):
    assert cleaned(acme, clash_field="slug", exclude=["wrapped_data_key"]) is acme


@pytest.mark.parametrize(
    ("values", "field"),
    [({"slug": "Not valid"}, "slug"), ({"slug": "fine", "time_zone": "Mars/Olympus"}, "time_zone")],
)
def test_a_broken_rule_names_its_field(db, values, field):
    with pytest.raises(InvalidInput) as refused:
        cleaned(Tenant(name="N", **values), clash_field="slug", exclude=["wrapped_data_key"])
    assert refused.value.field == field
    assert refused.value.message


def test_a_constraint_over_several_fields_is_told_at_the_field_that_clashes(acme, people):
    taken = User(tenant=acme, username="ADA", username_key="ada", role=people.agent.role, password="x")
    with pytest.raises(InvalidInput) as refused:
        cleaned(taken, clash_field="username")
    assert refused.value.field == "username"
