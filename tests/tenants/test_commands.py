"""What an operator types: tenants and users by command, refusals by field."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from accounts.models import User
from licensing.models import Bundle, UserLicence
from tenants.models import Tenant

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_a_tenant_and_a_licensed_user_are_made_by_two_commands_and_the_user_can_sign_in(db, client):
    run("create_tenant", "initech", "Initech", "--time-zone", "Europe/Berlin")
    made = run("create_user", "initech", "peter", "--role", "tenant_admin", "--licence", "speech_analytics")
    password = made.rsplit(" ", 1)[1].strip()
    user = User.objects.get(username="peter")
    assert UserLicence.objects.get(user=user).bundle == Bundle.SPEECH_ANALYTICS
    form = {"organisation": "initech", "username": "peter", "password": password}
    assert client.post("/sign-in/", form).status_code == 302


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["create_tenant", "ACME!", "x"], "slug"),
        (["create_tenant", "acme", "x"], "slug"),
        (["create_tenant", "fine", "x", "--time-zone", "Nowhere"], "time_zone"),
        (["create_user", "nobody", "x"], "nobody"),
        (["create_user", "acme", "ADA"], "username"),
        (["create_user", "acme", "root", "--role", "platform_admin"], "role"),
        (["allow_address", "10.0.0.1/8", "80"], "cidr"),
    ],
)
def test_a_refused_command_names_the_field_and_stores_nothing(acme, people, arguments, named):
    before = (Tenant.objects.count(), User.objects.count())
    with pytest.raises(CommandError, match=named):
        run(*arguments)
    assert (Tenant.objects.count(), User.objects.count()) == before


def test_the_list_shows_the_state_of_every_tenant_to_the_platform_admin_alone(client_for, people):
    Tenant.objects.filter(slug="globex").update(state=Tenant.State.SUSPENDED)
    page = client_for(people.platform_admin).get(reverse("licensing:tenants"))
    text = page.content.decode()
    assert "Globex" in text
    assert "Suspended" in text
    assert client_for(people.tenant_admin).get(reverse("licensing:tenants")).status_code == 403
    alias = client_for(people.platform_admin).get(reverse("tenants:tenants_alias"))
    assert alias["Location"] == reverse("licensing:tenants")
